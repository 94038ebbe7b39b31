"""Terms in working days: which days count, when a term ends, and why (行政许可法 82, 民法典 201-203).

The State Council names next year's holidays each autumn. A year whose notice is not loaded is an
error, never a guess: an authority's deadline must not rest on a projection.
"""

from __future__ import annotations

import calendar as month_lengths
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from chassis.errors import Kind, declare

CALENDAR_YEAR_NOT_LOADED = declare(
    "CALENDAR_YEAR_NOT_LOADED",
    Kind.FAILED_PRECONDITION,
    "{year} 年的放假安排尚未载入，不能推算期限",
    "The holiday notice of {year} is not loaded; no deadline is computed from a guess",
)
TERM_PAUSED = declare(
    "TERM_PAUSED",
    Kind.FAILED_PRECONDITION,
    "计时已暂停，恢复后才能确定截止日期",
    "The clock is stopped; the last day is known when it runs again",
)
TERM_MALFORMED = declare(
    "TERM_MALFORMED", Kind.INVALID_ARGUMENT, "期限必须为非负整数", "A term is a number of at least 0"
)

_ONE_DAY = timedelta(days=1)
_SATURDAY = 5


class DayKind(StrEnum):
    """Why a day counts or not."""

    WORKDAY = "workday"
    MAKE_UP_WORKDAY = "make_up_workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    PAUSED = "paused"

    @property
    def works(self) -> bool:
        """Whether authorities work on such a day."""
        return self in (DayKind.WORKDAY, DayKind.MAKE_UP_WORKDAY)


class TermUnit(StrEnum):
    """Unit of a term 时限单位; `code` is the national exchange value."""

    DAY = "day"
    WORKING_DAY = "working_day"
    MONTH = "month"
    YEAR = "year"

    @property
    def code(self) -> str:
        """0 天, 1 工作日, 2 月, 3 年."""
        return str(list(TermUnit).index(self))


@dataclass(frozen=True, slots=True)
class Term:
    """A length of time as the law states it, such as 20 working days."""

    length: int
    unit: TermUnit = TermUnit.WORKING_DAY


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """One year's holiday notice: weekdays off (放假) and weekend days that work (调休)."""

    year: int
    version: str
    notice: str
    weekdays_off: frozenset[date]
    weekend_workdays: frozenset[date]

    def mistakes(self) -> tuple[str, ...]:
        """Return what contradicts the calendar itself, in words; empty when sound."""
        days = self.weekdays_off | self.weekend_workdays
        found = [f"{day} is not in {self.year}" for day in sorted(days) if day.year != self.year]
        found += [f"{day} is a weekend anyway" for day in sorted(self.weekdays_off) if _weekend(day)]
        found += [f"{day} is a weekday anyway" for day in sorted(self.weekend_workdays) if not _weekend(day)]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Pause:
    """A stop of the clock (许可法 45): days after ``started_on`` up to and with ``resumed_on`` do not count.

    The first day still counts, counting goes on the day after the resumption; ``resumed_on`` is None
    while the clock stands. Reason and legal basis are kept so that a deadline can be explained.
    """

    started_on: date
    resumed_on: date | None
    reason: str = ""
    basis: str = ""

    def covers(self, day: date) -> bool:
        """Whether the day falls into the pause."""
        return self.started_on < day and (self.resumed_on is None or day <= self.resumed_on)


