"""The life of a message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.message import MAX_ATTEMPTS, RETRY_AFTER, Message, MessageState, Outcome
from services.notify.domain.template import Category, Channel

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def message(**changes: object) -> Message:
    fields: dict[str, object] = {
        "message_id": uuid4(),
        "source_key": "event",
        "channel": Channel.SMS,
        "category": Category.NOTICE,
        "template_code": "case_closed",
        "template_version": 1,
        "language": "zh",
        "person_id": "p",
        "case_id": "c",
        "state": MessageState.CREATED,
        "attempts": 0,
        "created_at": NOW,
        "next_attempt_at": NOW,
        "expires_at": None,
    }
    return Message(**{**fields, **changes})


def test_a_taken_message_is_sent_and_never_due_again():
    sent = message().started(NOW).answered(Outcome.TAKEN, NOW)
    assert (sent.state, sent.next_attempt_at) == (MessageState.SENT, None)


def test_a_refusal_for_good_ends_at_once():
    assert message().started(NOW).answered(Outcome.REFUSED, NOW).state is MessageState.PERMANENT_FAILURE


def test_an_expired_message_is_not_started():
    late = message(expires_at=NOW).started(NOW)
    assert (late.state, late.attempts) == (MessageState.EXPIRED, 0)


def test_a_code_is_not_tried_again_after_it_expired():
    code = message(category=Category.CODE, expires_at=NOW + timedelta(seconds=4))
    assert code.started(NOW).answered(Outcome.REFUSED_FOR_NOW, NOW).state is MessageState.EXPIRED


@given(st.lists(st.sampled_from([Outcome.REFUSED_FOR_NOW, Outcome.UNKNOWN]), min_size=20, max_size=20))
def test_attempts_are_bounded_and_end_in_a_named_state(answers):
    current, at = message(), NOW
    for outcome in answers:
        if current.state.final:
            break
        assert current.next_attempt_at is not None
        at = max(at, current.next_attempt_at)
        current = current.started(at).answered(outcome, at)
    assert current.state is MessageState.TECHNICAL_FAILURE
    assert current.attempts == MAX_ATTEMPTS == len(RETRY_AFTER) + 1
