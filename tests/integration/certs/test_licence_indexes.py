"""The indexes on licences are built beside a registry in use, and built again where a build was broken off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from chassis.migrate import migrate

NAMES = ["licence_by_number", "licence_fallen", "licence_source_day", "licence_without_number"]
WRITING = "lock table licence in row exclusive mode"
FOUND = """
select c.relname, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid
where c.relname = any($1) order by 1
"""


async def test_licences_are_written_while_their_indexes_are_built(
    fresh_database: Callable[[], Awaitable[str]],
) -> None:
    dsn = await fresh_database()
    await migrate("certs", dsn, revision="0012")
    writer, other = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        await other.execute("create index licence_by_number on licence (county_code)")  # a build broken off
        await other.execute("set lock_timeout = 500")
        writing = writer.transaction()
        await writing.start()
        await writer.execute(WRITING)
        building = asyncio.create_task(migrate("certs", dsn, revision="0013"))
        await _waits(other)
        async with other.transaction():
            await other.execute(WRITING)
        assert not building.done()
        await writing.commit()
        assert (await building).after == "0013"
        assert [tuple(row) for row in await other.fetch(FOUND, NAMES)] == [(name, True) for name in NAMES]
        definition = await other.fetchval("select pg_get_indexdef('licence_by_number'::regclass)")
        assert "number_key" in definition
        assert await other.fetchval(
            "select convalidated from pg_constraint where conname = 'import_answer_outcome_check'"
        )
        await migrate("certs", dsn, revision="0012", down=True)
        assert await other.fetch(FOUND, NAMES) == []
    finally:
        await writer.close()
        await other.close()


async def _waits(connection: asyncpg.Connection) -> None:
    """Return once a build waits for a transaction."""
    query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%concurrently%'"
    async with asyncio.timeout(60):
        while not await connection.fetchval(query + " and pid <> pg_backend_pid()"):
            await asyncio.sleep(0.05)
