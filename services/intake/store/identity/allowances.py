"""Allowances counted in PostgreSQL, keys as keyed hashes."""

from __future__ import annotations

from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.limits import Budget, RateLimits
from services.intake.usecases.identity.ports import Allowance


class CountedAllowances:
    """The port ``Limits``; each try is its own transaction, so that a failed one counts."""

    def __init__(self, database: Database, cipher: FieldCipher) -> None:
        self._limits = RateLimits(database, cipher.blind_index("hash key", field="rate_window.key"))

    async def check(self, allowance: Allowance, key: str) -> None:
        """Take one try. Raises TOO_MANY_REQUESTS, PEER_UNAVAILABLE."""
        await self._limits.check(Budget(allowance.name, allowance.amount, allowance.per_seconds), key)

    async def forget_expired(self) -> int:
        """Delete windows in which nothing counts any more; return how many."""
        return await self._limits.forget_expired()
