"""P16: a year of deadlines and cards comes out the same again, whatever clock, zone or order; per calendar version."""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from services.intake.catalogue_files import load_catalogue
from services.intake.domain.cases.deadlines import PartDeadline, china_date, deadline, deemed_accepted
from services.intake.domain.cases.part import Decision, Part, Signature
from services.intake.domain.cases.plan import plan_case
from services.intake.domain.supervision import Card, card
from standards.working_days import CalendarYear, WorkingCalendar

pytestmark = [pytest.mark.promise("P16")]
CATALOGUE = load_catalogue(Path(__file__).parents[3] / "catalogue")
BUNDLE = CATALOGUE.bundles["open-restaurant"]
ITEMS = plan_case(
    CATALOGUE,
    "bundle",
    "open-restaurant",
    "361123",
    {each.question_id: each.answers[0].value for each in BUNDLE.questions},
).items
CASES = 500
FIRST = CATALOGUE.calendar
YEARS = dict(FIRST.years)
AMENDED = WorkingCalendar(
    {
        **YEARS,
        2026: CalendarYear(
            2026,
            "2026.2",
            "an amended notice, invented",
            YEARS[2026].weekdays_off | {date(2026, 6, 22), date(2026, 9, 28)},
            YEARS[2026].weekend_workdays | {date(2026, 6, 27)},
        ),
    }
)
NEXT = WorkingCalendar(
    {
        **YEARS,
        2027: CalendarYear(
            2027, "2027.1", "invented", frozenset({date(2027, 1, 1), date(2027, 2, 8)}), frozenset()
        ),
    }
)
CALENDARS = {each.version: each for each in (FIRST, AMENDED, NEXT)}


def year_of_cases(seed: int) -> list[Part]:
    """Parts handed in at any second of 2026, many of them around midnight in China, some decided."""
    chance, found = random.Random(seed), list[Part]()
    for number in range(CASES):
        part = Part(f"part-{number}", chance.choice(ITEMS))
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(363 * 86_400))
        if number % 3 == 0:
            moment = moment.replace(hour=15, minute=59, second=59) + timedelta(seconds=chance.randint(-1, 2))
        part.submit(f"no-{number}", moment)
        found.append(part)
    return found


def lived(parts: list[Part], seed: int, calendar: WorkingCalendar) -> str:
    """Accept, decide and look at each part; return the digest of every deadline and card there was."""
    chance, lines = random.Random(seed), list[str]()
    for part in parts:
        assert part.received_at
        silent = deemed_accepted(part.received_at, part.received_at + timedelta(days=20), calendar)
        part.accept(part.received_at + timedelta(hours=chance.randrange(1, 60)), calendar, deemed=silent)
        looks = sorted(chance.randrange(0, 40 * 24) for _ in range(6))
        decided_after = chance.randrange(0, 80 * 24)
        for hours in looks:
            now = part.received_at + timedelta(hours=hours)
            if part.decided_at is None and decided_after <= hours:
                decide(part, part.received_at + timedelta(hours=decided_after))
            lines.append(f"{part.part_id} {hours} {card(part, now, calendar)}")
        lines += [f"{each.due} {each.calendar_pending} {each.calendar_version}" for each in terms(part)]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def decide(part: Part, now: datetime) -> None:
    for number in range(part.item.signatures_required):
        if not part.state.decided:
            part.sign(Signature(f"S{number}", Decision.APPROVE, "", now))


def terms(part: Part) -> list[PartDeadline]:
    return [each for each in (part.promised, part.statutory) if each is not None]


@pytest.fixture
def another_zone() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("version", sorted(CALENDARS))
@pytest.mark.usefixtures("another_zone")
def test_a_year_recomputed_under_a_shifted_clock_and_zone_is_the_same(
    version: str, seeds: range, record_property: Any
) -> None:
    calendar = CALENDARS[version]
    for seed in seeds:
        with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False):
            first = lived(year_of_cases(seed), seed, calendar)
        with time_machine.travel(datetime(2031, 7, 9, 23, 59, 59, tzinfo=UTC), tick=False):
            assert lived(year_of_cases(seed), seed, calendar) == first
            rebuilt = WorkingCalendar(dict(reversed(calendar.years.items())))
            assert lived(year_of_cases(seed), seed, rebuilt) == first
        others = {lived(year_of_cases(seed), seed, each) for each in CALENDARS.values()}
        assert len(others) == len(CALENDARS)  # a digest that never changed would prove nothing
    record_property("measured", f"{CASES} cases a year, 3 calendar versions, 0 differences")


def test_every_stored_deadline_is_found_again_from_its_dates_and_its_calendar_version() -> None:
    for calendar in CALENDARS.values():
        parts = year_of_cases(7)
        lived(parts, 7, calendar)
        for part in parts:
            assert part.accepted_at
            for term in terms(part):
                again = deadline(CALENDARS[term.calendar_version], part.accepted_at, term.term)
                assert again == term


def test_an_amended_calendar_moves_only_terms_that_run_over_the_amended_days() -> None:
    changed = {date(2026, 6, 22), date(2026, 6, 27), date(2026, 9, 28)}
    moved = 0
    for part in year_of_cases(11):
        assert part.received_at
        for term in (part.item.promised, part.item.statutory):
            first, second = (deadline(each, part.received_at, term) for each in (FIRST, AMENDED))
            if first.due is None or second.due is None:
                assert first.due is second.due is None
                continue
            start, end = china_date(part.received_at), max(first.due, second.due)
            if not any(start < day <= end for day in changed):
                assert first.due == second.due
            moved += first.due != second.due
    assert moved > 10


def test_what_waited_for_a_year_is_what_it_would_have_been_had_the_year_been_there() -> None:
    waited = 0
    for part, other in zip(year_of_cases(5), year_of_cases(5), strict=True):
        assert part.received_at
        part.accept(part.received_at, FIRST)
        other.accept(other.received_at, NEXT)
        pending = [each.calendar_pending for each in terms(part)]
        if any(pending):
            waited += 1
            assert card(part, part.received_at, FIRST) is Card.NONE or not pending[0]
            assert part.load_calendar(NEXT)
            assert terms(part) == terms(other)
        else:
            assert [each.due for each in terms(part)] == [each.due for each in terms(other)]
    assert waited > 5
