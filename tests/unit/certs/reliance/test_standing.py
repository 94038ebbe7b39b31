"""Where a licence stood at T as known at K: the same as if the question had been asked then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.certs.domain.dispute import DisputeAct, Grounds, Step
from services.certs.domain.life.history import Line
from services.certs.domain.standing import Moments, SealStanding, claims_of, moments_of, tell
from services.certs.domain.status import REQUESTABLE, TRANSITIONS, LicenceStatus
from services.certs.domain.usage import Reader

START = datetime(2026, 1, 1, tzinfo=UTC)
S = LicenceStatus
SAID = Grounds("z1", "核查", "规则")


def hour(n: int) -> datetime:
    return START + timedelta(hours=n)


@st.composite
def histories(draw) -> list[Line]:
    """Acts as an issuer orders them: recorded one after another, some counting from before."""
    lines = [Line(0, None, S.VALID, "enter", hour(0), hour(0))]
    now = 0
    for version in range(1, draw(st.integers(0, 8)) + 1):
        before = lines[-1].status
        allowed = [act for act in REQUESTABLE.values() if before in TRANSITIONS[act][0]]
        if not allowed:
            break
        act = draw(st.sampled_from(allowed))
        now += draw(st.integers(1, 5))
        effective = draw(st.integers(max(0, now - 6), now))
        lines.append(
            Line(version, before, TRANSITIONS[act][1], act, hour(effective), hour(now), None, "r", "b", "z")
        )
    return lines


@given(histories(), st.integers(0, 60), st.integers(0, 60))
def test_what_was_recorded_later_changes_no_answer_as_known_before(lines, at, known_at):
    moments = Moments(hour(at), hour(known_at), is_now=False)
    known_then = [line for line in lines if line.recorded_at <= hour(known_at)]
    told, then = tell("L1", lines, None, (), moments), tell("L1", known_then, None, (), moments)
    assert told == then
    if told.act is not None:
        assert told.act.status == told.status
        assert told.act.recorded_at <= hour(known_at)
        assert told.act.effective_at <= hour(at)
        assert told.act in told.history
    else:
        assert told.status is None
        assert told.history == ()


@given(histories())
def test_asked_now_the_answer_is_the_present_status(lines):
    moments = Moments(hour(1_000), hour(1_000), is_now=True)
    told = tell("L1", lines, None, (), moments)
    assert told.status is lines[-1].status
    assert told.act is not None
    assert told.act.version == lines[-1].version


def test_an_act_that_counts_from_before_it_was_recorded_is_told_by_what_was_known():
    lines = [
        Line(0, None, S.VALID, "enter", hour(0), hour(0)),
        Line(1, S.VALID, S.REVOKED, "revoke", hour(2), hour(9), None, "骗取", "撤决〔2026〕1号", "z1"),
    ]
    late = tell("L1", lines, None, (), Moments(hour(10), hour(10), is_now=False))
    assert late.status is S.REVOKED
    assert late.act is not None
    assert "第六十九条" in late.act.clause
    assert tell("L1", lines, None, (), Moments(hour(5), hour(8), is_now=False)).status is S.VALID


def test_a_term_that_was_over_then_is_told_without_a_sweep():
    lines = [Line(0, None, S.VALID, "enter", hour(0), hour(0))]
    at = datetime(2026, 3, 2, tzinfo=UTC)
    told = tell("L1", lines, date(2026, 3, 1), (), Moments(at, at, is_now=False))
    assert told.status is S.EXPIRED
    assert told.act is not None
    assert told.act.act == "expire"


def test_a_freeze_shows_in_the_history_and_the_status_stays_what_it_was():
    lines = [Line(0, None, S.VALID, "enter", hour(0), hour(0))]
    steps = [
        Step(1, DisputeAct.OPEN, hour(1), "holder", Grounds("", "", "")),
        Step(2, DisputeAct.FREEZE, hour(2), "department/A", SAID),
        Step(3, DisputeAct.REJECT, hour(5), "department/A", SAID),
    ]
    during = tell("L1", lines, None, [steps], Moments(hour(3), hour(9), is_now=False))
    assert (during.status, during.in_dispute) == (S.VALID, True)
    after = tell("L1", lines, None, [steps], Moments(hour(6), hour(9), is_now=False))
    assert (after.status, after.in_dispute) == (S.VALID, False)
    assert [each.act for each in after.history] == ["enter", "freeze", "unfreeze"]
    assert not tell("L1", lines, None, [steps], Moments(hour(3), hour(1), is_now=False)).in_dispute


def test_a_moment_ahead_is_refused_and_an_absent_one_is_now():
    moments, wrong = moments_of(None, None, START)
    assert (moments, wrong) == (Moments(START, START, is_now=True), [])
    _, wrong = moments_of(hour(1), hour(2), START)
    assert [each.field_path for each in wrong] == ["at", "known_at"]


def test_what_is_signed_names_no_reason_and_no_operator():
    lines = [Line(1, S.VALID, S.SUSPENDED, "suspend", hour(0), hour(0), None, "王某举报", "b", "李某")]
    told = tell("L1", lines, None, (), Moments(hour(1), hour(1), is_now=False))
    claims = str(claims_of(told, SealStanding("valid"), "u1", Reader("D", "D", True), hour(1)))
    assert "王某" not in claims
    assert "李某" not in claims
    assert "suspended" in claims
