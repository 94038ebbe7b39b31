"""What entrusting needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Literal, Protocol

from services.intake.domain.entrustment import Entrustment, Holder
from services.intake.usecases.identity.ports import IdentityWork

Place = tuple[datetime, str]
Role = Literal["", "given", "received"]
"""Of a person in an entrustment; empty for either."""


class EntrustmentStore(Protocol):
    """The entrustments."""

    async def add(self, entrustment: Entrustment) -> Entrustment:
        """Store a new one and return it; the one that has its id already is returned instead."""
        ...

    async def load(self, entrustment_id: str) -> Entrustment | None:
        """Return one, or None; nobody else changes it until the transaction ends."""
        ...

    async def read(self, entrustment_id: str) -> Entrustment | None:
        """Return one as it stands, or None."""
        ...

    async def save(self, entrustment: Entrustment) -> None:
        """Store since when the registry knows it or why it does not, and since when it is taken back."""
        ...

    async def of(
        self,
        holder: Holder,
        person_id: str,
        before: Place | None,
        limit: int,
        role: Role = "",
        in_force_at: datetime | None = None,
    ) -> list[Entrustment]:
        """Return those a person gave or got, or one of both, newest first; with a moment those in force then."""
        ...

    async def take_waiting(self, now: datetime, limit: int) -> list[Entrustment]:
        """Return some that the registry does not know yet and whose time has come, each for one caller."""
        ...


class EntrustmentWork(IdentityWork, Protocol):
    """One open transaction."""

    @property
    def entrustments(self) -> EntrustmentStore:
        """The entrustments."""
        ...


class EntrustmentRegistry(Protocol):
    """The licence registry (certs)."""

    async def record(self, statement: str, request_id: str) -> None:
        """Have the registry act on a signed entrustment; again is no change."""
        ...

    async def revoke(self, entrustment_id: str, grantor: Holder, reason: str, request_id: str) -> int:
        """Have it take one back, with the unused codes under it; return how many. One it never had: 0."""
        ...


OpenEntrustments = Callable[[], AbstractAsyncContextManager[EntrustmentWork]]
