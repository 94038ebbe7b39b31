"""Supervision 电子监察: the card of a part, recomputable from its dates and the calendar version."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from chassis.errors import Fault
from services.intake.domain.cases.deadlines import china_date
from services.intake.domain.cases.part import Part
from services.intake.domain.catalogue.items import AlarmRule
from standards.working_days import CALENDAR_YEAR_NOT_LOADED, WorkingCalendar


class Card(StrEnum):
    """How pressing a part is: blue soon due, yellow due today or promise missed, red statutory limit missed."""

    NONE = "none"
    BLUE = "blue"
    YELLOW = "yellow"
    RED = "red"


def card(part: Part, now: datetime, calendar: WorkingCalendar, rule: AlarmRule | None = None) -> Card:
    """Return the card of a part now, or as of its decision; none while a deadline is pending.

    Blue: at most ``blue_working_days``, or that share of the promised limit, are left.
    """
    alarm = rule or AlarmRule()
    if part.promised is None or part.promised.due is None:
        return Card.NONE
    today = china_date(part.decided_at or now)
    if part.statutory is not None and part.statutory.due is not None and today > part.statutory.due:
        return Card.RED
    if today > part.promised.due or (today == part.promised.due and part.decided_at is None):
        return Card.YELLOW
    if part.decided_at is not None:
        return Card.NONE
    left = _left(today, part.promised.due, calendar)
    share = part.promised.term.length * alarm.blue_share_percent // 100
    return Card.BLUE if left is not None and left <= max(alarm.blue_working_days, share) else Card.NONE


def _left(today: date, due: date, calendar: WorkingCalendar) -> int | None:
    try:
        return calendar.count(today, due)
    except Fault as fault:
        if fault.reason is CALENDAR_YEAR_NOT_LOADED:
            return None
        raise
