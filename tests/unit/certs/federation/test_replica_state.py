"""How old a replica is, and when it may not answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.federation import Federation, ReplicaState, Source, check_registry_id, replica_says

NOW = datetime(2026, 3, 9, 2, 30, tzinfo=UTC)


def heard(through: int, ordinal: int, at: datetime = NOW) -> ReplicaState:
    return ReplicaState("361100-city").after_message(through).after_beat(at, 1, ordinal, "note", 7, b"r")


def test_a_heartbeat_counts_once_nothing_before_it_is_missing() -> None:
    waiting = heard(through=4, ordinal=5)
    assert waiting.verified_at is None
    assert waiting.age_seconds(NOW) == float("inf")
    assert waiting.after_message(5).verified_at == NOW


def test_a_heartbeat_with_something_missing_leaves_the_age_growing() -> None:
    state = heard(through=5, ordinal=5)
    later = state.after_beat(NOW + timedelta(seconds=9), 2, 6, "note", 8, b"s")
    assert later.verified_at == NOW
    assert later.age_seconds(NOW + timedelta(seconds=30)) == 30
    assert later.after_message(6).verified_at == NOW + timedelta(seconds=9)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_the_verified_time_never_goes_back_and_never_passes_what_is_missing(
    steps: list[tuple[int, int]],
) -> None:
    state, through, seen = ReplicaState("361100-city"), 0, []
    for number, (arrived, ordinal) in enumerate(steps, 1):
        through = max(through, arrived)
        state = state.after_message(through)
        before = state.verified_at
        state = state.after_beat(NOW + timedelta(seconds=number), number, ordinal, "n", number, b"r")
        assert before is None or (state.verified_at is not None and state.verified_at >= before)
        if through < ordinal:
            assert state.verified_at == before
        seen.append(state.verified_at)
    assert [each for each in seen if each] == sorted(each for each in seen if each)


@pytest.mark.parametrize(
    ("state", "after_seconds", "said"),
    [
        (None, 0, (Source.NOBODY, "REPLICA_EMPTY")),
        (ReplicaState("361100-city"), 0, (Source.NOBODY, "REPLICA_EMPTY")),
        (heard(1, 1), 60, (Source.REPLICA, "")),
        (heard(1, 1), 61, (Source.NOBODY, "REPLICA_TOO_OLD")),
        (heard(1, 1).frozen(NOW, "shorter", "note"), 0, (Source.NOBODY, "REPLICA_FROZEN")),
    ],
)
def test_a_replica_answers_within_its_limit_only(
    state: ReplicaState | None, after_seconds: int, said: tuple[Source, str]
) -> None:
    assert replica_says(state, (), 60, NOW + timedelta(seconds=after_seconds)) == said


def test_the_first_fork_is_the_one_that_is_kept() -> None:
    frozen = heard(1, 1).frozen(NOW, "first", "a")
    assert frozen.frozen(NOW, "second", "b").frozen_cause == "first"


@pytest.mark.parametrize("text", ["", "361100", "city-361100", "361100-", "361100-City", "361100-a/b", "1-a"])
def test_a_registry_has_a_division_and_a_name(text: str) -> None:
    with pytest.raises(Fault, match="PEER_FILE_WRONG"):
        check_registry_id(text)
    assert check_registry_id("361100-city") == "361100-city"


def test_who_agreed_with_nobody_knows_nobody() -> None:
    with pytest.raises(Fault, match="FEDERATION_OFF"):
        Federation().of("361100-city")
    with pytest.raises(Fault, match="REGISTRY_UNKNOWN"):
        Federation("361100-city").of("361123-county")
