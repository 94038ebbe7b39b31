"""The tables of one database: their order, their digest, their rows out and in."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[Any]"

_TABLES = """
select c.oid::bigint as oid, c.relname as name, pg_table_size(c.oid) as size_bytes,
  array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
        and not a.attisdropped order by a.attnum) as columns,
  array(select quote_ident(a.attname) || case when a.attcollation <> 0 then ' collate "C"' else '' end
        from pg_index i cross join unnest(i.indkey) with ordinality k(attnum, place)
        join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where i.indrelid = c.oid and i.indisprimary order by k.place) as key,
  array(select f.confrelid::bigint from pg_constraint f where f.conrelid = c.oid and f.contype = 'f'
        and f.confrelid <> c.oid) as refers_to
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind = 'r' and c.relname <> 'alembic_version' order by c.relname
"""
_SEQUENCES = "select sequencename::text as name from pg_sequences where schemaname = 'public' order by 1"


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and the order by which its rows are always read: that of its primary key, by bytes."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    size_bytes: int

    @property
    def query(self) -> str:
        """The rows of the table in that order."""
        columns = ", ".join(f'"{name}"' for name in self.columns)
        order = ", ".join(self.key) or f'"{self.name}"::text collate "C"'
        return f'select {columns} from public."{self.name}" order by {order}'  # noqa: S608


@dataclass(frozen=True, slots=True)
class Content:
    """What a table holds: how many rows, their bytes in PostgreSQL's binary COPY, the SHA-256 of those."""

    rows: int
    copy_bytes: int
    sha256: str


async def read_tables(connection: Connection) -> list[Table]:
    """Return all tables, each after those that its foreign keys name."""
    waiting = {row["oid"]: row for row in await connection.fetch(_TABLES)}
    ordered: list[Table] = []
    while waiting:
        free = [oid for oid, row in waiting.items() if not waiting.keys() & set(row["refers_to"])]
        for oid in free or list(waiting):  # a circle of foreign keys: the restore will say so
            row = waiting.pop(oid)
            ordered.append(Table(row["name"], tuple(row["columns"]), tuple(row["key"]), row["size_bytes"]))
    return ordered


async def read_sequences(connection: Connection) -> dict[str, tuple[int, bool]]:
    """Return the last value of each sequence, and whether it was given out."""
    found: dict[str, tuple[int, bool]] = {}
    for row in await connection.fetch(_SEQUENCES):
        state = await connection.fetchrow(f'select last_value, is_called from public."{row["name"]}"')  # noqa: S608
        assert state is not None
        found[row["name"]] = (state["last_value"], state["is_called"])
    return found


async def copy_out(connection: Connection, table: Table, take: Callable[[bytes], object]) -> Content:
    """Give every row's bytes to ``take``, in order, and return what they were."""
    digest, size = hashlib.sha256(), 0

    async def output(data: bytes) -> None:
        nonlocal size
        digest.update(data)
        size += len(data)
        take(data)

    tag = await connection.copy_from_query(table.query, output=output, format="binary")
    return Content(int(tag.split()[-1]), size, digest.hexdigest())


async def content_of(connection: Connection, table: Table) -> Content:
    """Return what a table holds now."""
    return await copy_out(connection, table, lambda _data: None)


async def copy_in(
    connection: Connection, table: str, columns: tuple[str, ...], source: AsyncIterator[bytes]
) -> None:
    """Load rows that `copy_out` gave."""
    await connection.copy_to_table(
        table, source=source, columns=list(columns), schema_name="public", format="binary"
    )


async def set_sequences(connection: Connection, values: dict[str, tuple[int, bool]]) -> None:
    """Have the sequences go on where they were."""
    for name, (value, called) in values.items():
        await connection.execute(
            "select setval(('public.' || quote_ident($1))::regclass, $2, $3)", name, value, called
        )


async def schema_head(connection: Connection, without: str) -> str | None:
    """Return the revision of the schema; ``without`` for tables that no migration made, None for none."""
    if await connection.fetchval("select to_regclass('public.alembic_version') is not null"):
        return str(await connection.fetchval("select version_num from public.alembic_version"))
    bus = await connection.fetchval("select to_regclass('public.bus_state') is not null")
    return without if bus else None
