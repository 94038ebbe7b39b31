"""F3 and F7 on a real Kafka of the test's own: the broker is killed, and replaced by an empty one."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chassis import relay as relay_module
from chassis.bus import Bus, BusConfig, NewRecord, Record, open_bus
from chassis.errors import Fault
from chassis.messaging_schema import MESSAGING_V1
from cli.local.kafka import RunningKafka, start_kafka
from tests.integration.messaging.rig import COUNTER_TABLES, EFFECT_TABLES, Rig, open_rig, running
from tests.integration.messaging.test_faults import assert_each_once
from tests.stacks.postgres import FreshDatabase

pytestmark = [pytest.mark.kafka, pytest.mark.chaos, pytest.mark.xdist_group("kafka")]

UNSENT = "select count(*) from event_log where published_at is null"


@pytest.fixture
async def kafka_rig(private_kafka: RunningKafka, fresh_database: FreshDatabase) -> AsyncIterator[Rig]:
    config = BusConfig("kafka", "rig", kafka_bootstrap=private_kafka.bootstrap, append_timeout_seconds=5)
    writer = await fresh_database((*MESSAGING_V1, *COUNTER_TABLES))
    reader = await fresh_database((*MESSAGING_V1, *EFFECT_TABLES))
    rig = await open_rig(writer, reader, config, f"intake.t{uuid.uuid4().hex}.v1")
    yield rig
    await rig.writer.close()
    await rig.reader.close()


@asynccontextmanager
async def empty_in_place_of(lost: RunningKafka) -> AsyncIterator[None]:
    """Run another cluster, without a topic, at the address of one that has ended."""
    directory = Path(tempfile.mkdtemp(prefix="tbkafka"))
    port = int(lost.bootstrap.rpartition(":")[2])
    try:
        replacement = await asyncio.to_thread(lambda: start_kafka(directory, port=port))
        try:
            yield
        finally:
            await asyncio.to_thread(replacement.stop)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


async def test_f3_a_broker_killed_under_load_loses_nothing(
    kafka_rig: Rig, private_kafka: RunningKafka
) -> None:
    rig, done = kafka_rig, asyncio.Event()

    async def load() -> int:
        count = 0
        while not done.is_set():
            await rig.move(f"k{count % 10}")
            count += 1
            await asyncio.sleep(0.01)
        return count

    async with running(rig.relay(), rig.consumer()):
        loading = asyncio.create_task(load())
        for _ in range(2):
            await asyncio.sleep(2)
            await asyncio.to_thread(private_kafka.kill)
            await asyncio.sleep(1)
            await asyncio.to_thread(private_kafka.restart)
        done.set()
        count = await loading
        effects = await rig.settled(count, 120)
    print({"sent": count, "effects": len(effects), "kills": 2})
    assert_each_once(effects, await rig.all_moves())


async def test_f7_an_empty_broker_in_its_place_is_filled_from_the_outbox(
    kafka_rig: Rig, private_kafka: RunningKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = kafka_rig
    monkeypatch.setattr(relay_module, "CLUSTER_CHECK_SECONDS", 0.5)
    for number in range(20):
        await rig.move(f"k{number % 4}")
    async with running(rig.relay(), rig.consumer()):
        before = await rig.settled(20)
    first_cluster = await rig.bus.cluster_id()
    await asyncio.to_thread(private_kafka.stop)
    await rig.move("k0")
    async with empty_in_place_of(private_kafka):
        assert await rig.bus.cluster_id() != first_cluster
        await rig.bus.create_topics([rig.topic], 4)
        async with running(rig.relay(), rig.consumer()):
            after = await rig.settled(21, 90)
            assert len(await rig.log()) == 21
    assert after[:20] == before
    assert_each_once(after, await rig.all_moves())


async def test_f7_what_was_being_sent_to_the_lost_broker_is_not_the_first_on_the_empty_one(
    private_kafka: RunningKafka, fresh_database: FreshDatabase
) -> None:
    """Else a reader that had not come to the older events meets them after the newer: order inverted."""
    config = BusConfig("kafka", "rig", kafka_bootstrap=private_kafka.bootstrap, append_timeout_seconds=60)
    writer = await fresh_database((*MESSAGING_V1, *COUNTER_TABLES))
    reader = await fresh_database((*MESSAGING_V1, *EFFECT_TABLES))
    rig = await open_rig(writer, reader, config, f"intake.t{uuid.uuid4().hex}.v1")
    async with AsyncExitStack() as afterwards:
        afterwards.push_async_callback(rig.reader.close)
        afterwards.push_async_callback(rig.writer.close)
        async with running(rig.relay()):
            for _ in range(3):
                await rig.move("k")
            async with asyncio.timeout(20):
                while await rig.writer.pool.fetchval(UNSENT):
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(private_kafka.kill)
            await rig.move("k")  # goes to the producer at once: the bus was heard a moment ago
            await afterwards.enter_async_context(empty_in_place_of(private_kafka))
            await rig.bus.create_topics([rig.topic], 4)
            async with asyncio.timeout(60):
                while await rig.writer.pool.fetchval(UNSENT):
                    await asyncio.sleep(0.05)
        versions = [int(dict(record.headers)["ce_aggregateversion"] or 0) for record in await rig.log()]
        assert list(dict.fromkeys(versions)) == [1, 2, 3, 4], versions


def keep_apart(producer: Any, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Let a started producer reach no broker until the returned event is set; what is in flight stays so."""
    client, reachable = producer._producer.client, asyncio.Event()
    connect = client._get_conn

    async def connect_when_reachable(*given: Any, **named: Any) -> Any:
        return await connect(*given, **named) if reachable.is_set() else None

    monkeypatch.setattr(client, "_get_conn", connect_when_reachable)
    return reachable


