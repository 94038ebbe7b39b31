"""A relay in a process of its own that dies at a named step of a batch; forked, so that the next is there at once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from typing import Any

from chassis import relay as relay_module
from chassis.bus import BusConfig, NewRecord, open_bus
from chassis.relay import Relay

STEPS = ("before sending", "half a batch sent", "sent, not marked", "marked, not committed", "marked")
BATCH_ROWS = 40
"""Small, so that a log of some size has a batch for every kill."""


def run_relay(dsn: str, config: BusConfig, step: str, seed: int) -> None:
    """Relay until the step of the batch that the seed chooses is reached, one of the first two."""
    relay_module.BATCH_ROWS = BATCH_ROWS
    asyncio.run(_relay(dsn, config, step, random.Random(seed).randrange(2)))


async def _relay(dsn: str, config: BusConfig, step: str, spared: int) -> None:
    bus = await open_bus(config)
    relay, make = Relay("intake", dsn, bus, poll_seconds=0.05), bus.producer
    batches = 0

    def reached(name: str) -> bool:
        return name == step and batches > spared

    def producer() -> Any:
        inner = make()
        send = inner.append

        async def append(records: Sequence[NewRecord]) -> Any:
            nonlocal batches
            batches += 1
            _die(reached("before sending"))
            if reached("half a batch sent"):
                await send(records[: len(records) // 2])
                _die(True)
            outcomes = await send(records)
            _die(reached("sent, not marked"))
            return outcomes

        inner.append = append  # type: ignore[method-assign]
        return inner

    publish = relay._publish

    async def publish_and_die(connection: Any, *arguments: Any) -> bool:
        if step == "marked, not committed" and batches >= spared:
            async with connection.transaction():
                await publish(connection, *arguments)
                _die(True)
        more = await publish(connection, *arguments)
        _die(reached("marked"))
        return more

    bus.producer = producer  # type: ignore[method-assign]
    relay._publish = publish_and_die  # type: ignore[assignment,method-assign]
    await relay.run(asyncio.Event())


def _die(now: bool) -> None:
    if now:
        os.kill(os.getpid(), signal.SIGKILL)
