"""What follows a use: who relied on a licence, who disputes it. Within one open transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.certs.domain.dispute import Dispute, DisputeKind, Step
from services.certs.domain.reliance import Fall, Flag, Relied
from services.certs.domain.usage import Usage

Place = tuple[datetime, str]
"""Where a page ends: a moment and an id."""


@dataclass(frozen=True, slots=True)
class DepartmentReliance:
    """How many cases of a department relied on a licence, and how many flags wait for its answer."""

    consumer_code: str
    consumer_name: str
    cases: int
    unanswered: int


class Reliances(Protocol):
    """Who relied on what. Uses and falls enter where they are stored; the rest is done here."""

    async def claim_falls(self, limit: int) -> list[Fall]:
        """Lock and return falls that were not told everywhere, oldest first; those on which nobody relied are settled."""

    async def relied_on(self, fall: Fall, limit: int) -> list[Relied]:
        """Return the uses of up to ``limit`` pairs of department and case that have no flag of the fall."""

    async def add_flags(self, flags: Sequence[Flag]) -> set[str]:
        """Store flags; return the ids of those that are the first of their department, case and fall."""

    async def end_fall(self, fall: Fall, now: datetime) -> None:
        """Note that everybody has been told of a fall."""

    async def lock_flag(self, flag_id: str) -> Flag | None:
        """Return a flag and hold its row. Raises ROW_ALTERED."""

    async def save_answer(self, flag: Flag) -> None:
        """Store a flag's answer."""

    async def flags_of(
        self, consumer_code: str, case_id: str, before: Place | None, limit: int, *, open_only: bool
    ) -> list[Flag]:
        """Return a department's flags, newest first. Raises ROW_ALTERED."""

    async def counts(self, licence_id: str) -> list[DepartmentReliance]:
        """Return who relied on a licence, by department."""


Person = tuple[str, str]
"""Kind of number and number of a holder."""


class Disputes(Protocol):
    """Disputes with their steps; the holder only as a blind index, the statement encrypted."""

    async def add(self, dispute: Dispute, holder: Person, step: Step) -> bool:
        """Store a new dispute with its first step; False if the same is in dispute already."""

    async def save(self, dispute: Dispute, step: Step) -> None:
        """Store a dispute after an act, and the act."""

    async def lock(self, dispute_id: str) -> Dispute | None:
        """Return a dispute and hold its row. Raises ROW_ALTERED."""

    async def held_by(self, dispute_id: str, holder: Person) -> bool:
        """Say whether a dispute is this holder's."""

    async def steps(self, dispute_id: str) -> list[Step]:
        """Return the steps of a dispute, oldest first. Raises ROW_ALTERED."""

    async def of_issuer(
        self, issuer_code: str, licence_id: str, before: Place | None, limit: int, *, open_only: bool
    ) -> list[Dispute]:
        """Return an issuer's disputes, newest first, without statements. Raises ROW_ALTERED."""

    async def of_holder(self, holder: Person, before: Place | None, limit: int) -> list[Dispute]:
        """Return a holder's disputes, newest first. Raises ROW_ALTERED."""

    async def use_of(self, usage_id: str, licence_id: str) -> str | None:
        """Return the consumer of a use of a licence; None for no such use."""

    async def used_when_held(self, usage_id: str, licence_id: str, holder: Person) -> bool:
        """Say whether a use of a licence is on record as of this holder's."""

    async def open_about(self, usage_ids: Sequence[str]) -> dict[str, str]:
        """Return the open disputes about uses, by use."""

    async def everybodys_steps(self, licence_id: str) -> list[list[Step]]:
        """Return the steps of every dispute that ever froze a licence for everybody. Raises ROW_ALTERED."""


@dataclass(frozen=True, slots=True)
class HeldUse:
    """A use as its holder reads it: with the type's name and the fields that were given."""

    usage: Usage
    licence_type_name: str
    face_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UseFilter:
    """Which uses a holder asks for; empty and None mean any."""

    licence_id: str = ""
    used_from: datetime | None = None
    used_before: datetime | None = None


class HeldUses(Protocol):
    """The usage record as holders read it."""

    async def page(
        self, holder: Person, wanted: UseFilter, before: Place | None, limit: int
    ) -> list[HeldUse]:
        """Return the uses of a holder's licences, newest first. Raises ROW_ALTERED."""


@dataclass(frozen=True, slots=True)
class Recourse:
    """All of it."""

    reliances: Reliances
    disputes: Disputes
    uses: HeldUses


class Deadlines(Protocol):
    """Counts working days."""

    def due(self, opened_at: datetime, kind: DisputeKind) -> date | None:
        """Return the last day for a decision; None while the calendar of that year is not loaded."""
