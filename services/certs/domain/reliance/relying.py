"""What counts as relying on a licence, and whom a fall touches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from services.certs.domain.reliance.falling import Fall
from services.certs.domain.reliance.flag import Flag
from services.certs.domain.usage import ALLOWED, Usage, UsageKind

RELYING = frozenset(
    {
        UsageKind.READ,
        UsageKind.DOCUMENT,
        UsageKind.CONSUME,
        UsageKind.SCAN,
        UsageKind.ANSWER,
        UsageKind.COPY,
        UsageKind.PREVIEW,
        UsageKind.STATUS,
    }
)
"""Uses that give a licence's data or an answer. What was only found has not been relied on yet."""


@dataclass(frozen=True, slots=True)
class Relied:
    """That a department relied on a version of a licence for an item of a case."""

    licence_id: str
    licence_version: int
    consumer_code: str
    case_id: str
    item_code: str
    used_at: datetime


def relies(usage: Usage) -> bool:
    """Say whether a department relied on the licence by this use: it got something of it, for a case.

    A signed YES or NO states something of the licence, a plain "none states this" and an UNKNOWN do not.
    """
    return (
        usage.outcome == ALLOWED
        and usage.is_relied_on
        and usage.kind in RELYING
        and usage.reader.is_department
        and bool(usage.licence_id and usage.purpose.case_id)
    )


def flags_of(
    fall: Fall,
    relied: Iterable[Relied],
    told: Collection[tuple[str, str]],
    new_id: Callable[[], str],
    now: datetime,
) -> list[Flag]:
    """Return a flag for every department and case that relied on what fell and has not been told of it.

    ``told`` are the pairs of department and case that have a flag of this fall.
    """
    found: dict[tuple[str, str], list[Relied]] = {}
    for each in relied:
        pair = (each.consumer_code, each.case_id)
        if each.licence_id == fall.licence_id and each.licence_version < fall.version and pair not in told:
            found.setdefault(pair, []).append(each)
    return [_flag(fall, uses, new_id(), now) for uses in found.values()]


def _flag(fall: Fall, uses: list[Relied], flag_id: str, now: datetime) -> Flag:
    return Flag(
        flag_id,
        fall,
        uses[0].consumer_code,
        uses[0].case_id,
        tuple(sorted({each.item_code for each in uses if each.item_code})),
        max(each.licence_version for each in uses),
        max(each.used_at for each in uses),
        now,
    )
