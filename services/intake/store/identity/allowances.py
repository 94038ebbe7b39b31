"""Allowances counted in PostgreSQL, keys as keyed hashes."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.limits import Budget, RateLimits
from services.intake.usecases.identity.ports import Allowance


class CountedAllowances:
    """The port ``Limits``; each try is its own transaction, so that a failed one counts."""

    def __init__(self, database: Database, cipher: FieldCipher) -> None:
        self._limits = RateLimits(database, cipher.blind_index("hash key", field="rate_window.key"))

    async def check(self, allowance: Allowance, key: str, *, cost: int = 1) -> None:
        """Take one try, or ``cost`` units. Raises TOO_MANY_REQUESTS, PEER_UNAVAILABLE."""
        await self._limits.check(_budget(allowance), key, cost=cost)

    async def check_all(self, wanted: Sequence[tuple[Allowance, str]]) -> None:
        """Take one try of each, or none of any. Raises TOO_MANY_REQUESTS, PEER_UNAVAILABLE."""
        await self._limits.check_all([(_budget(allowance), key) for allowance, key in wanted])

    async def require_left(self, allowance: Allowance, key: str) -> None:
        """Do nothing while an allowance has a try left. Raises TOO_MANY_REQUESTS, PEER_UNAVAILABLE."""
        await self._limits.require_left(_budget(allowance), key)

    async def forget_expired(self) -> int:
        """Delete windows in which nothing counts any more; return how many."""
        return await self._limits.forget_expired()


def _budget(allowance: Allowance) -> Budget:
    return Budget(allowance.name, allowance.amount, allowance.per_seconds, allowance.aligned)
