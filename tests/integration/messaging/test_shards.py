"""The number of relay shards may change while events wait: none is left behind, none overtakes."""

from __future__ import annotations

import asyncio

from chassis.db import Database
from chassis.outbox import outbox_writer
from tests.integration.messaging.rig import Rig, move, running


async def write(rig: Rig, shards: int, keys: int, times: int) -> None:
    """Step counters with a service that was configured for so many shards."""
    db = await Database.open(
        rig.writer_dsn, write_events=outbox_writer("//tongban/intake", shards=shards), max_size=4
    )
    for _ in range(times):
        await asyncio.gather(*(move(db, rig.event, f"k{number}") for number in range(keys)))
    await db.close()


async def published(rig: Rig) -> dict[str, list[int]]:
    """Run until nothing waits; return the versions of each aggregate in the order of the log."""
    async with asyncio.timeout(60):
        while await rig.writer.pool.fetchval("select count(*) from event_log where published_at is null"):
            await asyncio.sleep(0.05)
    version_of = {str(event_id): (key, version) for event_id, key, version in await rig.all_moves()}
    found: dict[str, list[int]] = {}
    for record in await rig.log():
        key, version = version_of[(dict(record.headers)["ce_id"] or b"").decode()]
        found.setdefault(key, []).append(version)
    return found


async def test_with_fewer_shards_no_waiting_event_is_left_behind(rig: Rig) -> None:
    await write(rig, 4, 12, 1)
    async with running(rig.relay(shards=4)):
        await published(rig)
    await write(rig, 4, 12, 2)
    async with running(rig.relay(shards=2)):
        found = await published(rig)
    assert set(found) == {f"k{number}" for number in range(12)}
    assert all(versions == [1, 2, 3] for versions in found.values())


async def test_with_more_shards_no_event_overtakes_one_that_waited(rig: Rig) -> None:
    await write(rig, 1, 12, 1)
    async with running(rig.relay(shards=1)):
        await published(rig)
    await write(rig, 1, 12, 60)  # more than one batch waits in the only shard
    await write(rig, 3, 12, 2)
    async with running(rig.relay(shards=3)):
        found = await published(rig)
    assert all(versions == list(range(1, 64)) for versions in found.values())
    shards = await rig.writer.pool.fetch("select shard from relay_state order by shard")
    assert [row["shard"] for row in shards] == [0, 1, 2]


async def test_who_brings_another_number_waits_until_the_former_relay_is_gone(rig: Rig) -> None:
    await write(rig, 1, 4, 1)
    async with running(rig.relay(shards=1)):
        await published(rig)
        async with running(rig.relay(shards=3, poll_seconds=0.1)):
            await write(rig, 1, 4, 1)
            await published(rig)
            assert await rig.writer.pool.fetchval("select count(*) from relay_state") == 1
    async with running(rig.relay(shards=3, poll_seconds=0.1)):
        await write(rig, 3, 4, 1)
        found = await published(rig)
    assert all(versions == [1, 2, 3] for versions in found.values())
