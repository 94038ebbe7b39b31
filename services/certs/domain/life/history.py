"""What a licence's status was, at any time, as it was known at any time.

Two times stand beside every line: from when it counts (valid time) and when the registry learnt of it
(record time). A question names both: "what held at ``t``, by what was known at ``known_at``?". A line
that counts from before it was recorded rewrites what held in between, but not what was known then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from chassis.clock import CHINA_TIME
from services.certs.domain.life.order import STATUS_ASKED, LicenceOrder, OrderState
from services.certs.domain.status import TRANSITIONS, Act, LicenceStatus

FIRST = "enter"
"""The act of a history's first line: the licence entered the registry."""
IMPORT = "import"
"""The act of a line that an imported row brought."""
AHEAD = 1 << 62
"""Place of a line that has not been carried out: after everything that has."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a licence's history. ``version`` is that of the record after it.

    ``void_at`` is when an order that never took effect was withdrawn or lapsed.
    """

    version: int
    previous: LicenceStatus | None
    status: LicenceStatus
    act: str
    effective_at: datetime
    recorded_at: datetime
    void_at: datetime | None = None
    reason: str = ""
    basis_document: str = ""
    operator: str = ""
    second_person: str = ""
    changed_by: str = ""


@dataclass(frozen=True, slots=True)
class PastStatus:
    """The status of an imported record until another row replaced its content."""

    version: int
    status: LicenceStatus
    replaced_at: datetime


def state_at(lines: Iterable[Line], at: datetime, known_at: datetime) -> LicenceStatus | None:
    """Return the status that held at ``at`` by what was known at ``known_at``; None for no licence yet.

    Of the lines known and effective by then the one counts that took hold last: it took hold when it
    had both become effective and been recorded.
    """
    newest = line_at(lines, at, known_at)
    return newest.status if newest else None


def line_at(lines: Iterable[Line], at: datetime, known_at: datetime) -> Line | None:
    """Return the line on which the status at ``at`` rests, by what was known at ``known_at``."""
    known = [
        line
        for line in lines
        if line.recorded_at <= known_at
        and line.effective_at <= at
        and (line.void_at is None or line.void_at > known_at)
    ]
    return max(known, key=_took_hold, default=None)


def status_as_of(
    lines: Iterable[Line], valid_until: date | None, at: datetime, known_at: datetime
) -> LicenceStatus | None:
    """Return what `state_at` says, with a term that was over by then counted as over before any sweep."""
    status = state_at(lines, at, known_at)
    running = status in {LicenceStatus.VALID, LicenceStatus.SUSPENDED}
    if running and valid_until is not None and at >= term_over_at(valid_until):
        return LicenceStatus.EXPIRED
    return status


def replay(lines: Sequence[Line]) -> LicenceStatus | None:
    """Return the status after every line that was carried out, each from what the one before led to.

    Raises ValueError, naming the line, where a line does not follow from the one before.
    """
    status: LicenceStatus | None = None
    for line in lines:
        if line.version == AHEAD:
            continue
        follows = line.previous == status and _is_allowed(line)
        if not follows:
            message = f"version {line.version}: {line.act} from {line.previous} after {status}"
            raise ValueError(message)
        status = line.status
    return status


def compose(
    entered: Line, changes: Sequence[Line], pasts: Sequence[PastStatus], orders: Sequence[LicenceOrder]
) -> tuple[Line, ...]:
    """Return a licence's whole history, oldest first, out of what its tables say.

    ``entered`` holds the licence's present status and the time of its row; its own first status is
    told from what followed. ``changes`` are the recorded acts; ``pasts`` the contents that imports
    replaced; ``orders`` give a carried-out act the time at which it was ordered, and the plans.
    """
    by_version = {each.settled_version: each for each in orders if each.state is OrderState.DONE}
    acts = [_ordered(line, by_version.get(line.version)) for line in changes]
    known = sorted([*((each.version, each.status) for each in pasts), *_befores(acts)])
    first = known[0][1] if known else entered.status
    lines = [replace(entered, previous=None, status=first, version=0), *acts]
    for past in pasts:
        later = [status for version, status in known if version > past.version]
        status = later[0] if later else entered.status
        lines.append(Line(past.version + 1, past.status, status, IMPORT, past.replaced_at, past.replaced_at))
    return (*sorted(lines, key=lambda line: line.version), *map(_planned, filter(_never_done, orders)))


def term_over_at(valid_until: date) -> datetime:
    """Return the moment at which the last day of a term ends in China; of the calendar's last day, the last moment."""
    if valid_until == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return day_start(valid_until + timedelta(days=1))


def day_start(day: date) -> datetime:
    """Return the moment at which a day begins in China; of the calendar's first day, the first moment."""
    if day == date.min:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.combine(day, time(), CHINA_TIME).astimezone(UTC)


def _took_hold(line: Line) -> tuple[datetime, int]:
    return max(line.effective_at, line.recorded_at), line.version


def _is_allowed(line: Line) -> bool:
    if line.act in {FIRST, IMPORT}:
        return True
    allowed, following = TRANSITIONS[Act(line.act)]
    return line.previous in allowed and line.status == following


def _befores(acts: Sequence[Line]) -> list[tuple[int, LicenceStatus]]:
    """Return what each act says of the version before it."""
    return [(line.version - 1, line.previous) for line in acts if line.previous is not None]


def _ordered(line: Line, order: LicenceOrder | None) -> Line:
    if order is None:
        return line
    return replace(
        line,
        effective_at=order.effective_at,
        recorded_at=order.ordered_at,
        second_person=order.decision.second_person,
    )


def _never_done(order: LicenceOrder) -> bool:
    return order.act in STATUS_ASKED and order.state is not OrderState.DONE


def _planned(order: LicenceOrder) -> Line:
    said, void_at = order.decision, order.settled_at
    status = STATUS_ASKED[order.act]
    return Line(
        AHEAD,
        None,
        status,
        order.act.value,
        order.effective_at,
        order.ordered_at,
        void_at,
        said.reason,
        said.basis_document,
        said.operator,
        said.second_person,
        order.ordered_by,
    )