async def test_f7_a_batch_that_nobody_calls_off_is_refused_by_the_cluster_that_took_the_place_of_the_lost_one(
    private_kafka: RunningKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a relay, which may notice the other cluster first, and with the topic there before the sender is:
    the first broker that the batch meets would take it."""
    config = BusConfig("kafka", "rig", kafka_bootstrap=private_kafka.bootstrap, append_timeout_seconds=90)
    bus, topic = await open_bus(config), f"intake.t{uuid.uuid4().hex}.v1"
    await bus.create_topics([topic], 1)
    producer = bus.producer()
    producer.hold_to(await bus.cluster_id())
    try:
        assert await producer.append([NewRecord(topic, b"k", (), b"first")]) == [None]
        reachable = keep_apart(producer, monkeypatch)
        sending = asyncio.create_task(producer.append([NewRecord(topic, b"k", (), b"second")]))
        await asyncio.to_thread(private_kafka.kill)
        async with empty_in_place_of(private_kafka):
            await bus.create_topics([topic], 1)
            assert not sending.done()
            reachable.set()
            with pytest.raises(Fault) as refused:
                await sending
            assert refused.value.code == "PEER_UNAVAILABLE"
            assert sum(each.events for each in await bus.lag("nobody", [topic])) == 0
    finally:
        await producer.close()


async def test_f7_where_a_group_stood_on_the_lost_broker_is_not_where_it_starts_on_the_empty_one(
    private_kafka: RunningKafka,
) -> None:
    """Else it never hears the first events there: a commit that is repeated until it is taken meets
    a cluster without the topic first, and one where nobody minds it once the topic is made again."""
    config = BusConfig("kafka", "rig", kafka_bootstrap=private_kafka.bootstrap, session_seconds=6)
    bus, topic, group = await open_bus(config), f"intake.t{uuid.uuid4().hex}.v1", f"g{uuid.uuid4().hex}"
    await bus.create_topics([topic], 1)
    heard: list[bytes] = []
    begun, may_end, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(records: Sequence[Record]) -> None:
        begun.set()
        await may_end.wait()
        heard.extend(record.body or b"" for record in records)

    await append(bus, topic, [b"old %d" % number for number in range(5)])
    async with AsyncExitStack() as afterwards, asyncio.TaskGroup() as working:
        working.create_task(bus.consumer(group, [topic], handle).run(stop))
        try:
            await begun.wait()
            await asyncio.to_thread(private_kafka.kill)
            await afterwards.enter_async_context(empty_in_place_of(private_kafka))
            may_end.set()
            await asyncio.sleep(2 * config.session_seconds)  # the commit is repeated, its member forgotten
            expected = [b"new %d" % number for number in range(8)]
            await bus.create_topics([topic], 1)
            await append(bus, topic, expected)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(60):
                    while not set(expected) <= set(heard):
                        await asyncio.sleep(0.1)
        finally:
            stop.set()
    assert [value for value in heard if value.startswith(b"new")] == expected


async def append(bus: Bus, topic: str, values: list[bytes]) -> None:
    """Put records of one key on the bus by a producer that ends with it."""
    producer = bus.producer()
    try:
        assert await producer.append([NewRecord(topic, b"k", (), value) for value in values]) == [None] * len(
            values
        )
    finally:
        await producer.close()
