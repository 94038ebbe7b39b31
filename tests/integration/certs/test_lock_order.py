"""Transactions that lock several licences lock them in one order, so none is given up for another's sake."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from services.certs.domain.holder import Holder
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.rpc.desk import new_id
from tests.integration.certs.conftest import FIRE, World
from tests.integration.certs.life_desk import Desk
from tests.integration.certs.test_imports_and_life import version
from tests.integration.certs.test_sources import send

WAITING = (
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)
CHANGED = {"KZ_ZS": "江西省上饶市广丰区永丰街道二号"}


async def until_waiting(world: World, number: int) -> None:
    """Return when so many transactions wait for a lock."""
    async with asyncio.timeout(10):
        while await world.count(WAITING) < number:
            await asyncio.sleep(0.02)


async def deliver(world: World, *rows: dict[str, str]) -> None:
    with world.as_department():
        await send(world, *((0, row) for row in rows))


@asynccontextmanager
async def holding(world: World, licence_id: str) -> AsyncIterator[asyncpg.Connection]:
    """A transaction of somebody else that has locked a licence, as by its id; it ends with the block."""
    async with world.database.pool.acquire() as connection, connection.transaction():
        await lock(connection, licence_id)
        yield connection


async def lock(connection: asyncpg.Connection, licence_id: str) -> None:
    await connection.execute("select 1 from licence where licence_id = $1 for update", uuid.UUID(licence_id))


async def test_an_import_of_two_versions_and_a_sealing_wait_for_each_other_without_a_deadlock(
    world: World,
) -> None:
    """A sealing locks the predecessor, then the successor; the rows come the other way round."""
    row = world.row(world.citizen())
    with world.as_department():
        (stocked,) = await send(world, (0, row))
    waiting = await Desk(world).change(stocked.licence_id, face={"KZ_JYFW": "食品销售"})
    async with holding(world, stocked.licence_id) as sealing:
        importing = asyncio.create_task(
            deliver(world, row | {"ZZBS": version(row["ZZBS"], 2)}, row | CHANGED)
        )
        await until_waiting(world, 1)
        await lock(sealing, waiting)
    await importing
    assert await world.count("select version from licence where licence_id = $1", uuid.UUID(waiting))
    assert await world.count("select count(*) from licence_past") == 1


async def test_an_import_and_a_use_of_several_licences_wait_for_each_other_without_a_deadlock(
    world: World,
) -> None:
    """The use is recorded in the order of the licences' ids, whatever order the import looks them up in."""
    holder = world.citizen()
    rows = [world.row(holder) for _ in range(6)]
    with world.as_department():
        stocked = [each.licence_id for each in await send(world, *((0, row) for row in rows))]
    keys = [world.desk.vault.identifier_key(row["ZZBS"]) for row in rows]
    ordered = sorted(range(6), key=lambda at: stocked[at])
    first, second = next(
        (one, other)
        for at, one in enumerate(ordered)
        for other in ordered[at + 1 :]
        if keys[other] < keys[one]
    )
    async with holding(world, stocked[first]):
        using = asyncio.create_task(use(world, holder, [stocked[first], stocked[second]]))
        await until_waiting(world, 1)
        importing = asyncio.create_task(deliver(world, rows[first] | CHANGED, rows[second] | CHANGED))
        await until_waiting(world, 2)
    await asyncio.gather(using, importing)
    assert await world.count("select count(*) from reliance") == 2
    assert await world.count("select count(*) from licence_past") == 2


async def use(world: World, holder: str, licence_ids: Sequence[str]) -> None:
    lines = [
        Usage(
            new_id(),
            UsageKind.READ,
            Reader(FIRE, "消防", True),
            Purpose("核验", Basis.STATUTORY_DUTY, "item-1", "case-1"),
            world.clock(),
            licence_id=each,
            holder=Holder("111", holder, "丰小玉"),
        )
        for each in licence_ids
    ]
    async with world.database.transaction() as tx:
        await world.desk.registry_of(tx).usages.add(lines)
