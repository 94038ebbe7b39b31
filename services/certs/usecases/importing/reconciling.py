"""Compare what a source has with what the registry holds of it, by day of issue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.certs.domain.importing.canonical import (
    LICENCES_LIMIT,
    RANGE_TOO_LARGE,
    DayTotal,
    check_range,
    digest,
    totals,
)
from services.certs.usecases.import_ports import Sources

PAGE_ROWS = 500
"""Licences decrypted at a time: some 20 ms in which the process answers nobody else."""
_NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class Difference:
    """A day on which the two differ: in number, or, with equal numbers, in content."""

    day: date
    count: int
    registry_count: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The days of a range, told apart; days on which neither has anything are equal and left out."""

    equal: tuple[date, ...]
    differing: tuple[Difference, ...]


async def reconcile_source(
    sources: Sources,
    source_id: str,
    type_code: str,
    first: date | None,
    last: date | None,
    days: Sequence[DayTotal | None],
) -> Reconciled:
    """Return which days of a range are equal. A day that the source does not name has nothing there.

    Raises INVALID_REQUEST, RANGE_TOO_LARGE.
    """
    check_range(type_code, first, last, days)
    assert first is not None
    assert last is not None
    if await sources.count_of_days(source_id, type_code, first, last) > LICENCES_LIMIT:
        raise RANGE_TOO_LARGE(limit=LICENCES_LIMIT)
    ours = await _ours(sources, source_id, type_code, first, last)
    theirs = {each.day: each for each in days if each is not None}
    equal: list[date] = []
    differing: list[Difference] = []
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        nothing = DayTotal(day, 0, _NOTHING)
        said, held = theirs.get(day, nothing), ours.get(day, nothing)
        if said != held:
            differing.append(Difference(day, said.count, held.count))
        elif held.count:
            equal.append(day)
    return Reconciled(tuple(equal), tuple(differing))


async def _ours(
    sources: Sources, source_id: str, type_code: str, first: date, last: date
) -> dict[date, DayTotal]:
    digests: list[tuple[date, bytes]] = []
    after: tuple[date, str] | None = None
    while True:
        page = await sources.licences_of_days(source_id, type_code, (first, last), after, PAGE_ROWS)
        digests += [(each.issued_date, digest(each)) for each in page]
        if len(page) < PAGE_ROWS:
            return totals(digests)
        after = page[-1].issued_date, page[-1].licence_id
