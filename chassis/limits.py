"""Rate limits: named budgets over a moving window, one path for HTTP and gRPC.

Counts live in PostgreSQL, so a restart forgets nothing and all processes of a service share them.
Keys are stored as keyed hashes: whose they are cannot be read back.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from limits import RateLimitItemPerSecond
from limits.aio.storage import MovingWindowSupport, Storage
from limits.aio.strategies import MovingWindowRateLimiter

from chassis.db import Database, Transaction
from chassis.errors import TOO_MANY_REQUESTS, Fault
from chassis.telemetry import counter, gauge

MIN_HASH_KEY_BYTES = 16

LIMITS_V1 = (
    """
    CREATE TABLE rate_window (
        key text PRIMARY KEY,
        hits double precision[] NOT NULL,
        expires_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX rate_window_expires_at ON rate_window (expires_at)",
)
"""The table of windows; ``hits`` are times in seconds since the epoch, oldest first.

Of an aligned budget they are two numbers instead: when its window began, and how many were taken.
"""

LEFT_RATIO = gauge(
    "rate_limit_left_ratio", "Share of a budget that all callers share which is left", ("budget",)
)
REFUSALS = counter("rate_limit_refusals", "Tries refused because a budget is used up", ("budget",))

_ACQUIRE = """
INSERT INTO rate_window AS w (key, hits, expires_at)
SELECT $1, array_fill($2::float8, ARRAY[$3::int]), $4 WHERE $3 <= $5
ON CONFLICT (key) DO UPDATE SET
    hits = array(SELECT h FROM unnest(w.hits) AS h WHERE h > $6 ORDER BY h) || excluded.hits,
    expires_at = excluded.expires_at
WHERE (SELECT count(*) FROM unnest(w.hits) AS h WHERE h > $6) + $3 <= $5
RETURNING true
"""
_COUNT = """
INSERT INTO rate_window AS w (key, hits, expires_at)
VALUES ($1, array_fill($2::float8, ARRAY[$3::int]), $4)
ON CONFLICT (key) DO UPDATE SET
    hits = CASE WHEN w.expires_at > $5 THEN w.hits || excluded.hits ELSE excluded.hits END,
    expires_at = CASE WHEN w.expires_at > $5 THEN w.expires_at ELSE excluded.expires_at END
RETURNING cardinality(hits)
"""
_ACQUIRE_ALIGNED = """
INSERT INTO rate_window AS w (key, hits, expires_at)
SELECT $1, ARRAY[$2::float8, $3::float8], $4 WHERE $3::int <= $5
ON CONFLICT (key) DO UPDATE SET
    hits = CASE WHEN w.hits[1] < $2 THEN excluded.hits ELSE ARRAY[w.hits[1], w.hits[2] + $3] END,
    expires_at = greatest(w.expires_at, excluded.expires_at)
WHERE w.hits[1] < $2 OR w.hits[2] + $3 <= $5
RETURNING hits[2]
"""
_FORGET = "DELETE FROM rate_window WHERE expires_at <= $1 RETURNING 1"


@dataclass(frozen=True, slots=True)
class Budget:
    """So many units within a moving window, per key: ``Budget("otp_by_phone", 5, 3600)``."""

    name: str
    amount: int
    per_seconds: int
    aligned: bool = False
    """Count in windows that begin at multiples of their length: two numbers kept, for large amounts."""


