"""Watches a department's stream as its system does, across disconnections, and keeps what was seen."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from chassis.errors import Fault
from chassis.failures import is_outage
from chassis.rpc.call import Caller, enter
from chassis.rpc.peer import Peer
from services.intake.rpc.part import PartServicer
from tests.simulator.database.engine import Server
from tests.simulator.world import World
from tongban.intake.v1 import part_pb2 as pb


@dataclass(slots=True)
class Watcher:
    """A department's system: the last revision it has, and everything it was told, stream by stream."""

    number: int
    department_code: str
    revision: int = 0
    told: list[tuple[int, str, str]] = field(default_factory=list)
    """Revision, part and change, in the order of arrival."""
    wrong: list[str] = field(default_factory=list)

    def take(self, answer: Any) -> None:
        """Check one answer against the model: the next revision and no other, or a mark of where we are."""
        if not answer.part_id:
            if answer.revision != self.revision:
                self.wrong.append(f"marked {answer.revision} where {self.revision} is")
            return
        if answer.revision != self.revision + 1:
            self.wrong.append(f"revision {answer.revision} after {self.revision}")
        self.revision = answer.revision
        self.told.append((answer.revision, answer.part_id, answer.change))

    def caught_up(self, server: Server) -> bool:
        """Say whether everything of the feed was told."""
        head = server.tables["department_feed"].get(self.department_code)
        return self.revision >= (head["kept"] if head else 0)


async def watch(world: World, works: Any, watcher: Watcher) -> None:
    """Keep a stream open through the real servicer; it breaks now and then and is resumed where it was."""
    enter(Caller(Peer("department", watcher.department_code)))
    nobody: Any = None
    servicer = PartServicer(works, nobody, nobody, works.bell, nobody)
    while True:
        stream = servicer.WatchParts(pb.WatchPartsRequest(start_revision=watcher.revision), nobody)
        try:
            async for answer in stream:
                world.note("told", watcher.department_code, answer.revision, answer.part_id)
                watcher.take(answer)
                if not world.calm and world.chance.random() < 0.1:
                    break
        except Fault as fault:
            if not is_outage(fault):
                watcher.wrong.append(f"the stream ended with {fault.code}")
                return
        await stream.aclose()
        await asyncio.sleep(0.5)
