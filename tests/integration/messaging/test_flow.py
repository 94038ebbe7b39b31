"""From a committed transaction of one service to an effect in another."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import ClassVar

import asyncpg
import pytest

from chassis.bus import Bus
from chassis.errors import ETAG_MISMATCH, Fault
from chassis.event import EVENT_TOO_LARGE, Event, read_envelope
from chassis.messaging_metrics import INBOX_DUPLICATES, INBOX_GAPS, INBOX_STALE, OUTBOX_HELD
from chassis.outbox import COPY_FROM
from chassis.relay import Relay
from chassis.replay import REPLAY_WINDOW_EMPTY, REWIND_NOT_SUPPORTED, republish, rewind
from tests.integration.messaging.conftest import BOTH
from tests.integration.messaging.rig import Rig, counted, running


@BOTH
async def test_committed_events_take_effect_once_and_in_order(rig: Rig) -> None:
    async with running(rig.relay(), rig.consumer()):
        for number in range(40):
            await rig.move(f"k{number % 5}")
        effects = await rig.settled(40)
    for key in {row["key"] for row in effects}:
        assert [row["number"] for row in effects if row["key"] == key] == list(range(1, 9))


async def test_a_rolled_back_transaction_publishes_nothing(rig: Rig) -> None:
    async def fail() -> None:
        async with rig.writer.transaction() as tx:
            tx.publish(rig.event(counter_id="k", number=1), 1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await rig.all_moves() == []
    assert not rig.writer.committed.is_set()


async def test_an_event_too_large_for_the_bus_is_refused_before_the_commit(rig: Rig) -> None:
    with pytest.raises(Fault) as refusal:
        await rig.move("k", note="x" * (901 * 1024))
    assert refusal.value.reason is EVENT_TOO_LARGE
    assert await rig.writer.pool.fetchval("select count(*) from counter") == 0


async def test_the_same_version_twice_fails_the_second_commit(rig: Rig) -> None:
    await rig.move("k")
    with pytest.raises(Fault) as refusal:
        async with rig.writer.transaction() as tx:
            tx.publish(rig.event(counter_id="k", number=1), 1)
    assert refusal.value.reason is ETAG_MISMATCH


async def test_many_events_of_one_transaction_keep_their_order_and_leave_together(rig: Rig) -> None:
    events = [rig.event(counter_id=f"k{n % 5}", number=n // 5 + 1) for n in range(2 * COPY_FROM)]
    async with rig.writer.transaction() as tx:
        tx.publish_many([(each, each.number) for each in events])
    async with running(rig.relay(), rig.consumer()):
        effects = await rig.settled(len(events))
    for key in {row["key"] for row in effects}:
        numbers = [row["number"] for row in effects if row["key"] == key]
        assert numbers == list(range(1, len(events) // 5 + 1))
    with pytest.raises(Fault) as refusal:
        async with rig.writer.transaction() as tx:
            tx.publish_many([(each, each.number) for each in events])
    assert refusal.value.reason is ETAG_MISMATCH


async def test_the_envelope_says_who_what_and_when(rig: Rig) -> None:
    await rig.move("k")
    async with running(rig.relay()):
        (record,) = await rig.log()
    envelope = read_envelope(record.headers)
    ((event_id, _, _),) = await rig.all_moves()
    assert (envelope.event_id, envelope.subject, envelope.version) == (event_id, "k", 1)
    assert (envelope.source, envelope.type) == ("//tongban/intake", "intake.CounterMoved.v1")
    assert record.key == b"k"


async def test_the_trace_of_the_command_reaches_the_handler(rig: Rig) -> None:
    from chassis.traceparent import current_traceparent, traced

    seen: list[str | None] = []

    async def note_trace(*_: object) -> None:
        seen.append(current_traceparent())

    with traced("command", None) as trace_id:
        await rig.move("k")
    async with running(rig.relay(), rig.consumer(note_trace)):
        async with asyncio.timeout(20):
            while not seen:
                await asyncio.sleep(0.05)
    assert trace_id in (seen[0] or "")


async def test_only_the_aggregate_of_a_refused_event_waits(rig: Rig, fresh_database: object) -> None:
    """A topic that is not provisioned holds its own aggregate; others pass."""

    class Elsewhere(Event):
        TYPE: ClassVar[str] = "intake.Elsewhere.v1"
        TOPIC: ClassVar[str] = f"{rig.topic}x"
        KEY_FIELD: ClassVar[str] = "thing_id"
        PUBLIC: ClassVar[bool] = False
        thing_id: str

    async with rig.writer.transaction() as tx:
        tx.publish(Elsewhere(thing_id="lost"), 1)
        tx.publish(Elsewhere(thing_id="lost"), 2)
    async with running(rig.relay(), rig.consumer()):
        await rig.move("k")
        async with asyncio.timeout(20):
            while len(await rig.effects()) < 1:
                await asyncio.sleep(0.05)
        rows = await rig.writer.pool.fetch(
            "select version, attempts, last_error from event_log where topic like '%x' order by seq"
        )
        assert [tuple(row) for row in rows] == [(1, rows[0]["attempts"], "BUS_TOPIC_MISSING"), (2, 0, None)]
        assert rows[0]["attempts"] >= 1
        await rig.bus.create_topics([Elsewhere.TOPIC], 1)
        await rig.settled(1)
    assert OUTBOX_HELD.labels("intake")._value.get() <= 1


async def test_one_relay_of_two_is_active_and_the_other_takes_over(rig: Rig) -> None:
    first, second = rig.relay(poll_seconds=0.2), rig.relay(poll_seconds=0.2)
    async with running(second, rig.consumer()):
        async with running(first):
            for _ in range(5):
                await rig.move("k")
            await rig.settled(5)
        for _ in range(5):
            await rig.move("k")
        effects = await rig.settled(10)
    assert [row["number"] for row in effects] == list(range(1, 11))


async def test_shards_keep_the_order_of_each_aggregate(rig: Rig) -> None:
    from chassis.db import Database
    from chassis.outbox import outbox_writer

    rig.writer = await Database.open(rig.writer_dsn, write_events=outbox_writer("//tongban/intake", shards=3))
    for number in range(60):
        await rig.move(f"k{number % 10}")
    assert await rig.writer.pool.fetchval("select count(distinct shard) from event_log") == 3
    async with running(rig.relay(shards=3), rig.consumer()):
        effects = await rig.settled(60)
    for key in {row["key"] for row in effects}:
        assert [row["number"] for row in effects if row["key"] == key] == list(range(1, 7))


async def test_commit_to_effect_takes_milliseconds_when_idle(rig: Rig) -> None:
    waits = []
    async with running(rig.relay(), rig.consumer()):
        await rig.move("k")
        await rig.settled(1)
        for number in range(10):
            await asyncio.sleep(0.05)
            started = time.monotonic()
            await rig.move("k")
            while await rig.reader.pool.fetchval("select count(*) from effect") < number + 2:
                await asyncio.sleep(0.002)
            waits.append(time.monotonic() - started)
    assert sorted(waits)[len(waits) // 2] < 0.25, waits


async def test_stale_versions_are_skipped_and_gaps_are_counted(rig: Rig) -> None:
    async with running(rig.consumer(ordered=True)):
        for version in (4, 5, 5, 3, 8):  # a first contact in the middle is no gap
            await rig.raw("k", b'{"counter_id": "k", "number": %d}' % version, version=version)
        effects = await rig.settled(3)
    assert [row["number"] for row in effects] == [4, 5, 8]
    assert INBOX_STALE.labels(rig.group)._value.get() == 2
    assert INBOX_GAPS.labels(rig.group)._value.get() == 1


async def test_what_a_handler_fetches_is_fetched_outside_the_transaction_and_only_when_fresh(
    rig: Rig,
) -> None:
    fetched: list[int] = []

    async def fetch(event: Event) -> str:
        fetched.append(event.number)  # type: ignore[attr-defined]
        return f"peer says {event.number}"  # type: ignore[attr-defined]

    got: list[object] = []

    async def apply(tx: object, event: Event, envelope: object, prepared: object) -> None:
        got.append(prepared)

    consumer = rig.consumer(apply, prepare=fetch)
    for _ in range(5):
        await rig.move("k")
    async with running(rig.relay()):
        records = await rig.log()
    await consumer.receive(records)
    await consumer.receive(records)
    assert fetched == [1, 2, 3, 4, 5]
    assert got == [f"peer says {number}" for number in fetched]
    assert INBOX_DUPLICATES.labels(rig.group)._value.get() == 5


async def test_a_consumer_of_an_unprovisioned_topic_does_not_start(rig: Rig) -> None:
    from chassis.bus import BUS_TOPIC_MISSING

    rig.topic += "x"
    with pytest.raises(Fault) as refusal:
        await rig.consumer().run(asyncio.Event())
    assert refusal.value.reason is BUS_TOPIC_MISSING


@BOTH
async def test_a_republished_window_changes_nothing_for_who_has_seen_it(rig: Rig) -> None:
    async with running(rig.relay(), rig.consumer()):
        for number in range(10):
            await rig.move(f"k{number % 2}")
        before = await rig.settled(10)
        assert await republish(rig.writer, aggregate_id="k0") == 5
        await asyncio.sleep(0.3)
        assert await rig.settled(10) == before
    with pytest.raises(Fault) as refusal:
        await republish(rig.writer)
    assert refusal.value.reason is REPLAY_WINDOW_EMPTY


@BOTH
async def test_a_group_can_be_set_back_on_the_postgresql_bus_only(rig: Rig) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    if rig.config.kind == "kafka":
        with pytest.raises(Fault) as refusal:
            await rewind(rig.bus, rig.group, [rig.topic], start)
        assert refusal.value.reason is REWIND_NOT_SUPPORTED
        return
    async with running(rig.relay(), rig.consumer()):
        for number in range(20):
            await rig.move(f"k{number % 4}")
        before = await rig.settled(20)
        for _ in range(2):  # the whole log three times in all
            assert await rewind(rig.bus, rig.group, [rig.topic], start) == 4
            assert await rig.settled(20) == before


@pytest.mark.promise("P23")
async def test_retention_deletes_only_what_is_published_and_old(rig: Rig) -> None:
    from chassis.retention import Retention, clean

    for _ in range(3):
        await rig.move("k")
    async with running(rig.relay(), rig.consumer()):
        await rig.settled(3)
    await rig.move("k")
    await rig.writer.pool.execute(
        "update event_log set created_at = created_at - interval '15 days', published_at = published_at - interval '15 days'"
    )
    connection = await asyncpg.connect(rig.writer_dsn)
    await clean(connection, rig.bus, Retention())
    await connection.close()
    assert [version for _, _, version in await rig.all_moves()] == [4]


@pytest.mark.parametrize("rig", ["postgres"], indirect=True)
async def test_the_relay_goes_on_after_the_bus_was_away(rig: Rig, fresh_database: object) -> None:
    """An append whose bus fails leaves the rows pending, and nothing is marked."""
    failing = True

    class Flaky:
        transport = "flaky"

        def __init__(self, bus: Bus) -> None:
            self._bus = bus

        def __getattr__(self, name: str) -> object:
            return getattr(self._bus, name)

        async def cluster_id(self) -> str:
            if failing:
                from chassis.errors import PEER_UNAVAILABLE

                raise PEER_UNAVAILABLE(peer="bus")
            return await self._bus.cluster_id()

    await rig.move("k")
    relay = Relay("intake", rig.writer_dsn, Flaky(rig.bus), committed=rig.writer.committed)  # type: ignore[arg-type]
    async with running(relay, rig.consumer()):
        await asyncio.sleep(1)
        assert await rig.effects() == []
        failing = False
        await rig.settled(1)


def test_the_inbox_must_outlive_what_can_be_sent_again() -> None:
    from chassis.retention import Retention

    with pytest.raises(ValueError):
        Retention(event_log_seconds=100, inbox_seconds=50)


def test_an_event_for_tests_is_in_no_catalogue() -> None:
    from chassis.event import declared_events

    assert counted("intake.x.v1") not in declared_events()