class RateLimits:
    """Checks budgets; outside the command's transaction, so a refused or failed try still counts."""

    def __init__(self, database: Database, hash_key: bytes) -> None:
        if len(hash_key) < MIN_HASH_KEY_BYTES:
            message = f"the hash key of rate limits needs {MIN_HASH_KEY_BYTES} bytes"
            raise ValueError(message)
        self._database, self._hash_key = database, hash_key
        self._windows = MovingWindowRateLimiter(PostgresWindows(database))

    async def check(self, budget: Budget, key: str, *, cost: int = 1) -> None:
        """Take ``cost`` units of the key's budget.

        Raises TOO_MANY_REQUESTS with ``retry_after_seconds`` when it is used up, taking nothing, and
        PEER_UNAVAILABLE when it cannot be known (closed, not open).
        """
        if budget.aligned:
            await self.check_all([(budget, key)], cost=cost)
            return
        item, mark = self._item(budget), self._mark(budget, key)
        if await self._windows.hit(item, mark, cost=cost):
            return
        stats = await self._windows.get_window_stats(item, mark)
        raise _refused(budget, stats.reset_time - self._database.now().timestamp())

    async def check_all(self, wanted: Sequence[tuple[Budget, str]], *, cost: int = 1) -> None:
        """Take ``cost`` units of every budget, or nothing of any: one refusal uses up nothing elsewhere.

        Raises as `check` does, for the budget that is used up longest.
        """
        marks = sorted(((self._row(budget, key), budget) for budget, key in wanted), key=lambda each: each[0])
        refusals: list[Fault] = []
        async with self._database.transaction() as tx:  # rows in one order, so that nobody deadlocks
            for mark, budget in marks:
                if not await self._acquire(tx, mark, budget, cost):
                    refusals.append(_refused(budget, await self._wait(tx, mark, budget)))
            if refusals:
                raise max(refusals, key=lambda each: each.retry_after_seconds or 0.0)

    async def require_left(self, budget: Budget, key: str) -> None:
        """Do nothing while a budget of failures is not used up. Raises TOO_MANY_REQUESTS, taking nothing."""
        stats = await self._windows.get_window_stats(self._item(budget), self._mark(budget, key))
        if stats.remaining <= 0:
            raise _refused(budget, stats.reset_time - self._database.now().timestamp())

    async def _acquire(self, tx: Transaction, mark: str, budget: Budget, cost: int) -> bool:
        now = self._database.now()
        at = now.timestamp()
        if budget.aligned:
            began = at - at % budget.per_seconds
            until = datetime.fromtimestamp(began + budget.per_seconds, UTC)
            taken = await tx.fetchval(_ACQUIRE_ALIGNED, mark, began, cost, until, budget.amount)
            LEFT_RATIO.labels(budget.name).set(0 if taken is None else 1 - taken / budget.amount)
            return taken is not None
        until = now + timedelta(seconds=budget.per_seconds)
        started = at - budget.per_seconds
        return bool(await tx.fetchval(_ACQUIRE, mark, at, cost, until, budget.amount, started))

    async def _wait(self, tx: Transaction, mark: str, budget: Budget) -> float:
        at = self._database.now().timestamp()
        if budget.aligned:
            return budget.per_seconds - at % budget.per_seconds
        hits: list[float] = await tx.fetchval("SELECT hits FROM rate_window WHERE key = $1", mark) or []
        return (
            min((each for each in hits if each > at - budget.per_seconds), default=at)
            + budget.per_seconds
            - at
        )

    async def reset(self, budget: Budget, key: str) -> None:
        """Give the key its whole budget back, e.g. after a correct code."""
        await self._windows.clear(self._item(budget), self._mark(budget, key))

    async def forget_expired(self) -> int:
        """Delete windows in which nothing counts any more; return how many."""
        async with self._database.connection() as connection:
            return len(await connection.fetch(_FORGET, self._database.now()))

    def _row(self, budget: Budget, key: str) -> str:
        """Return the key of the row, which for a moving window is the one the library makes."""
        mark = self._mark(budget, key)
        return mark if budget.aligned else self._item(budget).key_for(mark)

    def _mark(self, budget: Budget, key: str) -> str:
        return hmac.new(self._hash_key, f"{budget.name}\0{key}".encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def _item(budget: Budget) -> RateLimitItemPerSecond:
        return RateLimitItemPerSecond(budget.amount, budget.per_seconds, namespace=budget.name)


def _refused(budget: Budget, wait_seconds: float) -> Fault:
    REFUSALS.labels(budget.name).inc()
    return TOO_MANY_REQUESTS(
        retry_after_seconds=min(max(1.0, wait_seconds), float(budget.per_seconds)), budget=budget.name
    )


class PostgresWindows(Storage, MovingWindowSupport):
    """Storage of the ``limits`` library in one table; each try is one statement under a row lock."""

    STORAGE_SCHEME = None

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """PEER_UNAVAILABLE is all that may be met."""
        return (Fault,)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take ``amount`` entries if the window of ``expiry`` seconds has room for them."""
        now = self._database.now()
        started = now.timestamp() - expiry
        until = now + timedelta(seconds=expiry)
        return bool(await self._value(_ACQUIRE, key, now.timestamp(), amount, until, limit, started))

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return the time of the oldest entry in the window and the number of entries."""
        del limit
        now = self._database.now().timestamp()
        hits: list[float] = await self._value("SELECT hits FROM rate_window WHERE key = $1", key) or []
        counting = [hit for hit in hits if hit > now - expiry]
        return min(counting, default=now), len(counting)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count in a fixed window that begins with its first entry; return the count."""
        now = self._database.now()
        return int(
            await self._value(_COUNT, key, now.timestamp(), amount, now + timedelta(seconds=expiry), now)
        )

    async def get(self, key: str) -> int:
        """Return the count of a fixed window."""
        sql = "SELECT cardinality(hits) FROM rate_window WHERE key = $1 AND expires_at > $2"
        return int(await self._value(sql, key, self._database.now()) or 0)

    async def get_expiry(self, key: str) -> float:
        """Return when the window ends, in seconds since the epoch; now if there is none."""
        ends_at = await self._value("SELECT expires_at FROM rate_window WHERE key = $1", key)
        return (ends_at if isinstance(ends_at, datetime) else datetime.now(UTC)).timestamp()

    async def check(self) -> bool:
        """Say whether the table can be reached."""
        try:
            return bool(await self._value("SELECT true FROM (SELECT count(*) FROM rate_window) AS reached"))
        except self.base_exceptions:
            return False

    async def reset(self) -> int | None:
        """Forget every window; return how many there were."""
        async with self._database.connection() as connection:
            return len(await connection.fetch("DELETE FROM rate_window RETURNING 1"))

    async def clear(self, key: str) -> None:
        """Forget one window."""
        await self._value("DELETE FROM rate_window WHERE key = $1", key)

    async def _value(self, query: str, *values: object) -> Any:
        async with self._database.connection() as connection:
            return await connection.fetchval(query, *values)
