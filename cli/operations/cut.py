"""One moment over several databases of a server: no effect is in the cut whose cause is not.

PostgreSQL has no snapshot over databases. So the writers of all databases are held for an instant (a SHARE
lock on every table), a snapshot is taken in each while nothing can commit, and the writers go on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from chassis.clock import system_clock
from chassis.errors import PEER_UNAVAILABLE
from cli.operations.faults import BACKUP_CUT_FAILED
from cli.operations.tables import Connection, Table, read_tables

ATTEMPTS = 30
PATIENCE_MS = (400, 1_600)
"""How long a lock is waited for: at first too short for PostgreSQL to look for deadlocks, of which a
service could be the victim; after half of the attempts long enough to have autovacuum step aside."""
_PAUSE_SECONDS = 0.3
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One database as it was at the cut: every statement on the connection sees that moment."""

    connection: Connection
    tables: Sequence[Table]


@dataclass(frozen=True, slots=True)
class Cut:
    """All databases at one moment."""

    at: datetime
    held_seconds: float
    """How long no writer could commit."""
    snapshots: Mapping[str, Snapshot]


def dsn_of(server_dsn: str, database: str) -> str:
    """Return the DSN of a database on the same server with the same login."""
    return urlunsplit(urlsplit(server_dsn)._replace(path=f"/{database}"))


async def connect(server_dsn: str, database: str) -> Connection:
    """Return a connection for long statements. Raises PEER_UNAVAILABLE."""
    settings = {
        "application_name": "tongban-operations",
        "timezone": "UTC",
        "statement_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "work_mem": "32MB",
    }
    try:
        return await asyncpg.connect(
            dsn_of(server_dsn, database), timeout=_CONNECT_SECONDS, server_settings=settings
        )
    except (OSError, TimeoutError, asyncpg.PostgresError) as problem:
        raise PEER_UNAVAILABLE(peer=f"database {database}") from problem


@asynccontextmanager
async def take_cut(server_dsn: str, databases: Sequence[str]) -> AsyncIterator[Cut]:
    """Yield all databases at one moment; the snapshots end with the block.

    Raises BACKUP_CUT_FAILED, PEER_UNAVAILABLE.
    """
    async with AsyncExitStack() as opened:
        snapshots: dict[str, Snapshot] = {}
        holders: list[tuple[Connection, Sequence[Table]]] = []
        for name in databases:
            holder = await _opened(opened, server_dsn, name)
            tables = await read_tables(holder)
            holders.append((holder, tables))
            snapshots[name] = Snapshot(await _opened(opened, server_dsn, name), tables)
        at, held = await _hold_and_look(holders, snapshots)
        yield Cut(at, held, snapshots)


async def _opened(opened: AsyncExitStack, server_dsn: str, name: str) -> Connection:
    connection = await connect(server_dsn, name)
    opened.push_async_callback(connection.close)
    return connection


async def _hold_and_look(
    holders: Sequence[tuple[Connection, Sequence[Table]]], snapshots: Mapping[str, Snapshot]
) -> tuple[datetime, float]:
    loop, cause = asyncio.get_running_loop(), ""
    for attempt in range(ATTEMPTS):
        started = loop.time()
        try:
            for connection, tables in holders:
                await _hold(connection, tables, PATIENCE_MS[attempt * 2 >= ATTEMPTS])
            at = system_clock()
            for snapshot in snapshots.values():
                await _look(snapshot)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as problem:
            cause = str(problem)
        except asyncpg.InsufficientPrivilegeError as problem:
            raise BACKUP_CUT_FAILED(cause=problem) from problem
        else:
            return at, loop.time() - started
        finally:
            for connection, _tables in holders:
                if connection.is_in_transaction():
                    await connection.execute("rollback")
        await asyncio.sleep(_PAUSE_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - spreads attempts
    raise BACKUP_CUT_FAILED(cause=cause)


async def _hold(connection: Connection, tables: Sequence[Table], patience_ms: int) -> None:
    await connection.execute(f"begin; set local lock_timeout = {patience_ms}")
    await connection.execute(f"lock table {_names(tables)} in share mode")


async def _look(snapshot: Snapshot) -> None:
    """Begin the transaction that sees this moment; its own lock keeps the tables from being dropped."""
    await snapshot.connection.execute("begin isolation level repeatable read read only")
    await snapshot.connection.execute(f"lock table {_names(snapshot.tables)} in access share mode")
    await snapshot.connection.fetchval("select 1")


def _names(tables: Sequence[Table]) -> str:
    return ", ".join(f'public."{table.name}"' for table in sorted(tables, key=lambda each: each.name))
