"""A database in memory with what the messaging core relies on in PostgreSQL, and nothing more.

READ COMMITTED: each statement sees what was committed before it and the transaction's own rows. A row that is
written, or inserted under a unique key, is locked until the transaction ends; who comes second waits, then
looks again. A circle of waiters is a deadlock and one of them is told so. Sequences are not rolled back.
That it behaves as PostgreSQL does is what ``test_same_as_postgres.py`` shows.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from typing import Any

import asyncpg

from tests.simulator.world import World

Key = Any
Row = dict[str, Any]
Place = tuple[str, Key]
LOCK_SECONDS = 5.0
"""The ``lock_timeout`` of every pool."""


class Server:
    """The committed rows of one service's database; rows are never changed in place."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.tables: dict[str, dict[Key, Row]] = defaultdict(dict)
        self.sequences: Counter[str] = Counter()
        self.holders: dict[Place, Session] = {}
        self.queues: dict[Place, deque[tuple[Session, asyncio.Future[None]]]] = {}
        self.advisory: dict[Key, object] = {}
        self.listeners: list[tuple[str, Any, Any]] = []
        self.connections: list[Any] = []

    def next_value(self, sequence: str) -> int:
        """Return the next number of a sequence; a transaction that rolls back leaves a hole."""
        self.sequences[sequence] += 1
        return self.sequences[sequence]

    def notify(self, channel: str) -> None:
        """Wake those who listen, unless the notification is lost."""
        for where, listener, callback in list(self.listeners):
            if where == channel and not self.world.hits("notify_lost"):
                callback(listener, 0, channel, "")

    def release(self, session: Session) -> None:
        """Give a transaction's locks to those who wait for them, first come first served."""
        for place in session.held:
            del self.holders[place]
            queue = self.queues.get(place)
            while queue:
                waiter, woken = queue.popleft()
                if not woken.done() and not waiter.ended:
                    self._give(place, waiter)
                    woken.set_result(None)
                    break
            if not queue:
                self.queues.pop(place, None)
        session.held.clear()

    def _give(self, place: Place, session: Session) -> None:
        self.holders[place] = session
        session.held[place] = None
        session._waits_for = None


class Session:
    """One open transaction."""

    def __init__(self, server: Server, owner: object = None) -> None:
        self.server, self.owner = server, owner
        self.held: dict[Place, None] = {}
        self.ended = False
        self._own: dict[Place, Row | None] = {}
        self._waits_for: Place | None = None
        self._woken: asyncio.Future[None] | None = None

    def now(self) -> Any:
        """Return the server's clock, as ``clock_timestamp()``."""
        return self.server.world.now()

    def get(self, table: str, key: Key) -> Row | None:
        """Return a row, or None."""
        place = (table, key)
        return self._own[place] if place in self._own else self.server.tables[table].get(key)

    def rows(self, table: str) -> Iterator[tuple[Key, Row]]:
        """Yield the rows of a table with their keys: committed ones first, then new ones of our own."""
        committed = self.server.tables[table]
        if not self._own:
            yield from list(committed.items())
            return
        for key, row in list(committed.items()):
            own = self._own.get((table, key), row)
            if own is not None:
                yield key, own
        for (where, key), own in list(self._own.items()):
            if where == table and own is not None and key not in committed:
                yield key, own

    async def lock(self, table: str, key: Key) -> None:
        """Hold a key until the transaction ends, whether its row exists or not."""
        place = (table, key)
        holder = self.server.holders.get(place)
        if holder is self:
            return
        if holder is None:
            self.server._give(place, self)
            return
        self._look_for_circle(holder)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.server.queues.setdefault(place, deque()).append((self, woken))
        self.server.world.note("waits for", table, key)
        self._waits_for, self._woken = place, woken
        try:
            async with asyncio.timeout(LOCK_SECONDS):
                await woken
        except TimeoutError as problem:
            raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout") from problem
        finally:
            self._waits_for = self._woken = None

    def _look_for_circle(self, holder: Session | None) -> None:
        while holder is not None and holder._waits_for is not None:
            holder = self.server.holders.get(holder._waits_for)
            if holder is self:
                self.server.world.counts["deadlocks"] += 1
                raise asyncpg.DeadlockDetectedError("deadlock detected")

    async def insert(self, table: str, key: Key, row: Row) -> bool:
        """Insert under a unique key; False when there is one, after waiting for whoever is inserting it."""
        if self.get(table, key) is not None:
            return False
        await self.lock(table, key)
        if self.get(table, key) is not None:
            return False
        self._own[table, key] = row
        return True

    async def update(self, table: str, key: Key, **changed: Any) -> bool:
        """Change a row; False when it is gone by the time it is ours."""
        await self.lock(table, key)
        row = self.get(table, key)
        if row is None:
            return False
        self._own[table, key] = row | changed
        return True

    async def put(self, table: str, key: Key, row: Row) -> None:
        """Insert or replace a row."""
        await self.lock(table, key)
        self._own[table, key] = row

    async def delete(self, table: str, key: Key) -> bool:
        """Delete a row; False when it is gone already."""
        await self.lock(table, key)
        if self.get(table, key) is None:
            return False
        self._own[table, key] = None
        return True

    def commit(self) -> None:
        """Make everything true at once."""
        for (table, key), row in self._own.items():
            if row is None:
                self.server.tables[table].pop(key, None)
            else:
                self.server.tables[table][key] = row
        self._end()

    def rollback(self) -> None:
        """Make nothing of it true."""
        self._end()

    def _end(self) -> None:
        self.ended = True
        self._own.clear()
        if self._woken is not None and not self._woken.done():  # its connection is gone while it waits
            self._woken.set_exception(asyncpg.ConnectionDoesNotExistError("connection was closed"))
        self.server.release(self)
