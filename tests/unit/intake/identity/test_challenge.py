from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.intake.domain.identity.challenge import (
    CODE_NOT_ACCEPTED,
    FAILURE_WINDOW,
    FAILURES_THAT_LOCK,
    LIFETIME,
    LOCK_OUT,
    MAX_SENDS,
    MAX_TRIES,
    RESEND_AFTER,
    RESEND_TOO_SOON,
    ChallengeState,
    locked_until,
    new_challenge,
)

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SESSION = "0198d3a5-0000-7000-8000-000000000001"


def challenge_at(start: datetime = START):
    return new_challenge(SESSION, "KIOSK-361123-01", start)


def test_a_code_is_accepted_once() -> None:
    challenge = challenge_at()
    assert challenge.answer(START, right=True)
    assert not challenge.answer(START, right=True)
    assert challenge.state is ChallengeState.USED


def test_a_code_is_refused_at_the_moment_it_expires() -> None:
    assert challenge_at().answer(START + LIFETIME - timedelta(microseconds=1), right=True)
    assert not challenge_at().answer(START + LIFETIME, right=True)


def test_the_fifth_wrong_try_locks_the_challenge_for_the_right_code_too() -> None:
    challenge = challenge_at()
    for _ in range(MAX_TRIES):
        assert not challenge.answer(START, right=False)
    assert challenge.state is ChallengeState.LOCKED
    assert challenge.failed_at == START
    assert not challenge.answer(START, right=True)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=30))
def test_whatever_is_tried_at_most_one_answer_is_accepted_and_five_are_wrong(
    tries: list[tuple[bool, int]],
) -> None:
    challenge, now, accepted = challenge_at(), START, 0
    for right, seconds in tries:
        now += timedelta(seconds=seconds)
        took = challenge.answer(now, right=right)
        accepted += took
        assert not took or (right and now < challenge.expires_at)
    assert accepted <= 1
    assert challenge.wrong_tries <= MAX_TRIES
    assert (challenge.state is ChallengeState.LOCKED) == (challenge.wrong_tries == MAX_TRIES)
    assert (challenge.failed_at is not None) == (challenge.state is ChallengeState.LOCKED)


@given(st.lists(st.integers(0, 130), max_size=12))
def test_the_code_is_sent_at_most_once_a_minute_and_three_times_in_all(waits: list[int]) -> None:
    challenge, now, sent = challenge_at(), START, [START]
    for seconds in waits:
        now += timedelta(seconds=seconds)
        allowed = (
            challenge.waits(now) and challenge.sends < MAX_SENDS and now - challenge.sent_at >= RESEND_AFTER
        )
        if allowed:
            challenge.resend(now)
            sent.append(now)
        else:
            with pytest.raises(Fault, match=f"{RESEND_TOO_SOON.code}|{CODE_NOT_ACCEPTED.code}"):
                challenge.resend(now)
    assert len(sent) <= MAX_SENDS
    assert all(after - before >= RESEND_AFTER for before, after in itertools.pairwise(sent))
    assert all(moment < challenge.expires_at for moment in sent)


def test_a_resend_too_soon_says_how_long_to_wait() -> None:
    with pytest.raises(Fault) as caught:
        challenge_at().resend(START + timedelta(seconds=20))
    assert caught.value.reason is RESEND_TOO_SOON
    assert caught.value.retry_after_seconds == 40


def test_five_failures_within_half_an_hour_lock_the_log_in_for_half_an_hour() -> None:
    failures = [START + timedelta(minutes=6 * number) for number in range(FAILURES_THAT_LOCK)]
    last = failures[-1]
    assert locked_until(failures, last) == last + LOCK_OUT
    assert locked_until(failures, last + LOCK_OUT) is None
    assert locked_until(failures[:-1], last) is None


def test_five_failures_spread_over_more_than_half_an_hour_lock_nothing() -> None:
    failures = [START + timedelta(minutes=8 * number) for number in range(FAILURES_THAT_LOCK)]
    assert locked_until(failures, failures[-1]) is None


@given(st.lists(st.integers(0, 7_200), max_size=12), st.integers(0, 10_000))
def test_a_lock_is_always_explained_by_five_failures_within_the_window(
    seconds: list[int], later: int
) -> None:
    failures = [START + timedelta(seconds=each) for each in seconds]
    now = START + timedelta(seconds=later)
    until = locked_until(failures, now)
    explained = [
        each
        for each in failures
        if sum(each - FAILURE_WINDOW <= other <= each for other in failures) >= FAILURES_THAT_LOCK
    ]
    assert until == (max(explained) + LOCK_OUT if explained and max(explained) + LOCK_OUT > now else None)
