"""One member of a group in a process of its own, to be killed or stopped by the contract suite."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from chassis.bus import BusConfig, Record, open_bus


async def main(kind: str, address: str, group: str, topic: str, out: str, mode: str) -> None:
    where = {"kafka_bootstrap": address} if kind == "kafka" else {"postgres_dsn": address}
    bus = await open_bus(BusConfig(kind, "member", lease_seconds=1.5, **where))  # type: ignore[arg-type]

    async def handle(records: Sequence[Record]) -> None:
        with Path(out).open("a") as file:
            file.writelines((record.body or b"").decode() + "\n" for record in records)
        if mode == "hang":
            await asyncio.sleep(3600)
        if mode == "pause":
            await asyncio.sleep(1)

    await bus.consumer(group, [topic], handle).run(asyncio.Event())


asyncio.run(main(*sys.argv[1:]))
