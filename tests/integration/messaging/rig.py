"""Two small services around one bus: one writes events about counters, the other counts along."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

import asyncpg

from chassis.bus import Bus, BusConfig, NewRecord, Record, open_bus
from chassis.db import Database, Transaction
from chassis.event import Envelope, Event, new_event_id
from chassis.inbox import Consumer, Handler, Limits
from chassis.outbox import outbox_writer
from chassis.relay import Relay

COUNTER_TABLES = ("create table counter (key text primary key, version bigint not null)",)
EFFECT_TABLES = (
    # Without a unique constraint on purpose: a second effect must show.
    """create table effect (nr bigint generated always as identity (cache 1), event_id uuid, key text, number bigint)""",
)
QUICK = Limits(
    first_pause_seconds=0.01, outage_first_pause_seconds=0.05, outage_total_seconds=60, measure_seconds=0.5
)


def counted(topic: str) -> type[Event]:
    """The event of one test's topic; not declared, so that no catalogue test meets it."""

    class CounterMoved(Event):
        TYPE: ClassVar[str] = "intake.CounterMoved.v1"
        TOPIC: ClassVar[str] = topic
        KEY_FIELD: ClassVar[str] = "counter_id"
        PUBLIC: ClassVar[bool] = False

        counter_id: str
        number: int
        note: str = ""

    return CounterMoved


async def move(db: Database, event: type[Event], key: str, note: str = "", pause: float = 0.0) -> int:
    """The use case of the writing service: one step of one counter, its event in the same transaction."""
    async with db.transaction() as tx:
        version = await tx.fetchval(
            """
            insert into counter as c (key, version) values ($1, 1)
            on conflict (key) do update set version = c.version + 1 returning version
            """,
            key,
        )
        tx.publish(event(counter_id=key, number=version, note=note), version)
        if pause:
            await asyncio.sleep(pause)
    return int(version)


async def note_effect(tx: Transaction, event: Event, envelope: Envelope, _: object) -> None:
    await tx.execute(
        "insert into effect (event_id, key, number) values ($1, $2, $3)",
        envelope.event_id,
        event.aggregate_id,
        event.number,  # type: ignore[attr-defined]
    )


@dataclass
class Rig:
    writer_dsn: str
    reader_dsn: str
    config: BusConfig
    topic: str
    bus: Bus
    writer: Database
    reader: Database
    group: str = field(default_factory=lambda: f"g{uuid.uuid4().hex}")

    @property
    def event(self) -> type[Event]:
        return counted(self.topic)

    async def move(self, key: str, note: str = "") -> int:
        return await move(self.writer, self.event, key, note)

    def relay(self, **more: object) -> Relay:
        return Relay("intake", self.writer_dsn, self.bus, committed=self.writer.committed, **more)  # type: ignore[arg-type]

    def consumer(self, apply: Callable[..., Awaitable[None]] = note_effect, **more: object) -> Consumer:
        limits = more.pop("limits", QUICK)
        handler = Handler(self.event, apply, **more)  # type: ignore[arg-type,var-annotated]
        return Consumer(self.group, self.reader, [handler], self.bus, limits=limits)  # type: ignore[arg-type]

    async def effects(self) -> list[asyncpg.Record]:
        return await self.reader.pool.fetch("select event_id, key, number from effect order by nr")

    async def settled(self, count: int, seconds: float = 60) -> list[asyncpg.Record]:
        """The effects once there are so many and nothing more is on its way."""
        async with asyncio.timeout(seconds):
            while (
                len(await self.effects()) < count
                or await self.writer.pool.fetchval(
                    "select count(*) from event_log where published_at is null"
                )
                or sum(lag.events for lag in await self.bus.lag(self.group, [self.topic]))
            ):
                await asyncio.sleep(0.1)
        return await self.effects()

    async def all_moves(self) -> list[tuple[UUID, str, int]]:
        rows = await self.writer.pool.fetch(
            "select event_id, aggregate_id, version from event_log order by seq"
        )
        return [(row["event_id"], row["aggregate_id"], row["version"]) for row in rows]

    async def raw(
        self, key: str, body: bytes | None, *changed: tuple[str, bytes | None], version: int = 1
    ) -> None:
        """Append a record as no outbox would write it."""
        from chassis.clock import system_clock

        envelope = Envelope(new_event_id(), self.event.TYPE, "//tongban/intake", key, version, system_clock())
        headers = dict(envelope.headers()) | dict(changed)
        producer = self.bus.producer()
        await producer.append(
            [NewRecord(self.topic, key.encode(), tuple(headers.items()), body, envelope.event_id)]
        )
        await producer.close()

    async def log(self) -> list[Record]:
        """Everything on the bus, read by a group of its own."""
        found: list[Record] = []
        done = asyncio.Event()
        group = f"g{uuid.uuid4().hex}"

        async def keep(records: list[Record]) -> None:
            found.extend(records)

        reading = asyncio.create_task(self.bus.consumer(group, [self.topic], keep).run(done))  # type: ignore[arg-type]
        async with asyncio.timeout(60):
            while not found or sum(lag.events for lag in await self.bus.lag(group, [self.topic])):
                await asyncio.sleep(0.1)
        done.set()
        await reading
        return found


@asynccontextmanager
async def running(*parts: object) -> AsyncIterator[asyncio.Event]:
    """Run relays and consumers for the block."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(part.run(stop)) for part in parts]  # type: ignore[attr-defined]
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)


async def open_writer(dsn: str) -> Database:
    return await Database.open(dsn, write_events=outbox_writer("//tongban/intake"), max_size=8)


async def open_rig(writer_dsn: str, reader_dsn: str, config: BusConfig, topic: str) -> Rig:
    bus = await open_bus(config)
    await bus.create_topics([topic], 4)
    return Rig(
        writer_dsn,
        reader_dsn,
        config,
        topic,
        bus,
        await open_writer(writer_dsn),
        await Database.open(reader_dsn),
    )
