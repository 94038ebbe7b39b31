from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from standards.working_days import CalendarYear, WorkingCalendar

VECTORS = Path(__file__).with_name("identifiers.json")


@pytest.fixture(scope="session")
def vectors():
    return json.loads(VECTORS.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def calendar(vectors):
    years = {
        int(year): CalendarYear(
            int(year),
            "1",
            "vectors",
            frozenset(map(date.fromisoformat, table["weekdays_off"])),
            frozenset(map(date.fromisoformat, table["weekend_workdays"])),
        )
        for year, table in vectors["calendar"].items()
    }
    return WorkingCalendar(years)
