"""A member of a group that has a name comes back to its partitions, and the other's never move."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from chassis.bus import Bus, BusConfig, NewRecord, Record, open_bus

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("kafka"), pytest.mark.timeout(180)]
PARTITIONS, PATIENCE_SECONDS = 8, 40
SESSION_SECONDS = 20.0
"""Longer than a restart takes here."""


@dataclass
class Seen:
    """What one member was given: by partition, and how often partitions were taken from it or given to it."""

    partitions: set[int] = field(default_factory=set)
    moves: int = 0


@asynccontextmanager
async def member(
    bus: Bus, group: str, topic: str, seen: Seen, patch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    async def handle(records: list[Record]) -> None:
        seen.partitions |= {record.partition for record in records}

    consumer = bus.consumer(group, [topic], handle)
    drain = consumer._drain  # type: ignore[attr-defined]
    told = drain.on_partitions_assigned

    async def assigned(places: object) -> None:
        seen.moves += 1
        await told(places)

    patch.setattr(drain, "on_partitions_assigned", assigned)
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(running, PATIENCE_SECONDS)


async def fill(bus: Bus, topic: str, round_: int) -> None:
    producer = bus.producer()
    try:
        records = [NewRecord(topic, f"{round_}-{n}".encode(), (), b"{}") for n in range(200)]
        assert not any(await producer.append(records))
    finally:
        await producer.close()


async def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)


async def shared(bus: Bus, topic: str, *seen: Seen) -> None:
    """Return once the members together get every partition, none of them two members'."""
    deadline, round_ = time.monotonic() + PATIENCE_SECONDS, 0
    while time.monotonic() < deadline:
        for each in seen:
            each.partitions.clear()
        await fill(bus, topic, round_ := round_ + 1)
        await asyncio.sleep(1.5)
        if all(each.partitions for each in seen) and sum(len(each.partitions) for each in seen) == PARTITIONS:
            return
    raise AssertionError([each.partitions for each in seen])


@pytest.mark.parametrize("named", [True, False], ids=["named", "unnamed"])
async def test_a_restarted_member_has_its_partitions_again_and_the_others_stay(
    kafka_bootstrap: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, group = f"intake.t{uuid.uuid4().hex}.v1", f"g{uuid.uuid4().hex}"
    first, second = [
        await open_bus(
            BusConfig(
                "kafka",
                f"member-{n}",
                kafka_bootstrap=kafka_bootstrap,
                group_instance_id=f"{group}-{n}" if named else None,
                session_seconds=SESSION_SECONDS,
            )
        )
        for n in (1, 2)
    ]
    await first.create_topics([topic], PARTITIONS)
    stays, leaves, back = Seen(), Seen(), Seen()
    async with member(first, group, topic, stays, monkeypatch):
        await until(lambda: stays.moves > 0)
        async with member(second, group, topic, leaves, monkeypatch):
            await shared(first, topic, stays, leaves)
            moves, kept, had = stays.moves, set(stays.partitions), set(leaves.partitions)
        await asyncio.sleep(4)  # longer than a heartbeat: a member that may move is told by now
        async with member(second, group, topic, back, monkeypatch):
            await shared(first, topic, stays, back)
            assert (stays.moves == moves) is named
            if named:
                assert (stays.partitions, back.partitions) == (kept, had)
    await first.close()
    await second.close()
