"""Restores a backup into empty databases and stores, all of it or nothing, and compares what is there then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pyrage

from chassis.errors import Violation
from cli.operations import stores
from cli.operations.backing import BUS_SCHEMA
from cli.operations.cut import connect
from cli.operations.faults import (
    BACKUP_FOREIGN_VERSION,
    BACKUP_TAMPERED,
    RESTORE_DIFFERS,
    RESTORE_TARGET_NOT_EMPTY,
    RESTORED_CONTENT,
)
from cli.operations.field_keys import check_opens, check_present
from cli.operations.kept_files import Store
from cli.operations.manifest import DatabaseRecord, Manifest, StoreRecord, TableRecord
from cli.operations.part_reader import PartReader
from cli.operations.parts import reading
from cli.operations.places import Places
from cli.operations.progress import Advance, Follow
from cli.operations.tables import (
    Connection,
    Table,
    content_of,
    copy_in,
    read_sequences,
    read_tables,
    schema_head,
    set_sequences,
)

SEEDED = {
    ("intake", "part_step"),
    ("certs", "log_state"),
    ("certs", "log_adoption"),
    ("certs", "replica_cursor"),
    ("seal", "ledger_head"),
    ("bus", "bus_state"),
    ("bus", "part"),
}
"""Tables that migrations or provisioning fill: they may hold rows in an empty database."""


async def restore(
    backup: Path, manifest: Manifest, identity: pyrage.x25519.Identity, places: Places, follow: Follow
) -> None:
    """Have the databases and stores as they were at the cut; until the end nothing of it can be seen.

    The databases exist, at the schema of the backup, without rows. Each is loaded in one transaction, read
    back in it and compared with the manifest; all commit together at the end, or none.
    Raises RESTORE_KEYS_MISSING naming every field key that is not here, RESTORE_KEYS_WRONG for one that does not
    open what it should, BACKUP_FOREIGN_VERSION, RESTORE_TARGET_NOT_EMPTY, RESTORE_DIFFERS naming every
    difference, BACKUP_TAMPERED, FILE_STORE_FAILED, PEER_UNAVAILABLE.
    """
    if places.keyrings is not None:
        check_present(manifest, places.keyrings)
    kept = {name: places.store(name) for name in places.stores}
    for name, store in kept.items():
        await asyncio.to_thread(store.check_empty, name)
    async with AsyncExitStack() as opened:
        for store in kept.values():
            opened.push_async_callback(asyncio.to_thread, store.undo)
        connections: dict[str, Connection] = {}
        for name in manifest.databases:
            connections[name] = await connect(places.server_dsn, name)
            opened.push_async_callback(connections[name].close)
        for name, record in manifest.databases.items():
            await check_target(connections[name], name, record)
        run = _Restore(backup, identity, follow)
        found: list[Violation] = []
        for name, connection in connections.items():
            await connection.execute("begin")
            found += await run.database(connection, name, manifest.databases[name])
            if name in (places.keyrings or {}):
                await check_opens(connection, name, (places.keyrings or {})[name])
        for name, record_of in manifest.stores.items():
            found += await asyncio.to_thread(run.store, name, record_of, kept[name])
        if found:
            raise RESTORE_DIFFERS(violations=found, count=len(found))
        if manifest.bus == "kafka":
            await _distrust_bus(connections, manifest)
        for store in kept.values():
            store.keep()
        for connection in connections.values():
            await connection.execute("commit")


async def check_target(connection: Connection, name: str, record: DatabaseRecord) -> None:
    """Return if a database has the backup's schema and no rows. Raises as `restore`."""
    head = await schema_head(connection, BUS_SCHEMA)
    if head != record.head:
        raise BACKUP_FOREIGN_VERSION(what=f"schema of {name}", found=record.head, expected=head or "-")
    there = {table.name: table for table in await read_tables(connection)}
    wanted = {table: each.columns for table, each in record.tables.items()}
    if {each: table.columns for each, table in there.items()} != wanted:
        raise BACKUP_FOREIGN_VERSION(what=f"tables of {name}", found=len(wanted), expected=len(there))
    filled = [
        f"{name}.{table}"
        for table in there
        if (name, table) not in SEEDED
        and await connection.fetchval(f'select exists (select from public."{table}")')  # noqa: S608
    ]
    if filled:
        raise RESTORE_TARGET_NOT_EMPTY(found=", ".join(filled))


async def _distrust_bus(connections: dict[str, Connection], manifest: Manifest) -> None:
    """Have each relay take whatever broker it finds for a new one: it sends its retained events again."""
    for name, connection in connections.items():
        if name != "bus":
            await connection.execute("update relay_state set cluster_id = $1", f"before {manifest.name}")


class _Restore:
    """One run; tells every difference as a violation."""

    def __init__(self, backup: Path, identity: pyrage.x25519.Identity, follow: Follow) -> None:
        self._backup, self._identity, self._follow = backup, identity, follow

    async def database(self, connection: Connection, name: str, record: DatabaseRecord) -> list[Violation]:
        advance = self._follow(f"数据库 | {name}", sum(each.copy_bytes for each in record.tables.values()))
        there = {table.name: table for table in await read_tables(connection)}
        for table in there:  # in the order of the foreign keys
            await self._load(connection, name, table, record.tables[table], advance)
        await set_sequences(connection, record.sequences)
        found = [
            await self._compare(connection, name, there[each], kept) for each, kept in record.tables.items()
        ]
        sequences = await read_sequences(connection)
        found += [
            RESTORED_CONTENT.at(f"{name}.{each}", expected=value, found=sequences.get(each))
            for each, value in record.sequences.items()
            if sequences.get(each) != value
        ]
        return [each for each in found if each is not None]

    async def _load(
        self, connection: Connection, database: str, table: str, record: TableRecord, advance: Advance
    ) -> None:
        if (database, table) in SEEDED:
            await connection.execute(f'delete from public."{table}"')  # noqa: S608
        with reading(self._backup, record.part, self._identity) as following:
            try:
                await copy_in(connection, table, record.columns, _pieces(following, advance))
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as problem:
                raise BACKUP_TAMPERED(part=record.part.path) from problem

    async def _compare(
        self, connection: Connection, database: str, table: Table, record: TableRecord
    ) -> Violation | None:
        content = await content_of(connection, table)
        expected = f"{record.rows} rows, {record.sha256}"
        found = f"{content.rows} rows, {content.sha256}"
        where = f"{database}.{table.name}"
        return None if expected == found else RESTORED_CONTENT.at(where, expected=expected, found=found)

    def store(self, name: str, record: StoreRecord, target: Store) -> list[Violation]:
        """Have a store's files received and compare them one by one."""
        self._follow(f"文件 | {name}", 1)
        with reading(self._backup, record.part, self._identity) as following:
            target.receive(PartReader(following))
            while following():  # tar stops before the end of its padding
                pass
        with reading(self._backup, record.index, self._identity) as following:
            different = list(stores.differences(_lines(following), target.received()))
        return [
            RESTORED_CONTENT.at(
                f"{name}/{each.rpartition(' ')[0]}", expected="kept", found=each.rpartition(" ")[2]
            )
            for each in different
        ]


async def _pieces(following: Callable[[], bytes], advance: Advance) -> AsyncIterator[bytes]:
    while data := following():
        advance(len(data))
        yield data


def _lines(following: Callable[[], bytes]) -> Iterator[bytes]:
    rest = b""
    while data := following():
        *whole, rest = (rest + data).split(b"\n")
        yield from (each + b"\n" for each in whole)
