"""Connections to the database in memory, with the face of asyncpg's: the real ``Database`` works on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from chassis.db import Database, OutboxWriter
from tests.simulator.database.engine import Server, Session
from tests.simulator.database.statements import Answer, find
from tests.simulator.world import current

TROUBLES = (
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
    TimeoutError,
)
"""What a statement may meet although nothing is wrong with it."""


class Connection:
    """One session of the server; statements are known by their text, an unknown one fails the run."""

    def __init__(self, server: Server, name: str) -> None:
        self._server, self._name, self._world = server, name, server.world
        self._session: Session | None = None
        self._running: Session | None = None
        """The one that a statement works in, its own where no transaction is open."""
        self._failed = False
        self._lost = False
        self._when_lost: list[Callable[[Any], None]] = []
        server.connections.append(self)
        process = current.get()
        if process is not None:
            process.at_death.append(self.cut)

    async def fetch(self, query: str, *values: Any, timeout: float | None = None) -> list[Any]:
        """Return all rows."""
        del timeout
        answer = await self._ask(query, values)
        assert isinstance(answer, list), f"no rows: {query}"
        return answer

    async def fetchrow(self, query: str, *values: Any) -> Any:
        """Return the first row or None."""
        rows = await self.fetch(query, *values)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *values: Any) -> Any:
        """Return the first column of the first row or None."""
        row = await self.fetchrow(query, *values)
        return next(iter(row.values())) if row else None

    async def execute(self, query: str, *values: Any, timeout: float | None = None) -> str:
        """Run one statement and return its command tag."""
        del timeout
        if query in ("begin", "commit", "rollback"):
            return await getattr(self, f"_{query}")()
        answer = await self._ask(query, values)
        count = len(answer) if isinstance(answer, list) else answer
        verb = query.split(maxsplit=1)[0].upper()
        return f"INSERT 0 {count}" if verb == "INSERT" else f"{verb} {count}"

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Open a transaction for a block."""
        await self._begin()
        try:
            yield
        except BaseException:
            if not self._lost:
                await self._rollback()
            raise
        await self._commit()

    async def work(self, step: Callable[[Session], Any], *told: object) -> Any:
        """Run a step of a simulated store in the open transaction, with all that may befall a statement."""
        return await self._once(step, *told)

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """Hear what is notified from now on."""
        await self._way("listen")
        self._server.listeners.append((channel, self, callback))

    def add_termination_listener(self, callback: Callable[[Any], None]) -> None:
        """Hear of the end of this connection."""
        self._when_lost.append(callback)

    def is_closed(self) -> bool:
        """Say whether it is gone."""
        return self._lost

    def terminate(self) -> None:
        """End it from this side."""
        self.cut()

    def cut(self) -> None:
        """End it: the transaction is rolled back, session locks are free, listening is over."""
        if self._lost:
            return
        self._lost = True
        for session in (self._session, self._running):
            if session is not None and not session.ended:
                session.rollback()
        self._session = None
        server = self._server
        server.connections.remove(self)
        server.advisory = {key: owner for key, owner in server.advisory.items() if owner is not self}
        server.listeners = [each for each in server.listeners if each[1] is not self]
        process = current.get()
        for callback in self._when_lost:
            if process is None or not process.dead:
                callback(self)

    async def _begin(self) -> str:
        await self._way("begin")
        self._session, self._failed = Session(self._server, self), False
        return "BEGIN"

    async def _commit(self) -> str:
        await self._way("commit")
        session, self._session = self._session, None
        assert session is not None
        if self._failed:
            session.rollback()
            return "ROLLBACK"
        session.commit()
        self._world.note(self._server.name, "committed")
        if self._world.hits("commit_unknown"):
            self.cut()
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        await self._world.travel(self._server.name, "commit answered")
        return "COMMIT"

    async def _rollback(self) -> str:
        await self._way("rollback")
        if self._session is not None:
            self._session.rollback()
            self._session = None
        return "ROLLBACK"

    async def _ask(self, query: str, values: tuple[Any, ...]) -> Answer:
        statement = find(self._world, query)
        return await self._once(lambda session: statement.answer(session, *values), statement.name)

    async def _once(self, step: Callable[[Session], Any], *told: object) -> Any:
        await self._way(*told)
        if self._failed and self._session is not None:
            raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
        session = self._running = self._session or Session(self._server, self)
        try:
            self._meet_trouble()
            answer = await step(session)
        except asyncio.CancelledError:
            if self._session is None and not session.ended:
                session.rollback()
            raise
        except Exception:
            self._failed = True
            if self._session is None and not session.ended:
                session.rollback()
            raise
        finally:
            self._running = None
        if self._lost:  # while it waited for a lock
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        if self._session is None:
            session.commit()
        return answer

    def _meet_trouble(self) -> None:
        if self._world.hits("statement_fails"):
            raise self._world.chance.choice(TROUBLES)("injected")

    async def _way(self, *told: object) -> None:
        if self._lost:
            await self._world.travel(self._server.name, "connection is closed")
            raise asyncpg.InterfaceError("connection is closed")
        await self._world.travel(self._server.name, *told)
        if self._world.hits("connection_lost"):
            self.cut()
        if self._lost:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")


class Pool:
    """Lends connections, a few at a time."""

    def __init__(self, server: Server, size: int) -> None:
        self._server, self._size = server, size
        self._free: list[Connection] = []
        self._slots = asyncio.Semaphore(size)

    async def acquire(self, *, timeout: float) -> Connection:
        """Lend a connection. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self._slots.acquire()
        while self._free:
            found = self._free.pop()
            if not found.is_closed():
                return found
        return Connection(self._server, "pool")

    async def release(self, connection: Connection) -> None:
        """Take it back; one with an open transaction is cut off."""
        if connection._session is not None:
            connection.cut()
        self._free.append(connection)
        self._slots.release()

    async def close(self) -> None:
        """Close what is free."""
        for each in self._free:
            each.cut()

    def get_size(self) -> int:
        """Return how many there may be."""
        return self._size

    get_max_size = get_size

    def get_idle_size(self) -> int:
        """Return how many are free."""
        return len(self._free)


def open_database(server: Server, write_events: OutboxWriter | None, *, size: int = 10) -> Database:
    """Return the real ``Database`` over a pool of simulated connections."""
    pool: Any = Pool(server, size)
    return Database(pool, server.world.now, write_events)
