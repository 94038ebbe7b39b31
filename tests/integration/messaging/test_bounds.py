"""Batches are bounded by bytes as well as by rows: large events must not fill the memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from chassis.bus import NewRecord, Record
from chassis.event import MAX_BODY_BYTES
from tests.integration.messaging.conftest import BOTH
from tests.integration.messaging.rig import Rig, running

LARGE = "x" * (MAX_BODY_BYTES - 1024)
EVENTS = 24
BOUND_BYTES = 8 * 1024 * 1024
"""Above the relay's and the PostgreSQL member's own limits by one event, and above what Kafka fetches."""


@BOTH
async def test_a_batch_of_large_events_is_cut_by_bytes_on_both_sides(rig: Rig) -> None:
    sent: list[int] = []
    received: list[int] = []
    make = rig.bus.producer

    def producer() -> Any:
        inner = make()
        append = inner.append

        async def weigh(records: Sequence[NewRecord]) -> Any:
            sent.append(sum(len(record.body or b"") for record in records))
            return await append(records)

        inner.append = weigh  # type: ignore[method-assign]
        return inner

    rig.bus.producer = producer  # type: ignore[method-assign]
    for number in range(EVENTS):
        await rig.move(f"k{number % 6}", note=LARGE)
    consumer = rig.consumer()
    receive = consumer.receive

    async def weigh_received(records: Sequence[Record]) -> None:
        received.append(sum(len(record.body or b"") for record in records))
        await receive(records)

    consumer.receive = weigh_received  # type: ignore[method-assign]
    async with running(rig.relay()), asyncio.timeout(60):
        while await rig.writer.pool.fetchval("select count(*) from event_log where published_at is null"):
            await asyncio.sleep(0.05)
    async with running(consumer):  # it finds all of them waiting
        effects = await rig.settled(EVENTS)
    assert len(effects) == EVENTS
    assert max(sent) <= BOUND_BYTES
    assert max(received) <= BOUND_BYTES
