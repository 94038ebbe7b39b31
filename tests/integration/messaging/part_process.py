"""A relay, consumer or writer in a process of its own, which may end itself at a named moment.

``python part_process.py <part> <json of the rig> <fault>``; a fault happens once, a file remembers it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chassis import inbox_store
from chassis.bus import BusConfig, NewRecord
from tests.integration.messaging.rig import Rig, move, note_effect, open_rig


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Once:
    """True the first time in the life of the test, whichever process asks."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def __call__(self) -> bool:
        try:
            self._path.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def relay(rig: Rig, fault: str) -> Any:
    part = rig.relay(poll_seconds=0.2)
    make = rig.bus.producer

    def producer() -> Any:
        inner = make()
        send = inner.append

        async def append(records: Sequence[NewRecord]) -> Any:
            outcomes = await send(records)
            die()  # sent and acknowledged, not marked
            return outcomes

        inner.append = append
        return inner

    if fault == "between-send-and-mark":
        rig.bus.producer = producer  # type: ignore[method-assign]
    if fault == "canary-mark-first":

        async def mark_and_die(connection: Any, *_: object) -> bool:
            if await connection.fetch(
                "update event_log set published_at = now() where published_at is null returning 1"
            ):
                die()
            return False

        part._publish = mark_and_die  # type: ignore[method-assign]
    return part


def consumer(rig: Rig, fault: str, once: Once) -> Any:
    async def apply(*arguments: Any) -> None:
        await note_effect(*arguments)
        if fault == "before-effect-commit" and arguments[1].number == 5 and once():
            die()
        if fault == "always-kill" and arguments[1].note == "poison":
            die()

    part = rig.consumer(apply)
    receive = part.receive

    async def receive_and_die(records: Any) -> None:
        await receive(records)
        if once():
            die()

    if fault in {"between-effect-and-offset", "canary-no-inbox"}:
        part.receive = receive_and_die  # type: ignore[method-assign]
    if fault == "canary-no-inbox":

        async def everything(_tx: object, _consumer: str, event_ids: Any) -> set[Any]:
            return set(event_ids)

        inbox_store.insert_fresh = everything
    return part


async def write(rig: Rig, count: int, seed: int) -> None:
    """Eight connections move counters; one transaction in five pauses while it holds its row."""
    chance = random.Random(seed)
    jobs = [
        (f"k{chance.randrange(40)}", chance.random() * 0.02 * (chance.random() < 0.2)) for _ in range(count)
    ]

    async def work() -> None:
        while jobs:
            key, pause = jobs.pop()
            await move(rig.writer, rig.event, key, pause=pause)

    await asyncio.gather(*(work() for _ in range(8)))


async def main(part: str, settings: str, fault: str) -> None:
    values = json.loads(settings)
    rig = await open_rig(values["writer"], values["reader"], BusConfig(**values["bus"]), values["topic"])
    rig.group = values["group"]
    if part == "writer":
        await write(rig, 300, int(fault))
    elif part == "relay":
        await relay(rig, fault).run(asyncio.Event())
    else:
        await consumer(rig, fault, Once(values["once"])).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
