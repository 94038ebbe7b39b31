"""Gauges of intake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from chassis.clock import CHINA_TIME
from chassis.db import Transaction
from chassis.measuring import Measure
from chassis.telemetry import gauge

CALENDAR_DAYS_LEFT = gauge(
    "calendar_days_left", "Days until the loaded working-day calendars end", known=False
)


def calendar(last_day: Callable[[], date]) -> Measure:
    """Return the measure of how far the working-day calendar reaches."""

    async def measure(tx: Transaction) -> None:
        CALENDAR_DAYS_LEFT.set((last_day() - tx.now().astimezone(CHINA_TIME).date()).days)

    return measure