@dataclass(frozen=True, slots=True)
class CountedDay:
    """One line of an explained deadline: the day, why it counts or not, how many have counted so far."""

    day: date
    kind: DayKind
    counted: int


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last day of a term with every day that led to it and the calendar it was computed on."""

    started_on: date
    working_days: int
    due_on: date
    calendar_version: str
    days: tuple[CountedDay, ...]


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """Working-day calendar 工作日历 over the years that are loaded."""

    years: Mapping[int, CalendarYear]

    @property
    def version(self) -> str:
        """Names every loaded year and its version; stored with each computed deadline."""
        return "+".join(f"{year}:{self.years[year].version}" for year in sorted(self.years))

    @property
    def last_day(self) -> date:
        """The last day that can be computed with; ops alarms before it comes near."""
        return date(max(self.years), 12, 31)

    def kind(self, day: date) -> DayKind:
        """Return why a day works or not; raises CALENDAR_YEAR_NOT_LOADED."""
        table = self.years.get(day.year)
        if table is None:
            raise CALENDAR_YEAR_NOT_LOADED(year=day.year)
        if day in table.weekdays_off:
            return DayKind.HOLIDAY
        if day in table.weekend_workdays:
            return DayKind.MAKE_UP_WORKDAY
        return DayKind.WEEKEND if _weekend(day) else DayKind.WORKDAY

    def is_workday(self, day: date) -> bool:
        """Whether authorities work on the day; raises CALENDAR_YEAR_NOT_LOADED."""
        return self.kind(day).works

    def next_workday(self, day: date) -> date:
        """Return the day itself when it works, else the first working day after it (民法典 203)."""
        while not self.is_workday(day):
            day += _ONE_DAY
        return day

    def count(self, after: date, until: date, pauses: Iterable[Pause] = ()) -> int:
        """Return the working days after ``after`` up to and with ``until``, without paused ones.

        Negative when ``until`` lies before ``after``: working days by which a term is overdue.
        """
        if until < after:
            return -self.count(until, after, pauses)
        stops = tuple(pauses)
        days = _days_after(after, (until - after).days)
        return sum(1 for day in days if not _paused(day, stops) and self.is_workday(day))

    def due(self, started_on: date, working_days: int, pauses: Iterable[Pause] = ()) -> date:
        """Return the last day of a term; the starting day is not counted (民法典 201)."""
        return self.explain(started_on, working_days, pauses).due_on

    def explain(self, started_on: date, working_days: int, pauses: Iterable[Pause] = ()) -> Deadline:
        """Return the last day of a term and each day on the way to it.

        Raises CALENDAR_YEAR_NOT_LOADED, TERM_MALFORMED, and TERM_PAUSED when a pause without an end
        is reached before the term is over.
        """
        if working_days < 0:
            raise TERM_MALFORMED()
        stops, day, counted, days = tuple(pauses), started_on, 0, list[CountedDay]()
        while counted < working_days:
            day += _ONE_DAY
            if any(stop.resumed_on is None and stop.covers(day) for stop in stops):
                raise TERM_PAUSED()
            kind = DayKind.PAUSED if _paused(day, stops) else self.kind(day)
            counted += kind.works
            days.append(CountedDay(day, kind, counted))
        return Deadline(started_on, working_days, day, self.version, tuple(days))

    def end_of(self, started_on: date, term: Term, pauses: Iterable[Pause] = ()) -> date:
        """Return the last day of a term in any unit.

        Working days as in `due`; calendar days, months and years run through and move to the next
        working day when they end on a day off (民法典 202, 203). Pauses push the end back by their
        days; they must not overlap.
        """
        if term.length < 0:
            raise TERM_MALFORMED()
        if term.unit is TermUnit.WORKING_DAY:
            return self.due(started_on, term.length, pauses)
        end = _plain_end(started_on, term)
        for stop in sorted(pauses, key=lambda pause: pause.started_on):
            if stop.started_on >= end:
                break
            if stop.resumed_on is None:
                raise TERM_PAUSED()
            end += stop.resumed_on - stop.started_on
        return self.next_workday(end)


def _plain_end(start: date, term: Term) -> date:
    if term.unit is TermUnit.DAY:
        return start + timedelta(days=term.length)
    return add_months(start, term.length * (12 if term.unit is TermUnit.YEAR else 1))


def add_months(day: date, months: int) -> date:
    """Return the corresponding day of a later month, or that month's last day (民法典 202)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = month_lengths.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def _weekend(day: date) -> bool:
    return day.weekday() >= _SATURDAY


def _paused(day: date, pauses: tuple[Pause, ...]) -> bool:
    return any(pause.covers(day) for pause in pauses)


def _days_after(day: date, number: int) -> Iterator[date]:
    return (day + timedelta(days=offset) for offset in range(1, number + 1))
