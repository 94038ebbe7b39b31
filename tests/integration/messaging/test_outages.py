"""The fault table of the event reference (F10, F12): databases, peers, connections and notifications away."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from chassis.inbox import Limits
from tests.integration.messaging.conftest import BOTH
from tests.integration.messaging.rig import QUICK, Rig, note_effect, running
from tests.integration.messaging.test_faults import assert_each_once
from tests.stacks.postgres import PostgresServer


async def test_f10_a_database_that_was_away_parks_nothing_and_counts_no_attempt(
    rig: Rig, postgres_server: PostgresServer
) -> None:
    name = urlsplit(rig.reader_dsn).path[1:]
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    async with running(rig.relay(), rig.consumer()):
        await rig.move("k")
        await rig.settled(1)
        await admin.execute(f'alter database "{name}" allow_connections false')
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        for _ in range(20):
            await rig.move("k")
        await asyncio.sleep(3)
        await admin.execute(f'alter database "{name}" allow_connections true')
        await admin.close()
        async with asyncio.timeout(30):
            while sum(lag.events for lag in await rig.bus.lag(rig.group, [rig.topic])):
                await asyncio.sleep(0.1)
        effects = await rig.settled(21)
    assert_each_once(effects, await rig.all_moves())
    assert await rig.reader.pool.fetchval("select count(*) from dead_letter") == 0
    assert await rig.reader.pool.fetchval("select count(*) from delivery_attempt where attempts > 0") == 0


async def test_f10_deadlocks_and_an_absent_peer_are_waited_out(rig: Rig) -> None:
    from chassis.errors import PEER_UNAVAILABLE

    troubles = 8

    async def peer(_: object) -> None:
        nonlocal troubles
        troubles -= 1
        if troubles % 2 and troubles > 0:
            raise PEER_UNAVAILABLE(peer="seal")

    async def deadlocked(tx: Any, event: Any, envelope: Any, prepared: Any) -> None:
        if troubles > 0:
            await tx.execute("do $$ begin raise exception 'injected' using errcode = '40P01'; end $$")
        await note_effect(tx, event, envelope, prepared)

    limits = Limits(
        outage_first_pause_seconds=0.02, outage_longest_pause_seconds=0.1, outage_total_seconds=0.3
    )
    for _ in range(10):
        await rig.move("k")

    async def trouble_passes() -> None:
        nonlocal troubles
        await asyncio.sleep(2)
        troubles = 0

    passing = asyncio.create_task(trouble_passes())
    troubles = 10**6
    async with running(rig.relay(), rig.consumer(deadlocked, prepare=peer, limits=limits)):
        effects = await rig.settled(10)
    await passing
    assert_each_once(effects, await rig.all_moves())
    assert await rig.reader.pool.fetchval("select count(*) from dead_letter") == 0
    assert await rig.reader.pool.fetchval("select count(*) from delivery_attempt where attempts > 0") == 0


@pytest.mark.parametrize("victims", ["%-relay", "%-notify", "%-lease", "%-read"])
async def test_f12_a_terminated_connection_only_delays(rig: Rig, victims: str) -> None:
    admin = await asyncpg.connect(rig.writer_dsn)
    async with running(rig.relay(poll_seconds=0.3), rig.consumer()):
        await rig.move("k")
        await rig.settled(1)
        hit = await admin.fetchval(
            """
            select count(pg_terminate_backend(pid)) from pg_stat_activity
            where application_name like $1 and datname in ($2, $3)
            """,
            victims,
            urlsplit(rig.writer_dsn).path[1:],
            urlsplit(rig.config.postgres_dsn or "").path[1:],
        )
        assert hit >= 1
        for _ in range(5):
            await rig.move("k")
        effects = await rig.settled(6, 15)
    await admin.close()
    assert [row["number"] for row in effects] == [1, 2, 3, 4, 5, 6]


async def test_f12_without_notifications_polling_delivers(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf(*_: object) -> None:
        """Take no notification."""

    monkeypatch.setattr(asyncpg.Connection, "add_listener", deaf)
    async with running(rig.relay(poll_seconds=0.3), rig.consumer()):
        await asyncio.sleep(0.5)
        await rig.move("k")
        assert len(await rig.settled(1, 10)) == 1


@BOTH
async def test_f12_the_log_delivered_three_times_changes_nothing(rig: Rig) -> None:
    chance = random.Random(12)
    consumer = rig.consumer()
    for _ in range(60):
        await rig.move(f"k{chance.randrange(6)}")
    async with running(rig.relay()):
        records = await rig.log()
    by_key = [
        [record for record in records if record.key == key] for key in {record.key for record in records}
    ]
    for _ in range(3):
        chance.shuffle(by_key)
        for run in by_key:
            await consumer.receive(run)
    assert_each_once(await rig.effects(), await rig.all_moves())


async def test_two_members_with_one_batch_in_different_order_do_not_deadlock_for_good(rig: Rig) -> None:
    for number in range(60):
        await rig.move(f"k{number % 6}")
    async with running(rig.relay()):
        records = await rig.log()
    one, other = rig.consumer(limits=QUICK), rig.consumer(limits=QUICK)
    shuffled = sorted(records, key=lambda record: (record.key, record.offset), reverse=False)
    await asyncio.gather(one.receive(records), other.receive(shuffled))
    assert_each_once(await rig.effects(), await rig.all_moves())


async def test_a_stop_during_an_outage_ends_the_waiting_and_counts_no_attempt(rig: Rig) -> None:
    """Else each restart within one outage counts against an innocent event, and the fourth parks it."""
    from chassis.errors import PEER_UNAVAILABLE

    asked = asyncio.Event()

    async def away(_: object) -> None:
        asked.set()
        raise PEER_UNAVAILABLE(peer="seal")

    await rig.move("k")
    async with running(rig.relay()):
        for _ in range(5):
            asked.clear()
            stop, consumer = asyncio.Event(), rig.consumer(prepare=away)
            part = asyncio.create_task(consumer.run(stop))
            async with asyncio.timeout(15):
                await asked.wait()
                stop.set()
                async with asyncio.timeout(3):
                    await part
        async with running(rig.consumer()):
            assert len(await rig.settled(1)) == 1
    assert await rig.reader.pool.fetchval("select count(*) from dead_letter") == 0


async def test_a_stop_while_the_bus_is_away_at_the_start_is_no_failure(rig: Rig) -> None:
    from chassis.errors import PEER_UNAVAILABLE

    asked = asyncio.Event()

    async def away(_: object) -> None:
        asked.set()
        raise PEER_UNAVAILABLE(peer="bus")

    stop, consumer = asyncio.Event(), rig.consumer()
    rig.bus.require_topics = away  # type: ignore[assignment,method-assign]
    part = asyncio.create_task(consumer.run(stop))
    await asked.wait()
    stop.set()
    async with asyncio.timeout(3):
        await part
