"""What may be entrusted, for how long, and how an entrustment stands."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from chassis.errors import Fault
from services.certs.domain.use_code import read_entrustment
from services.intake.domain.entrustment import (
    LONGEST,
    SCOPE_LIMIT,
    Entrustment,
    EntrustmentState,
    EntrustmentWish,
    Power,
    claims,
    pause_after,
    wish_violations,
)
from standards.identifiers import build_citizen_id, build_uscc

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
GRANTOR = "111", build_citizen_id("361123", date(1956, 5, 4), 12)
AGENT = "111", build_citizen_id("361123", date(1956, 5, 4), 78)
TYPES, ITEMS = {"type-1"}, {"item-1"}
WISH = EntrustmentWish(AGENT, ("type-1",), ("item-1",), (Power.PRESENT,), None, NOW + timedelta(days=30))
GIVEN = Entrustment("e1", "p1", "p1", GRANTOR, WISH, "a.b.c", NOW, NOW, recorded_at=NOW)


def wrong(**changed: object) -> dict[str, str]:
    found = wish_violations(replace(WISH, **changed), GRANTOR, TYPES, ITEMS, NOW)  # type: ignore[arg-type]
    return {each.field_path: each.reason.code for each in found}


def test_a_citizen_or_an_organisation_may_be_the_agent() -> None:
    assert wrong() == {}
    assert wrong(agent=("001", build_uscc("92", "361123", "MATB0001"))) == {}
    assert wrong(agent=GRANTOR) == {"agent.id_number": "AGENT_IS_GRANTOR"}
    assert wrong(agent=("414", "E00000001")) == {"agent.id_type": "FIELD_MALFORMED"}
    assert list(wrong(agent=("111", "1"))) == ["agent.id_number"]


@pytest.mark.parametrize(
    ("begins", "ends", "holds"),
    [
        (None, LONGEST, True),
        (None, LONGEST + timedelta(seconds=1), False),
        (None, timedelta(), False),
        (timedelta(days=2), timedelta(days=1), False),
        (timedelta(days=400), LONGEST + timedelta(days=400), True),
        (-timedelta(days=9), -timedelta(days=1), False),
    ],
)
def test_the_term_ends_after_it_begins_in_the_future_and_within_three_years(
    begins: timedelta | None, ends: timedelta, holds: bool
) -> None:
    found = wrong(valid_from=None if begins is None else NOW + begins, expires_at=NOW + ends)
    assert found == ({} if holds else {"valid_until": "ENTRUSTMENT_TERM"})


def test_the_scope_is_named_known_and_not_endless() -> None:
    assert wrong(type_codes=(), powers=()) == {"licence_types": "FIELD_REQUIRED", "powers": "FIELD_REQUIRED"}
    assert wrong(item_codes=("item-1", "item-2")) == {"items[1]": "ENTRUSTED_ITEM_UNKNOWN"}
    assert wrong(type_codes=("type-1",) * (SCOPE_LIMIT + 1)) == {"licence_types": "FIELD_TOO_LONG"}


def test_the_registry_reads_what_was_meant() -> None:
    read = read_entrustment(claims("e1", GRANTOR, WISH, NOW))
    assert (read.grantor, read.agent, read.type_codes, read.item_codes) == (
        GRANTOR,
        AGENT,
        ("type-1",),
        ("item-1",),
    )
    assert (read.valid_from, read.expires_at, [str(each) for each in read.powers]) == (
        NOW,
        WISH.expires_at,
        ["present"],
    )


def test_an_entrustment_is_pending_begins_ends_and_stays_revoked() -> None:
    assert replace(GIVEN, recorded_at=None).state(NOW) is EntrustmentState.PENDING
    later = replace(GIVEN, valid_from=NOW + timedelta(days=1))
    assert later.state(NOW) is EntrustmentState.NOT_BEGUN
    assert later.state(NOW + timedelta(days=1)) is EntrustmentState.IN_FORCE
    assert GIVEN.state(WISH.expires_at) is EntrustmentState.ENDED
    taken = GIVEN.revoked(NOW + timedelta(days=1))
    assert taken.state(WISH.expires_at) is EntrustmentState.REVOKED
    assert taken.revoked(WISH.expires_at) is taken
    assert "111" not in repr(GIVEN)


def test_one_the_registry_refused_never_comes_into_force() -> None:
    refused = replace(GIVEN, recorded_at=None).refused("ENTRUSTMENT_DIFFERS")
    assert refused.state(NOW) is EntrustmentState.REFUSED
    assert refused.revoked(NOW).state(NOW) is EntrustmentState.REVOKED
    assert GIVEN.refused("x") is GIVEN, "what it took over it did not refuse"


def test_hand_overs_come_seldomer_up_to_six_hours() -> None:
    minutes = [pause_after(tries) // timedelta(minutes=1) for tries in (0, 1, 2, 8, 9, 400)]
    assert minutes == [1, 2, 4, 256, 360, 360]


def test_it_is_to_its_agent_and_nobody_else() -> None:
    number = AGENT[1]
    assert GIVEN.is_to(("111", f" {number.lower()} "))
    assert not GIVEN.is_to(("001", number))
    assert not GIVEN.is_to(GRANTOR)


@pytest.mark.parametrize(
    ("items", "wanted", "holds"),
    [
        ((), ["item-1", "item-2"], True),
        (("item-1",), ["item-1"], True),
        (("item-1",), ["item-1", "item-2"], False),
    ],
)
def test_a_power_holds_for_every_item_asked_for(
    items: tuple[str, ...], wanted: list[str], holds: bool
) -> None:
    given = replace(GIVEN, wish=replace(WISH, item_codes=items, powers=(Power.APPLY,)))
    with nullcontext() if holds else pytest.raises(Fault, match="ENTRUSTMENT_NOT_COVERING"):
        given.require_power(Power.APPLY, wanted, NOW)
    with pytest.raises(Fault, match="ENTRUSTMENT_NOT_COVERING"):
        given.require_power(Power.ISSUE_USE_CODE, [], NOW)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (replace(GIVEN, recorded_at=None), "pending"),
        (GIVEN.revoked(NOW), "revoked"),
        (replace(GIVEN, valid_from=NOW + timedelta(1)), "not_begun"),
        (replace(GIVEN, wish=replace(WISH, expires_at=NOW)), "ended"),
        (replace(GIVEN, recorded_at=None, refusal="X"), "refused"),
    ],
)
def test_out_of_force_no_power_holds_and_the_refusal_says_how_it_stands(
    given: Entrustment, state: str
) -> None:
    with pytest.raises(Fault, match="ENTRUSTMENT_NOT_IN_FORCE") as refused:
        given.require_power(Power.PRESENT, [], NOW)
    assert refused.value.metadata["state"] == state
