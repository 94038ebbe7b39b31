"""PostgreSQL through asyncpg: one pool per process, one transaction per command or event.

The outbox row of a published event is written in the transaction that made it true.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from chassis.clock import Clock, system_clock
from chassis.errors import PEER_UNAVAILABLE
from chassis.event import Event

STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000
ACQUIRE_TIMEOUT_SECONDS = 5.0

_GONE = (
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)


class Transaction:
    """An open transaction. Statements run at once; events are written just before the commit."""

    def __init__(self, connection: asyncpg.Connection[Any], now: Clock) -> None:
        self.connection = connection
        self.now = now
        self.pending: list[tuple[Event, int]] = []
        self.afterwards: list[Callable[[], None]] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have a short call made once this transaction has committed, and not if it rolls back."""
        self.afterwards.append(call)

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave when, and only when, this transaction commits.

        ``version`` is the aggregate's version after the event: one step per event, under the
        aggregate's row lock or version check; the same version twice fails the commit.
        """
        self.pending.append((event, version))

    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Return all rows."""
        return await self.connection.fetch(query, *values)

    async def fetchrow(self, query: str, *values: object) -> asyncpg.Record | None:
        """Return the first row or None."""
        return await self.connection.fetchrow(query, *values)

    async def fetchval(self, query: str, *values: object) -> Any:
        """Return the first column of the first row or None."""
        return await self.connection.fetchval(query, *values)

    async def execute(self, query: str, *values: object) -> str:
        """Run one statement and return its command tag."""
        return await self.connection.execute(query, *values)

    async def executemany(self, query: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for each row of values."""
        await self.connection.executemany(query, rows)


OutboxWriter = Callable[[Transaction], Awaitable[None]]


class Database:
    """The pool of one service and the hooks around its transactions."""

    def __init__(self, pool: asyncpg.Pool[Any], now: Clock, write_events: OutboxWriter | None) -> None:
        self.pool = pool
        self.now = now
        self._write_events = write_events
        self.committed = asyncio.Event()
        """Set after each commit that published something; the relay's notifier clears it."""

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        now: Clock = system_clock,
        write_events: OutboxWriter | None = None,
        min_size: int = 1,
        max_size: int = 10,
    ) -> Database:
        """Open the pool. Session state is forbidden on it: the reset round trip is switched off."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=min_size,
            max_size=max_size,
            reset=_keep_session,
            server_settings={
                "jit": "off",
                "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                "lock_timeout": str(LOCK_TIMEOUT_MS),
                "timezone": "UTC",
            },
        )
        return cls(pool, now, write_events)

    async def close(self) -> None:
        """Close the pool after its running queries."""
        await self.pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; commit at the end of the block, roll back if it raises.

        Raises PEER_UNAVAILABLE when no connection is free in time or the server is gone.
        """
        connection = await self._acquire()
        try:
            async with connection.transaction():
                tx = Transaction(connection, self.now)  # type: ignore[arg-type]
                yield tx
                await self._flush(tx)
        except _GONE as problem:
            if isinstance(problem, ValueError):  # a wrong argument of a statement, not an outage
                raise
            raise PEER_UNAVAILABLE(peer="database") from problem
        finally:
            await self.pool.release(connection)
        if tx.pending:
            self.committed.set()
        for call in tx.afterwards:
            call()

    async def _acquire(self) -> asyncpg.pool.PoolConnectionProxy[Any]:
        try:
            return await self.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
        except (OSError, TimeoutError, asyncpg.TooManyConnectionsError, *_GONE) as problem:
            raise PEER_UNAVAILABLE(peer="database") from problem

    async def _flush(self, tx: Transaction) -> None:
        if not tx.pending:
            return
        if self._write_events is None:
            message = "this database was opened without an outbox"
            raise RuntimeError(message)
        await self._write_events(tx)


async def _keep_session(_: object) -> None:
    """Stand in for the pool's reset query; an open transaction is rolled back all the same."""
