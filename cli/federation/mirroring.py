"""The mirror: what one deployment's registry sends is copied, byte for byte, to another's bus.

For buses that are PostgreSQL logs, or of two kinds; between two Kafka clusters MirrorMaker 2 does the same
(`docs/federation.md`). The mirror holds no key and need not be trusted: messages are signed and encrypted.
Its place is a consumer group on the first bus, so it goes on where it stopped; what it copies twice the
second bus or the inbox behind it knows again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from chassis.bus import BatchHandler, Bus, BusConfig, BusProducer, NewRecord, Record, open_bus
from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.failures import is_outage
from chassis.logs import get_logger
from events.certs import MIRROR, REPLICA

AGAIN_SECONDS = 1.0
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two buses."""

    name: str
    """Of the deployment; the mirror's place on the first bus carries the second one's."""
    config: BusConfig


async def mirror(source: Side, target: Side, stop: asyncio.Event, ready: Path | None = None) -> None:
    """Copy until ``stop`` is set; an outage of either side is waited out.

    Raises BUS_TOPIC_MISSING where a bus has not been provisioned by a release that knows these topics.
    """
    while not stop.is_set():
        try:
            async with _opened(source) as first, _opened(target) as second:
                await first.require_topics([REPLICA])
                await second.require_topics([MIRROR])
                if ready is not None:
                    await asyncio.to_thread(ready.touch)
                producer = second.producer()
                try:
                    await first.consumer(f"mirror.{target.name}", [REPLICA], _copying(producer)).run(stop)
                finally:
                    await producer.close()
        except (Fault, OSError) as problem:
            if not is_outage(problem):
                raise
            log.warning("mirror_waits", source=source.name, target=target.name)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), AGAIN_SECONDS)


def copied(record: Record) -> NewRecord:
    """Return the record as it is appended to the other bus: another topic, everything else as it was."""
    return NewRecord(MIRROR, record.key or b"", record.headers, record.body, _event_id(record), record.at)


def _copying(producer: BusProducer) -> BatchHandler:
    async def copy(records: Sequence[Record]) -> None:
        outcomes = await producer.append([copied(each) for each in records])
        if any(outcomes):  # nothing is committed: the batch comes again
            raise PEER_UNAVAILABLE(peer="bus")

    return copy


def _event_id(record: Record) -> UUID | None:
    found = dict(record.headers).get("ce_id")
    try:
        return UUID((found or b"").decode("ascii"))
    except (UnicodeDecodeError, ValueError):
        return None


@asynccontextmanager
async def _opened(side: Side) -> AsyncIterator[Bus]:
    bus = await open_bus(side.config)
    try:
        yield bus
    finally:
        await bus.close()
