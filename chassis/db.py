"""PostgreSQL through asyncpg: one pool per process, one transaction per command or event.

The outbox row of a published event is written in the transaction that made it true.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

import asyncpg

from chassis.clock import Clock, system_clock
from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.event import Event
from chassis.failures import DATABASE_TROUBLE, is_outage
from chassis.messaging_metrics import EVENTS_COMMITTED
from chassis.process_metrics import (
    POOL_TIMEOUTS,
    POOL_WAIT_SECONDS,
    QUEUE_IN_USE,
    QUEUE_LIMIT,
    TRANSACTION_SECONDS,
)
from chassis.telemetry import step
from chassis.traceparent import current_traceparent

STATEMENT_TIMEOUT_MS = 15_000
LOCK_TIMEOUT_MS = 5_000
ANSWER_TIMEOUT_SECONDS = 20.0
"""After this a server that says nothing counts as gone: above its own statement timeout."""
ACQUIRE_TIMEOUT_SECONDS = 5.0
CLOSE_SECONDS = 3.0
RETRY_AFTER_SECONDS = 1.0


class Pending(NamedTuple):
    """An event that leaves with its transaction, in the trace that made it true."""

    event: Event
    version: int
    traceparent: str | None


class Transaction:
    """An open transaction. Statements run at once; events are written just before the commit."""

    def __init__(self, connection: asyncpg.Connection[Any], now: Clock) -> None:
        self.connection = connection
        self.now = now
        self.pending: list[Pending] = []
        self.afterwards: list[Callable[[], None]] = []
        self.instead: list[Callable[[Transaction], Awaitable[None]]] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have a short call made once this transaction has committed, and not if it rolls back."""
        self.afterwards.append(call)

    def if_refused(self, work: Callable[[Transaction], Awaitable[None]]) -> None:
        """Have work done in a transaction of its own if this one ends with a refusal: the record of it."""
        self.instead.append(work)

    def publish(self, event: Event, version: int) -> None:
        """Have an event leave when, and only when, this transaction commits.

        ``version`` is the aggregate's version after the event: one step per event, under the
        aggregate's row lock or version check; the same version twice fails the commit.
        """
        self.pending.append(Pending(event, version, current_traceparent()))

    def publish_many(self, events: Iterable[tuple[Event, int]]) -> None:
        """Have many events leave as `publish` does; all of them are of the trace of this moment."""
        traceparent = current_traceparent()
        self.pending += [Pending(event, version, traceparent) for event, version in events]

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
        """Open the pool. Session state is forbidden on it: the reset round trip is switched off.

        Raises PEER_UNAVAILABLE when the server does not answer.
        """
        try:
            pool = await asyncpg.create_pool(
                dsn,
                min_size=min_size,
                max_size=max_size,
                reset=keep_session,
                command_timeout=ANSWER_TIMEOUT_SECONDS,
                server_settings={
                    "jit": "off",
                    "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                    "lock_timeout": str(LOCK_TIMEOUT_MS),
                    "timezone": "UTC",
                },
            )
        except (OSError, TimeoutError, asyncpg.PostgresError) as problem:
            raise _unavailable() from problem
        return cls(pool, now, write_events)

    async def close(self) -> None:
        """Close the pool after its running queries; what is not given back in time is cut off."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.pool.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction; commit at the end of the block, roll back if it raises.

        Raises PEER_UNAVAILABLE when no connection is free in time, the server is gone, or it gave the
        transaction up for another's sake (deadlock, lock timeout): the same again may succeed.
        """
        tx: Transaction | None = None
        try:
            with step("transaction"):
                async with self._committing() as tx:
                    yield tx
        except Fault:
            for work in tx.instead if tx else ():
                async with self._committing() as after:
                    await work(after)
            raise
        assert tx is not None
        for event_type, count in Counter(pending.event.TYPE for pending in tx.pending).items():
            EVENTS_COMMITTED.labels(event_type).inc(count)
        if tx.pending:
            self.committed.set()
        for call in tx.afterwards:
            call()

    @asynccontextmanager
    async def statements(self) -> AsyncIterator[Transaction]:
        """Lend a connection on which each statement is a transaction of its own: no round trips to begin and commit.

        For work that is one statement, or reads and then writes in one. Nothing can leave with it: raises
        RuntimeError at the end for an event that was to. Raises PEER_UNAVAILABLE as `transaction` does.
        """
        with step("statements"):
            async with self.connection() as connection:
                tx = Transaction(connection, self.now)
                yield tx
        if tx.pending or tx.afterwards or tx.instead:
            message = "an event or an afterthought needs a transaction; this was none"
            raise RuntimeError(message)

    @asynccontextmanager
    async def _committing(self) -> AsyncIterator[Transaction]:
        async with self.connection() as connection:
            tx, began = Transaction(connection, self.now), time.perf_counter()
            try:
                await connection.execute("begin")
                yield tx
                await self._flush(tx)
                done = await connection.execute("commit")
            except BaseException:
                with suppress(*DATABASE_TROUBLE):  # the first problem counts; the pool drops the connection
                    await connection.execute("rollback")
                raise
            finally:
                TRANSACTION_SECONDS.observe(time.perf_counter() - began)
            if done != "COMMIT":  # what PostgreSQL answers, without an error, after a failed statement
                message = "rolled back: a failed statement was swallowed within the transaction"
                raise RuntimeError(message)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection[Any]]:
        """Lend a connection, each statement its own transaction. Raises PEER_UNAVAILABLE."""
        asked = time.perf_counter()
        try:
            connection = await self.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)
        except (OSError, *DATABASE_TROUBLE) as problem:
            POOL_TIMEOUTS.inc()
            raise _unavailable() from problem
        POOL_WAIT_SECONDS.observe(time.perf_counter() - asked)
        try:
            yield connection  # type: ignore[misc]  # the pool's proxy has all of it
        except Exception as problem:
            if isinstance(problem, Fault) or not is_outage(problem):
                raise
            raise _unavailable() from problem
        finally:
            with suppress(*DATABASE_TROUBLE):  # it is closed then, and what was committed stays so
                await self.pool.release(connection)

    def measure(self) -> None:
        """Set the gauges of the pool."""
        QUEUE_IN_USE.labels("database").set(self.pool.get_size() - self.pool.get_idle_size())
        QUEUE_LIMIT.labels("database").set(self.pool.get_max_size())

    async def _flush(self, tx: Transaction) -> None:
        if not tx.pending:
            return
        if self._write_events is None:
            message = "this database was opened without an outbox"
            raise RuntimeError(message)
        await self._write_events(tx)


async def connect_alone(dsn: str, name: str, *, answer_seconds: float) -> asyncpg.Connection[Any]:
    """Return a connection outside any pool: advisory locks and LISTEN are session state.

    ``name`` is what an operator sees in ``pg_stat_activity``. Raises what asyncpg raises.
    """
    return await asyncpg.connect(
        dsn,
        timeout=ACQUIRE_TIMEOUT_SECONDS,
        command_timeout=answer_seconds,
        server_settings={
            "application_name": name,
            "timezone": "UTC",
            "tcp_keepalives_idle": "5",  # a holder that vanished frees its lock in about 20 s
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    )


def _unavailable() -> Fault:
    return PEER_UNAVAILABLE(peer="database", retry_after_seconds=RETRY_AFTER_SECONDS)


async def keep_session(_: object) -> None:
    """Stand in for the pool's reset query; an open transaction is rolled back all the same."""
