"""The two clocks of a part: what the department promised and what the law allows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from chassis.clock import CHINA_TIME
from chassis.errors import Fault
from standards.working_days import CALENDAR_YEAR_NOT_LOADED, Term, TermUnit, WorkingCalendar

DEEMED_ACCEPTANCE = Term(5, TermUnit.WORKING_DAY)
"""许可法 32 (4): not told within five days what is missing = accepted from the day of receipt."""


@dataclass(frozen=True, slots=True)
class PartDeadline:
    """A term with its last day; ``due`` is None before acceptance and while ``calendar_pending``."""

    term: Term
    due: date | None = None
    calendar_pending: bool = False
    calendar_version: str = ""


def deadline(calendar: WorkingCalendar, accepted_at: datetime, term: Term) -> PartDeadline:
    """Return when a term ends that starts on the day after acceptance (民法典 201).

    Pending, not guessed, when it reaches into a year whose holiday notice is not loaded.
    """
    due = _due(calendar, accepted_at, term)
    return PartDeadline(term, due, due is None, calendar.version)


def china_date(moment: datetime) -> date:
    """Return the calendar day in China, in which all terms are counted."""
    return moment.astimezone(CHINA_TIME).date()


def deemed_accepted(
    received_at: datetime, now: datetime, calendar: WorkingCalendar, term: Term = DEEMED_ACCEPTANCE
) -> bool:
    """Say whether the five working days after receipt are over; never while the calendar is not loaded."""
    due = _due(calendar, received_at, term)
    return due is not None and china_date(now) > due


def _due(calendar: WorkingCalendar, start: datetime, term: Term) -> date | None:
    try:
        return calendar.end_of(china_date(start), term)
    except Fault as fault:
        if fault.reason is CALENDAR_YEAR_NOT_LOADED:
            return None
        raise
