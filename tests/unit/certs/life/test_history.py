"""Two times stand beside every line: what held then, and what was known then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.certs.domain.life.history import (
    AHEAD,
    FIRST,
    Line,
    PastStatus,
    compose,
    replay,
    state_at,
    status_as_of,
)
from services.certs.domain.life.order import Decision, LicenceOrder, OrderedAct, OrderState
from services.certs.domain.status import LicenceStatus as S

BEGAN = datetime(2026, 3, 9, 2, tzinfo=UTC)
DAY = timedelta(days=1)
WHO = Decision("原因", "决定书", "甲", "乙")


def at(day: float) -> datetime:
    return BEGAN + day * DAY


def line(version: int, previous: S | None, status: S, act: str, effective: float, recorded: float) -> Line:
    return Line(version, previous, status, act, at(effective), at(recorded))


ENTERED = line(0, None, S.VALID, FIRST, 0, 0)
days = st.integers(0, 40)


@st.composite
def histories(draw: st.DrawFn) -> list[Line]:
    """A history as the registry writes it: recorded in order, each line effective whenever its order says."""
    lines, status, recorded = [ENTERED], S.VALID, 0
    for version in range(1, draw(st.integers(0, 6)) + 1):
        recorded += draw(st.integers(1, 6))
        moves = {S.VALID: ("suspend", S.SUSPENDED), S.SUSPENDED: ("restore", S.VALID)}
        act, following = moves[status]
        lines.append(line(version, status, following, act, draw(st.integers(0, recorded)), recorded))
        status = following
    return lines


@given(histories(), days)
def test_what_was_known_at_a_time_is_not_changed_by_what_is_recorded_later(lines: list[Line], known: int):
    told = [each for each in lines if each.recorded_at <= at(known)]
    for moment in range(0, 45, 3):
        assert state_at(lines, at(moment), at(known)) == state_at(told, at(moment), at(known))


@given(histories())
def test_what_holds_now_by_what_is_known_now_is_what_the_replay_ends_with(lines: list[Line]):
    assert state_at(lines, at(60), at(60)) is replay(lines)


@given(histories(), days)
def test_a_line_rewrites_nothing_before_it_counts(lines: list[Line], moment: int):
    without = [each for each in lines if each.effective_at <= at(moment)]
    assert state_at(lines, at(moment), at(60)) == state_at(without, at(moment), at(60))


@given(histories(), days, days)
def test_nothing_is_known_before_it_was_recorded_nor_holds_before_it_began(
    lines: list[Line], early: int, late: int
):
    assert state_at(lines, at(late), at(-1 - early)) is None
    assert state_at(lines, at(-1 - early), at(late)) is None


def test_a_revocation_that_counts_from_before_a_suspension_covers_it():
    lines = [
        ENTERED,
        line(1, S.VALID, S.SUSPENDED, "suspend", 5, 5),
        line(2, S.SUSPENDED, S.REVOKED, "revoke", 3, 10),
    ]
    assert [state_at(lines, at(day), at(20)) for day in (2, 4, 6)] == [S.VALID, S.REVOKED, S.REVOKED]
    assert [state_at(lines, at(day), at(7)) for day in (2, 4, 6)] == [S.VALID, S.VALID, S.SUSPENDED]


def order(act: OrderedAct, effective: float, ordered: float, **changed: object) -> LicenceOrder:
    made = LicenceOrder("o", "l", act, WHO, at(effective), at(ordered), "department/x")
    return replace(made, **changed)  # type: ignore[arg-type]


def test_a_plan_counts_while_it_stands_and_not_after_it_was_taken_back():
    plan = order(OrderedAct.REVOKE, 10, 2, state=OrderState.WITHDRAWN, settled_at=at(4))
    lines = compose(ENTERED, [], [], [plan])
    assert lines[-1].version == AHEAD
    assert state_at(lines, at(12), at(3)) is S.REVOKED
    assert state_at(lines, at(12), at(5)) is S.VALID
    assert state_at(lines, at(12), at(1)) is S.VALID
    assert replay(lines) is S.VALID


def test_an_order_that_was_carried_out_is_known_since_it_was_given_and_by_whom():
    done = order(OrderedAct.SUSPEND, 10, 2, state=OrderState.DONE, settled_at=at(10), settled_version=4)
    (_, told) = compose(ENTERED, [line(4, S.VALID, S.SUSPENDED, "suspend", 10, 10.1)], [], [done])
    assert (told.recorded_at, told.second_person) == (at(2), "乙")


def test_what_imports_replaced_becomes_lines_of_its_own():
    present = replace(ENTERED, status=S.CANCELLED)
    pasts = [PastStatus(1, S.VALID, at(3)), PastStatus(4, S.VALID, at(9))]
    acts = [
        line(3, S.SUSPENDED, S.VALID, "restore", 6, 6),
    ]
    lines = compose(present, acts, pasts, [])
    assert [(each.version, each.status) for each in lines] == [
        (0, S.VALID),
        (2, S.SUSPENDED),
        (3, S.VALID),
        (5, S.CANCELLED),
    ]
    assert replay(lines) is S.CANCELLED


def test_a_line_that_does_not_follow_is_found_by_the_replay():
    with pytest.raises(ValueError, match="version 2"):
        replay([ENTERED, line(2, S.SUSPENDED, S.VALID, "restore", 1, 1)])


def test_a_term_that_is_over_needs_no_sweep():
    until = date(2026, 3, 12)
    assert status_as_of([ENTERED], until, datetime(2026, 3, 12, 15, 59, tzinfo=UTC), at(9)) is S.VALID
    assert status_as_of([ENTERED], until, datetime(2026, 3, 12, 16, tzinfo=UTC), at(9)) is S.EXPIRED
