"""Annual inspection (年检): when it is due, what became of it. A result changes no status by itself."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.clock import china_day
from chassis.errors import FIELD_MALFORMED, Kind, Violation, declare
from services.certs.domain.life.history import day_start, term_over_at
from services.certs.domain.life.rules import LifeRules

INSPECTION_NOT_FOUND = declare(
    "INSPECTION_NOT_FOUND",
    Kind.FAILED_PRECONDITION,
    "该证照没有待办的年检",
    "No inspection of this licence is open",
)


class InspectionState(StrEnum):
    """Where an inspection stands."""

    SCHEDULED = "scheduled"
    DUE = "due"
    OVERDUE = "overdue"
    PASSED = "passed"
    FAILED = "failed"
    VOID = "void"


OPEN = frozenset(
    {InspectionState.SCHEDULED, InspectionState.DUE, InspectionState.OVERDUE, InspectionState.FAILED}
)
"""States in which a result can be recorded; after a failure, that of the next look (复检)."""
RESULTS = frozenset({InspectionState.PASSED, InspectionState.FAILED})


@dataclass(frozen=True, slots=True)
class Inspection:
    """One inspection of a licence, whatever its version: the cycle counts from 1 since the first issue."""

    lineage_id: str
    cycle: int
    licence_id: str
    type_code: str
    issuer_code: str
    opens_at: datetime
    due_by: datetime
    state: InspectionState
    settled_at: datetime | None = None
    order_id: str = ""

    @property
    def due_date(self) -> str:
        """The last day in China, ``YYYY-MM-DD``."""
        return china_day(self.due_by - timedelta(microseconds=1))


def months_after(first: date, months: int) -> date:
    """Return the same day so many months later, or the last one of a shorter month."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))


def window(first: date, rules: LifeRules, cycle: int) -> tuple[datetime, datetime]:
    """Return when the inspection of a cycle is announced and the moment at which its last day is over."""
    last = months_after(first, rules.inspection_months * cycle)
    return day_start(last - timedelta(days=rules.inspection_notice_days)), term_over_at(last)


def first_cycle(first: date, rules: LifeRules, today: date) -> int:
    """Return the cycle whose last day is the next one; what lay before the registry knew is not asked for."""
    cycle = 1
    while months_after(first, rules.inspection_months * cycle) < today:
        cycle += 1
    return cycle


def following(inspection: Inspection, first: date, rules: LifeRules) -> Inspection:
    """Return the inspection after one that was passed."""
    opens_at, due_by = window(first, rules, inspection.cycle + 1)
    return replace(
        inspection,
        cycle=inspection.cycle + 1,
        opens_at=opens_at,
        due_by=due_by,
        state=InspectionState.SCHEDULED,
        settled_at=None,
        order_id="",
    )


def moved_on(inspection: Inspection, now: datetime) -> InspectionState:
    """Return the state that time alone has brought an inspection to."""
    waiting = inspection.state in {InspectionState.SCHEDULED, InspectionState.DUE, InspectionState.FAILED}
    if waiting and now >= inspection.due_by:
        return InspectionState.OVERDUE
    if inspection.state is InspectionState.SCHEDULED and now >= inspection.opens_at:
        return InspectionState.DUE
    return inspection.state


def result_violations(result: InspectionState | None, cycle: int) -> list[Violation]:
    """Return the wrong fields of a result."""
    found = [] if result in RESULTS else [FIELD_MALFORMED.at("result")]
    return found if cycle >= 0 else [*found, FIELD_MALFORMED.at("cycle")]
