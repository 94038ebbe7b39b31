"""A TCP link that can be slow: latency, jitter and a rate, either way, as the kernel here has no ``netem``."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_CHUNK_BYTES = 16 * 1024
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Slowness:
    """What the link does to each chunk at the moment; changed while it carries."""

    seed: int
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: float = 0.0
    """Each way of each connection; 0 is as fast as it goes."""
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def due(self, size: int, free_at: float) -> tuple[float, float]:
        """Return when a chunk arrives and when the wire is free again, on the monotonic clock."""
        started = max(time.monotonic(), free_at)
        sent = started + (size / self.bytes_per_second if self.bytes_per_second else 0.0)
        return sent + self.delay_seconds + self.rng.uniform(0.0, self.jitter_seconds), sent


@asynccontextmanager
async def slow_link(host: str, to_host: str, to_port: int, slowness: Slowness) -> AsyncIterator[int]:
    """Carry connections from a free port of ``host`` for the block; yields the port."""
    carried: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        carried.add(task)
        try:
            there = await asyncio.open_connection(to_host, to_port)
            await asyncio.gather(_pump(reader, there[1], slowness), _pump(there[0], writer, slowness))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            carried.discard(task)

    server = await asyncio.start_server(carry, host, 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(carried):
            task.cancel()
        await asyncio.gather(*carried, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slowness: Slowness) -> None:
    """Copy one direction; order is kept, and several chunks may be under way as on a real wire."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
    delivering = asyncio.create_task(_deliver(under_way, writer))
    free_at = last = 0.0
    try:
        while chunk := await reader.read(_CHUNK_BYTES):
            due, free_at = slowness.due(len(chunk), free_at)
            last = max(last, due)
            await under_way.put((last, chunk))
        await under_way.put((last, b""))
        await delivering
    finally:
        delivering.cancel()
        with contextlib.suppress(OSError):
            writer.close()


async def _deliver(under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
    while True:
        due, chunk = await under_way.get()
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if not chunk:
            return
        writer.write(chunk)
        await writer.drain()
