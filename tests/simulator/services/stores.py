"""What every in-memory store needs: steps in the open transaction, and calls from one service to another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from chassis.db import Database, Transaction
from chassis.errors import PEER_UNAVAILABLE
from chassis.event import Envelope
from chassis.inbox import Handler
from tests.simulator.database.engine import Session
from tests.simulator.messaging import add_effect
from tests.simulator.world import World

T = TypeVar("T")


class Store:
    """Rows of one open transaction; each step takes the time of a statement and may fail as one."""

    def __init__(self, tx: Transaction) -> None:
        self.tx = tx

    async def step(self, work: Callable[[Session], Awaitable[T]], *told: object) -> T:
        """Run a step in the transaction."""
        connection: Any = self.tx.connection
        found: T = await connection.work(work, *told)
        return found

    async def kept(self, table: str, key: Any, *, lock: bool = False) -> Any:
        """Return what lies under a key, or None; locked if asked and there is something."""

        async def read(session: Session) -> Any:
            if lock and session.get(table, key) is not None:
                await session.lock(table, key)
            row = session.get(table, key)
            return row["kept"] if row else None

        return await self.step(read, "lock" if lock else "get", table, key)

    async def keep(self, table: str, key: Any, kept: Any) -> None:
        """Keep something under a key."""
        await self.step(lambda session: session.put(table, key, {"kept": kept}), "put", table, key)

    async def keep_new(self, table: str, key: Any, kept: Any) -> bool:
        """Keep something under a key that must be free; False when it is not."""
        return await self.step(
            lambda session: session.insert(table, key, {"kept": kept}), "insert", table, key
        )

    async def everything(self, table: str) -> list[tuple[Any, Any]]:
        """Return everything in a table with its key."""

        async def read(session: Session) -> list[tuple[Any, Any]]:
            return [(key, row["kept"]) for key, row in session.rows(table)]

        return await self.step(read, "all", table)

    async def count_up(self, table: str, key: Any, by: int = 1) -> int:
        """Add to a counter that is locked until the commit; return it."""

        async def add(session: Session) -> int:
            await session.lock(table, key)
            row = session.get(table, key)
            number = (row["kept"] if row else 0) + by
            await session.put(table, key, {"kept": number})
            return int(number)

        return await self.step(add, "count", table, key)


class Peer(Protocol):
    """Opens a transaction at the service that answers a call."""

    def __call__(self) -> Any:
        """Return the transaction as a context manager."""
        ...


def peer(world: World, db: Database, name: str) -> Callable[[], Any]:
    """Return calls to a service: they take their time, and sometimes nobody answers."""

    @asynccontextmanager
    async def called() -> AsyncIterator[Transaction]:
        await world.travel("call", name)
        if world.hits("peer_fails"):
            raise PEER_UNAVAILABLE(peer=name, retry_after_seconds=1.0)
        async with db.transaction() as tx:
            yield tx
        await world.travel("answer of", name)

    return called


def recorded(handler: Handler[Any, Any]) -> Handler[Any, Any]:
    """Return a handler that also records that it ran, in the transaction of its effect."""
    apply = handler.apply

    async def both(tx: Transaction, event: Any, envelope: Envelope, prepared: Any) -> None:
        await apply(tx, event, envelope, prepared)
        connection: Any = tx.connection
        await connection.work(lambda session: add_effect(session, envelope), "effect", envelope.type)

    return replace(handler, apply=both)
