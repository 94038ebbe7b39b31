"""The processes of a run, kept alive: who dies is started again, as a supervisor would."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from typing import Self

from tests.history.parts import Scene, run_part

PARTS = ("relay", "relay", "consumer", "consumer", "writer", "writer")
RESTART_SECONDS = 0.1
STOP_SECONDS = 15.0

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.history.parts"])


@dataclass(slots=True)
class Member:
    """One process and how often it was started."""

    part: str
    number: int
    process: ForkServerProcess
    life: int = 0
    is_wanted: bool = True
    is_stopped: bool = False


class Cast:
    """All processes of one run; a context manager that leaves none behind."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._members: list[Member] = []
        self.deaths = 0

    async def __aenter__(self) -> Self:
        """Start them."""
        for number, part in enumerate(PARTS):
            self._members.append(Member(part, number % 2, self._start(part, number % 2, 0)))
        self._keeping = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End what still lives, in order."""
        for part in ("writer", "relay", "consumer"):
            await self.end(part)
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)

    def of(self, part: str) -> list[Member]:
        """Return the members of a part."""
        return [member for member in self._members if member.part == part]

    def signal(self, member: Member, how: signal.Signals) -> None:
        """Send a signal; a dead process takes none."""
        member.is_stopped = how == signal.SIGSTOP
        with contextlib.suppress(ProcessLookupError, TypeError):
            os.kill(member.process.pid, how)  # type: ignore[arg-type]

    async def end(self, part: str) -> None:
        """Have the processes of a part end in order; who does not is killed."""
        members = [member for member in self.of(part) if member.is_wanted]
        for member in members:
            member.is_wanted = False
            self.signal(member, signal.SIGCONT)
            self.signal(member, signal.SIGTERM)
        for member in members:
            await asyncio.to_thread(member.process.join, STOP_SECONDS)
            if member.process.exitcode is None:
                member.process.kill()
                await asyncio.to_thread(member.process.join)

    def _start(self, part: str, number: int, life: int) -> ForkServerProcess:
        process = _forks.Process(target=run_part, args=(part, number, life, self._scene), daemon=True)
        process.start()
        return process

    async def _keep(self) -> None:
        while True:
            for member in self._members:
                if member.is_wanted and member.process.exitcode is not None:
                    self.deaths += 1
                    member.life += 1
                    member.process = self._start(member.part, member.number, member.life)
            await asyncio.sleep(RESTART_SECONDS)
