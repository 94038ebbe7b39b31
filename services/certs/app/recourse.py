"""What follows a use, put together: its servicers, the recall, the deadlines of disputes, the watchdog's gauges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from chassis.clock import CHINA_TIME, Clock
from chassis.datafiles import read_tree
from chassis.db import Database, Transaction
from chassis.errors import Fault, Kind, declare
from chassis.event import new_event_id
from chassis.measuring import Measure
from chassis.run import Part
from chassis.service import Runtime
from chassis.telemetry import gauge
from chassis.worker import repeating
from services.certs.clients import SealStandings
from services.certs.domain.dispute import DisputeKind
from services.certs.rpc import Desk
from services.certs.rpc.recourse import RecourseDesk, StandingDesk, recourse_servicers
from services.certs.settings import CertsSettings
from services.certs.store.log import BookStore
from services.certs.store.standing import StateLeafStore
from services.certs.usecases.dispute import DisputeRules
from services.certs.usecases.ports import Registry
from services.certs.usecases.reliance import recall_fallen
from standards.working_days import CALENDAR_YEAR_NOT_LOADED, CalendarYear, WorkingCalendar

CALENDAR_MALFORMED = declare(
    "CALENDAR_MALFORMED",
    Kind.FAILED_PRECONDITION,
    "工作日历 {path} 有误",
    "The working-day calendar {path} is malformed",
)
UNANSWERED = gauge(
    "reliance_flags_unanswered", "Flagged reliances that departments left unanswered past the days allowed"
)
WAITING = gauge("licence_falls_waiting", "Falls of licences not told to everybody yet")
OVERDUE = gauge("disputes_overdue", "Open disputes past their last day")
FROZEN = gauge("disputes_freezing", "Disputes that have uses frozen")
_UNANSWERED = "select count(*) from reliance_flag where outcome is null and flagged_at < $1"
_WAITING = "select count(*) from licence_fall where spread_at is null"
_DISPUTES = """
select count(*) filter (where state in ('opened', 'checking') and due_on < $1) as overdue,
  count(*) filter (where frozen_at is not null) as frozen
from dispute where state in ('opened', 'checking') or frozen_at is not null
"""
Open = Callable[[Transaction], Registry]


@dataclass(frozen=True, slots=True)
class RecourseParts:
    """What reliance, disputes and standings add to the service."""

    servicers: tuple[tuple[Callable[[Any, Any], None], object], ...]
    workers: tuple[Part, ...]
    measure: Measure


class WorkingDays:
    """Deadlines of so many working days; implements the port Deadlines."""

    def __init__(self, calendar: WorkingCalendar, days: int) -> None:
        self._calendar, self._days = calendar, days

    def due(self, opened_at: datetime, kind: DisputeKind) -> date | None:
        """Return the last day; None while the holidays of its year are not announced."""
        del kind
        try:
            return self._calendar.due(opened_at.astimezone(CHINA_TIME).date(), self._days)
        except Fault as problem:
            if problem.reason is CALENDAR_YEAR_NOT_LOADED:
                return None
            raise


def recourse_parts(runtime: Runtime, desk: Desk) -> RecourseParts:
    """Return the parts. Raises CALENDAR_MALFORMED."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    deadlines = WorkingDays(read_calendar(settings.catalogue_dir), settings.dispute_working_days)
    standing = StandingDesk(SealStandings(runtime.peer("seal")), BookStore, StateLeafStore)
    parts = RecourseDesk(DisputeRules(deadlines, settings.dispute_freezes), standing)
    step = recall_step(runtime.database, desk.registry_of, runtime.clock)
    days = timedelta(days=settings.reliance_answer_days)
    return RecourseParts(
        tuple(recourse_servicers(desk, parts)),
        (repeating("recall", step, every_seconds=settings.recall_seconds),),
        watchdog(runtime.clock, days),
    )


def recall_step(database: Database, registry_of: Open, clock: Clock) -> Callable[[], Awaitable[bool]]:
    """Return the step that tells departments of falls; any number of processes may run it."""

    async def step() -> bool:
        async with database.transaction() as tx:
            return await recall_fallen(registry_of(tx), lambda: str(new_event_id()), clock())

    return step


def read_calendar(directory: Path) -> WorkingCalendar:
    """Return the working-day calendar of a catalogue. Raises CALENDAR_MALFORMED."""
    files = read_tree(directory).files
    years = [_year(path, found) for path, found in files.items() if path.startswith("calendar/")]
    return WorkingCalendar({year.year: year for year in years})


def _year(path: str, found: Any) -> CalendarYear:
    try:
        told: Mapping[str, Any] = dict(found)
        off, on = (
            frozenset(_day(each) for each in told[name]) for name in ("weekdays_off", "weekend_workdays")
        )
        year = CalendarYear(int(told["year"]), str(told["version"]), str(told["notice"]), off, on)
    except (KeyError, TypeError, ValueError) as problem:
        raise CALENDAR_MALFORMED(path=path) from problem
    if year.mistakes():
        raise CALENDAR_MALFORMED(path=path)
    return year


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def watchdog(clock: Clock, answer_within: timedelta) -> Measure:
    """Return the measure of what nobody has answered or decided in time, and of what waits."""

    async def measure(tx: Transaction) -> None:
        now = clock()
        UNANSWERED.set(await tx.fetchval(_UNANSWERED, now - answer_within))
        WAITING.set(await tx.fetchval(_WAITING))
        row = await tx.fetchrow(_DISPUTES, now.astimezone(CHINA_TIME).date())
        assert row is not None
        OVERDUE.set(row["overdue"])
        FROZEN.set(row["frozen"])

    return measure
