"""One contract, two transports: each test here runs on the PostgreSQL log and on a real Kafka."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from chassis.bus import Bus, BusConfig, NewRecord, Record, open_bus


@dataclass
class Stage:
    """A bus with one fresh topic, and how to reach the same bus as another process would."""

    bus: Bus
    config: BusConfig
    topic: str
    partitions: int
    opened: list[Bus] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return self.config.kind

    async def another(self) -> Bus:
        """A second client of the same bus: its own connections."""
        bus = await open_bus(self.config)
        self.opened.append(bus)
        return bus

    def record(self, key: str, body: bytes | None = b"{}", **more: object) -> NewRecord:
        return NewRecord(self.topic, key.encode(), (("ce_id", b"x"),), body, uuid.uuid4(), **more)

    async def append(self, *records: NewRecord) -> None:
        producer = self.bus.producer()
        try:
            assert await producer.append(records) == [None] * len(records)
        finally:
            await producer.close()


@dataclass
class Reader:
    """A group's member that collects; ``inspect`` may raise or wait like a handler."""

    inspect: Callable[[Sequence[Record]], Awaitable[None]] | None = None
    seen: list[Record] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, records: Sequence[Record]) -> None:
        if self.inspect is not None:
            await self.inspect(records)
        self.seen.extend(records)
        self.news.set()

    async def wait_for(self, count: int, seconds: float = 30) -> list[Record]:
        async with asyncio.timeout(seconds):
            while len(self.seen) < count:
                self.news.clear()
                await self.news.wait()
        return self.seen


@asynccontextmanager
async def reading(bus: Bus, group: str, topic: str, reader: Reader) -> AsyncIterator[asyncio.Event]:
    """Run a member for the block; the yielded event stops it earlier."""
    stop = asyncio.Event()
    member = asyncio.create_task(bus.consumer(group, [topic], reader).run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await member


@pytest.fixture(
    params=["postgres", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.xdist_group("kafka")])]
)
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    kind = request.param
    if kind == "kafka":
        config = BusConfig("kafka", "contract", kafka_bootstrap=request.getfixturevalue("kafka_bootstrap"))
    else:
        server = request.getfixturevalue("postgres_server")
        from chassis.messaging_schema import BUS_V1

        dsn = await server.create_database(BUS_V1)
        config = BusConfig("postgres", "contract", postgres_dsn=dsn, lease_seconds=1.5)
    bus = await open_bus(config)
    stage = Stage(bus, config, f"t{uuid.uuid4().hex}.v1", partitions=4)
    await bus.create_topics([stage.topic], stage.partitions)
    yield stage
    for opened in [*stage.opened, bus]:
        await opened.close()
    if kind == "postgres":
        await server.drop_database(config.postgres_dsn)


@pytest.fixture
def group() -> str:
    return f"g{uuid.uuid4().hex}"
