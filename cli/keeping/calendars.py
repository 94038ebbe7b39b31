"""Working-day calendars as an operator sees them: how far they reach, and whether a new year's file is sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from chassis.errors import Kind, declare, refuse
from cli.commands.deadline import CALENDAR_FILE_WRONG
from standards.working_days import CalendarYear, WorkingCalendar

LEAST_DAYS_LEFT = 90
"""The notice comes in October or November; with less than this left somebody must look for it."""
_YEAR = TypeAdapter(CalendarYear)
_WORKDAYS = range(246, 254)
_MOST_DAYS_OFF, _MOST_MAKE_UP_DAYS = 25, 12
"""From 2008 to 2026 every year had 248 to 251 working days, 16 to 23 weekdays off, 5 to 12 make-up days."""

CALENDAR_YEAR_WITHOUT_NOTICE = declare(
    "CALENDAR_YEAR_WITHOUT_NOTICE",
    Kind.INVALID_ARGUMENT,
    "未写明放假通知名称或版本",
    "It names no notice, or no version",
)
CALENDAR_YEAR_IMPROBABLE = declare(
    "CALENDAR_YEAR_IMPROBABLE",
    Kind.INVALID_ARGUMENT,
    "{what}为 {count}，与历年放假安排不符",
    "{count} {what_en}: no year's notice was like that",
)


@dataclass(frozen=True, slots=True)
class YearFacts:
    """One loaded year in numbers."""

    year: int
    version: str
    notice: str
    working_days: int
    weekdays_off: int
    make_up_days: int


def facts(table: CalendarYear) -> YearFacts:
    """Return a year in numbers."""
    calendar = WorkingCalendar({table.year: table})
    first, days = date(table.year, 1, 1), (date(table.year + 1, 1, 1) - date(table.year, 1, 1)).days
    working = sum(calendar.is_workday(first + timedelta(days=number)) for number in range(days))
    return YearFacts(
        table.year, table.version, table.notice, working, len(table.weekdays_off), len(table.weekend_workdays)
    )


def days_left(calendar: WorkingCalendar, today: date) -> int:
    """Return how many days are left until the last loaded one; negative when it is over."""
    return (calendar.last_day - today).days


def read_year(path: Path) -> CalendarYear:
    """Return a new year's calendar. Raises INVALID_REQUEST naming everything that is wrong with it."""
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        table = _YEAR.validate_python(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as problem:
        raise CALENDAR_FILE_WRONG(detail=f"{path.name}: {type(problem).__name__}") from None
    except ValidationError as problem:
        refuse(
            [
                CALENDAR_FILE_WRONG.at(".".join(map(str, each["loc"])) or path.name, detail=each["msg"])
                for each in problem.errors(include_input=False)
            ]
        )
        raise
    refuse(_mistakes(table))
    return table


def place(path: Path, table: CalendarYear, catalogue: Path, loaded: Mapping[int, CalendarYear]) -> Path:
    """Have a checked file in the catalogue; the services take it over at their next start.

    Raises INVALID_REQUEST for a year that is loaded with another content under the same version.
    """
    known = loaded.get(table.year)
    if known is not None and known != table and known.version == table.version:
        refuse([CALENDAR_FILE_WRONG.at("version", detail=f"{table.version} is loaded with other days")])
    target = catalogue / "calendar" / f"{table.year}.yaml"
    fresh = target.with_name(f".{target.name}.fresh")
    fresh.write_bytes(path.read_bytes())
    fresh.replace(target)
    return target


def _mistakes(table: CalendarYear) -> list[Any]:
    found = [CALENDAR_FILE_WRONG.at("days", detail=each) for each in table.mistakes()]
    if not table.notice.strip() or not table.version.strip():
        found.append(CALENDAR_YEAR_WITHOUT_NOTICE.at("notice"))
    if found:
        return found
    counted = facts(table)
    limits = (
        (counted.working_days in _WORKDAYS, "工作日", "working days", counted.working_days),
        (0 < counted.weekdays_off <= _MOST_DAYS_OFF, "放假的工作日", "weekdays off", counted.weekdays_off),
        (counted.make_up_days <= _MOST_MAKE_UP_DAYS, "调休上班日", "make-up days", counted.make_up_days),
    )
    found += [
        CALENDAR_YEAR_IMPROBABLE.at("days", what=what, what_en=what_en, count=count)
        for fine, what, what_en, count in limits
        if not fine
    ]
    if date(table.year, 1, 1).weekday() < 5 and date(table.year, 1, 1) not in table.weekdays_off:
        found.append(CALENDAR_FILE_WRONG.at("weekdays_off", detail="1 January is not off"))
    return found
