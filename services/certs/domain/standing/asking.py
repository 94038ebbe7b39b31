"""Of which moment a question is, and as known when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Kind, Violation, declare

AT_AHEAD = declare(
    "AT_AHEAD", Kind.INVALID_ARGUMENT, "时间不能晚于当前时间", "The moment lies ahead; nothing is known of it"
)


@dataclass(frozen=True, slots=True)
class Moments:
    """The moment asked about, and the moment whose knowledge counts; ``is_now`` where none was named."""

    at: datetime
    known_at: datetime
    is_now: bool


def moments_of(
    at: datetime | None, known_at: datetime | None, now: datetime
) -> tuple[Moments, list[Violation]]:
    """Return what is asked, an absent moment as now, and what is wrong with it."""
    wrong = [
        AT_AHEAD.at(name) for name, given in (("at", at), ("known_at", known_at)) if given and given > now
    ]
    return Moments(at or now, known_at or now, at is None and known_at is None), wrong
