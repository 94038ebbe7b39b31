"""Compares, for one day, what the four services say of the same acts (对账).

Events in flight are tolerated: nothing younger than the settle time is judged.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cli.operations.places import Places
from cli.operations.reconciling.facts import Report, Window
from cli.operations.reconciling.reading import read_day
from cli.operations.reconciling.rules import judge

COUNTRY = ZoneInfo("Asia/Shanghai")
"""A day is a day in China."""


def window_of(day: date, now: datetime, settle: timedelta) -> Window:
    """Return the moments of a day that can be judged now."""
    start = datetime.combine(day, time.min, COUNTRY).astimezone(UTC)
    end = datetime.combine(day + timedelta(days=1), time.min, COUNTRY).astimezone(UTC)
    return Window(day, start, max(start, min(end, now - settle)))


async def reconcile(
    places: Places, day: date, now: datetime, settle: timedelta, seal_keys: Path | None
) -> Report:
    """Return everything in which the services differ about a day.

    With the seal service's keyring each sealed document is opened and its signature compared too.
    Raises PEER_UNAVAILABLE, KEYRING_MALFORMED.
    """
    window = window_of(day, now, settle)
    return judge(await read_day(places, window, now, seal_keys))
