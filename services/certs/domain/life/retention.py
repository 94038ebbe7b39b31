"""How long a fallen licence keeps its personal data, and what is left of it afterwards (PIPL 19, 47).

What stays: ids, codes, status, dates, times, the acts, the use record. What goes: holders, number,
face, earlier contents, the indexes they are found by, and the documents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.life.inspection import months_after
from services.certs.domain.life.rules import RETENTION_YEARS, life_rules

NOBODY = Holder("", "", "")
"""The holder of a licence whose personal data were erased."""


@dataclass(frozen=True, slots=True)
class Term:
    """Types that keep the data of a fallen licence equally long; no codes stand for all other types."""

    years: int
    type_codes: tuple[str, ...]
    fell_before: datetime


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure: what is kept of it as proof. ``documents`` are digests of files that are to go."""

    licence_id: str
    fell_at: datetime
    keep_years: int
    erased_at: datetime
    documents: tuple[str, ...]
    documents_removed_at: datetime | None = None


def terms(types: Mapping[str, LicenceType], now: datetime) -> list[Term]:
    """Return the terms of all types, each with the moment before which a licence must have fallen."""
    by_years: dict[int, list[str]] = defaultdict(list)
    for code, kind in types.items():
        by_years[life_rules(kind).retention_years].append(code)
    found = [Term(years, tuple(sorted(codes)), _before(now, years)) for years, codes in by_years.items()]
    return [*found, Term(RETENTION_YEARS, (), _before(now, RETENTION_YEARS))]


def skeleton(licence: Licence) -> Licence:
    """Return what is left of a licence: nothing that says whose it was or what it said."""
    return replace(
        licence,
        identifier="",
        number="",
        holders=(NOBODY,),
        face={},
        quality_flags=(),
        version=licence.version + 1,
    )


def _before(now: datetime, years: int) -> datetime:
    day = months_after(now.astimezone(UTC).date(), -12 * years)
    return datetime.combine(day, now.astimezone(UTC).timetz())
