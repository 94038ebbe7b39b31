"""The clock as an argument: a callable that returns the present as an aware UTC time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

Clock = Callable[[], datetime]

CHINA_TIME = timezone(timedelta(hours=8), "UTC+08:00")
"""Chinese standard time; terms and calendar days are counted in it, storage stays UTC."""


def system_clock() -> datetime:
    """Return the present of this machine, aware, in UTC."""
    return datetime.now(UTC)


def china_day(moment: datetime) -> str:
    """Return the calendar day in China of an aware moment, as ``YYYY-MM-DD``."""
    return moment.astimezone(CHINA_TIME).date().isoformat()
