from __future__ import annotations

from datetime import date, timedelta

import chinese_calendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from standards.working_days import CalendarYear, DayKind, Pause, Term, TermUnit, add_months

DAYS = st.dates(date(2025, 1, 1), date(2026, 9, 1))
TERMS = st.integers(0, 45)


def _pause(start, end):
    return Pause(date.fromisoformat(start), end and date.fromisoformat(end), "专家评审", "行政许可法 45")


def test_every_worked_deadline_comes_out(vectors, calendar):
    for case in vectors["deadlines"]:
        accepted = date.fromisoformat(case["accepted"])
        assert calendar.due(accepted, case["working_days"]).isoformat() == case["due"], case


def test_a_year_that_is_not_loaded_is_never_guessed(vectors, calendar):
    for case in vectors["deadlines_refused"]:
        with pytest.raises(Fault) as caught:
            calendar.due(date.fromisoformat(case["accepted"]), case["working_days"])
        assert caught.value.code == "CALENDAR_YEAR_NOT_LOADED"
        assert caught.value.metadata == {"year": "2027"}


def test_both_years_have_the_stated_number_of_working_days(vectors, calendar):
    for year, table in vectors["calendar"].items():
        first, last = date(int(year), 1, 1), date(int(year), 12, 31)
        working = calendar.count(first, last) + calendar.is_workday(first)
        assert working == table["working_days_in_year"]


def test_every_day_agrees_with_an_independent_package(calendar):
    day = date(2025, 1, 1)
    while day <= calendar.last_day:
        assert calendar.is_workday(day) == chinese_calendar.is_workday(day), day
        day += timedelta(days=1)


@given(DAYS, TERMS)
def test_a_due_day_is_a_working_day_with_exactly_the_term_between(calendar, accepted, term):
    due = calendar.due(accepted, term)
    assert calendar.count(accepted, due) == term
    assert calendar.count(due, accepted) == -term
    if term:
        assert calendar.is_workday(due)


@given(DAYS, TERMS)
def test_a_longer_term_or_a_later_start_never_ends_earlier(calendar, accepted, term):
    assert calendar.due(accepted, term) < calendar.due(accepted, term + 1)
    assert calendar.due(accepted, term) <= calendar.due(accepted + timedelta(days=1), term)


@given(DAYS, st.integers(1, 30), st.integers(0, 20), st.integers(0, 10))
def test_a_pause_moves_the_deadline_by_exactly_its_working_days(calendar, accepted, term, offset, length):
    started = accepted + timedelta(days=offset)
    pause = Pause(started, started + timedelta(days=length))
    due = calendar.due(accepted, term, [pause])
    assert calendar.count(accepted, due, [pause]) == term
    plain = calendar.due(accepted, term)
    stopped = calendar.count(accepted, due) - term
    assert due >= plain
    assert stopped == (calendar.count(pause.started_on, pause.resumed_on) if pause.started_on < plain else 0)


def test_the_day_of_the_stop_counts_and_the_day_of_the_resumption_does_not(calendar):
    accepted = date(2026, 3, 2)
    assert calendar.due(accepted, 5) == date(2026, 3, 9)
    assert calendar.due(accepted, 5, [_pause("2026-03-04", "2026-03-06")]) == date(2026, 3, 11)
    assert calendar.due(accepted, 5, [_pause("2026-03-04", "2026-03-04")]) == date(2026, 3, 9)


def test_while_the_clock_stands_there_is_no_deadline_unless_it_was_reached_before(calendar):
    accepted = date(2026, 3, 2)
    with pytest.raises(Fault) as caught:
        calendar.due(accepted, 5, [_pause("2026-03-04", None)])
    assert caught.value.code == "TERM_PAUSED"
    assert calendar.due(accepted, 5, [_pause("2026-03-09", None)]) == date(2026, 3, 9)


def test_an_explained_deadline_says_of_every_day_why_it_counts(calendar):
    told = calendar.explain(date(2026, 2, 12), 4, [_pause("2026-02-24", "2026-02-25")])
    kinds = {line.day.isoformat(): line.kind for line in told.days}
    assert kinds["2026-02-14"] is DayKind.MAKE_UP_WORKDAY
    assert kinds["2026-02-15"] is DayKind.WEEKEND
    assert kinds["2026-02-17"] is DayKind.HOLIDAY
    assert kinds["2026-02-25"] is DayKind.PAUSED
    assert told.days[-1].counted == 4 == told.working_days
    assert told.due_on == told.days[-1].day
    assert told.calendar_version == "2025:1+2026:1"


def test_other_units_run_through_and_move_to_the_next_working_day(calendar):
    assert calendar.end_of(date(2026, 2, 10), Term(7, TermUnit.DAY)) == date(2026, 2, 24)
    assert calendar.end_of(date(2026, 8, 31), Term(1, TermUnit.MONTH)) == date(2026, 9, 30)
    assert calendar.end_of(date(2025, 2, 28), Term(1, TermUnit.YEAR)) == date(2026, 2, 28)
    assert calendar.end_of(date(2026, 2, 10), Term(5)) == date(2026, 2, 24)
    stopped = calendar.end_of(date(2026, 3, 2), Term(3, TermUnit.DAY), [_pause("2026-03-03", "2026-03-05")])
    assert stopped == date(2026, 3, 9)
    with pytest.raises(Fault):
        calendar.end_of(date(2026, 3, 2), Term(9, TermUnit.DAY), [_pause("2026-03-03", None)])


@pytest.mark.parametrize("unit", list(TermUnit))
def test_no_term_is_negative(calendar, unit):
    with pytest.raises(Fault) as caught:
        calendar.end_of(date(2026, 3, 2), Term(-1, unit))
    assert caught.value.code == "TERM_MALFORMED"


def test_a_month_ends_on_the_corresponding_day_or_the_last_of_the_month():
    assert add_months(date(2026, 1, 31), 1) == date(2026, 2, 28)
    assert add_months(date(2024, 2, 29), 12) == date(2025, 2, 28)
    assert add_months(date(2026, 11, 15), 2) == date(2027, 1, 15)


def test_the_unit_codes_are_those_of_the_national_exchange():
    assert {unit.value: unit.code for unit in TermUnit} == {
        "day": "0",
        "working_day": "1",
        "month": "2",
        "year": "3",
    }


def test_a_notice_that_contradicts_the_calendar_says_so():
    wrong = CalendarYear(
        2026, "1", "x", frozenset({date(2026, 2, 15), date(2025, 1, 1)}), frozenset({date(2026, 2, 16)})
    )
    assert wrong.mistakes() == (
        "2025-01-01 is not in 2026",
        "2026-02-15 is a weekend anyway",
        "2026-02-16 is a weekday anyway",
    )
