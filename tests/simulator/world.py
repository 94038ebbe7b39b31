"""One simulated run: a seed, a virtual clock, processes that can die at any await, and the trace of it all."""

from __future__ import annotations

import asyncio
import hashlib
import random
import traceback
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.simulator.loop import VirtualLoop

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # a Monday, 10:00 in China
TAIL = 60
"""So many of the last lines of its trace a failed run shows."""
DRAIN_SECONDS = 60.0
AT_ONCE = 0.6
"""So many ways take no time at all: nobody else gets a turn meanwhile, which the seed decides as well."""

current: ContextVar[Process | None] = ContextVar("simulated_process", default=None)


class World:
    """Everything that two runs of one seed have in common, down to the last bit."""

    def __init__(self, seed: int, *, faults: Faults | None = None) -> None:
        self.seed, self.faults = seed, faults or Faults()
        self.chance = random.Random(seed)
        self.loop = VirtualLoop()
        self.loop.set_task_factory(_owned_task)
        self.processes: list[Process] = []
        self.wrong: list[str] = []
        """What went wrong so far that no invariant needs to look for."""
        self.counts: Counter[str] = Counter()
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.skew_seconds = 0.0
        self.calm = False
        """Set when the last fault is over."""
        self.asked: set[str] = set()
        """Every statement that was sent to a database."""
        self._digest = hashlib.sha256()
        self._ids = 0

    def now(self) -> datetime:
        """Return the present on the wall, which an operator or NTP may set forward and back."""
        return START + timedelta(seconds=self.loop.time() + self.skew_seconds)

    def new_id(self) -> UUID:
        """Return the next id in the form of a UUIDv7; the same in every run of the seed."""
        self._ids += 1
        milliseconds = int(self.now().timestamp() * 1000)
        high = milliseconds << 80 | 7 << 76 | (self._ids >> 32 & 0xFFF) << 64
        return UUID(int=high | 2 << 62 | self._ids & 0xFFFFFFFF)

    def note(self, *what: object) -> None:
        """Enter a line into the trace."""
        process = current.get()
        line = f"{self.loop.time():.6f} {process.name if process else '-'} {' '.join(map(str, what))}"
        self._digest.update(line.encode())
        self.tail.append(line)

    @property
    def trace_hash(self) -> str:
        """The digest of everything that happened, in order."""
        return self._digest.hexdigest()

    def hits(self, fault: str) -> bool:
        """Decide, by the seed, whether a fault happens here; count it if so."""
        share = 0.0 if self.calm else getattr(self.faults, fault)
        if not share or self.chance.random() >= share:
            return False
        self.counts[fault] += 1
        self.note("FAULT", fault)
        return True

    async def travel(self, *what: object) -> None:
        """Take the time of one way to a server or back. The process may die on the way."""
        process = current.get()
        if process is not None:
            if process.dead:
                raise asyncio.CancelledError
            if process.mortal and self.hits("crash_at_call"):
                process.kill()
                raise asyncio.CancelledError
        self.note(*what)
        if self.chance.random() < AT_ONCE:
            return
        await asyncio.sleep(self.chance.expovariate(1 / self.faults.way_seconds))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run to the end of ``work``, end every process, and return its result."""
        try:
            return self.loop.run_until_complete(self._whole(work))
        finally:
            self.loop.close()

    async def _whole(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await work
        finally:
            for process in self.processes:
                process.on_exit = None
                process.kill()
            left = [task for process in self.processes for task in process.tasks if not task.done()]
            if left:
                await asyncio.wait(left, timeout=60)
            self.wrong += [f"a task of a dead process goes on: {task!r}" for task in left if not task.done()]


class Faults:
    """How often what goes wrong: shares of the calls, chosen anew for each seed."""

    def __init__(self, **shares: float) -> None:
        self.way_seconds = 0.002
        self.crash_at_call = 0.0
        self.statement_fails = 0.0
        self.connection_lost = 0.0
        self.commit_unknown = 0.0
        self.append_fails = 0.0
        self.append_unknown = 0.0
        self.append_refused = 0.0
        self.append_late = 0.0
        self.record_delayed = 0.0
        self.delivered_again = 0.0
        self.notify_lost = 0.0
        self.peer_fails = 0.0
        self.provider_deaf = 0.0
        self.provider_mute = 0.0
        vars(self).update(shares)

    @classmethod
    def of(cls, chance: random.Random) -> Faults:
        """Draw the faults of a run: some runs are quiet in one respect, some are rough in another."""

        def share(most: float) -> float:
            return chance.choice((0.0, most / 4, most))

        return cls(
            way_seconds=chance.choice((0.001, 0.005, 0.03)),
            crash_at_call=share(0.008),
            statement_fails=share(0.03),
            connection_lost=share(0.01),
            commit_unknown=share(0.05),
            append_fails=share(0.2),
            append_unknown=share(0.2),
            append_refused=share(0.1),
            append_late=share(0.5),
            record_delayed=share(0.3),
            delivered_again=share(0.2),
            notify_lost=share(0.5),
            peer_fails=share(0.05),
            provider_deaf=share(0.3),
            provider_mute=share(0.3),
        )


class Process:
    """A process of the operating system: its tasks end all at once, and what it held is given back."""

    def __init__(self, world: World, name: str, *, mortal: bool = True) -> None:
        self.world, self.name, self.mortal = world, name, mortal
        self.dead = False
        self.tasks: list[asyncio.Task[Any]] = []
        self.at_death: list[Callable[[], None]] = []
        self.on_exit: Callable[[], None] | None = None
        self.stop = asyncio.Event()
        """Tells the process to finish what it has in hand and to end."""
        self.parts: list[asyncio.Task[Any]] = []
        """Those of its tasks that are told to stop; the others end with them."""
        world.processes.append(self)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task of this process."""
        token = current.set(self)
        try:
            task = self.world.loop.create_task(work)
        finally:
            current.reset(token)
        task.add_done_callback(self._ended)
        if work.__qualname__.endswith(".run"):
            self.parts.append(task)
        return task

    def drain(self) -> None:
        """Tell the process to stop, as a rolling restart does; it must be gone within a minute."""
        self.world.note("DRAIN", self.name)
        self.world.counts["drained"] += 1
        self.stop.set()
        self.world.loop.call_later(DRAIN_SECONDS, self._must_be_gone)

    def _must_be_gone(self) -> None:
        if not self.dead:
            self.world.wrong.append(
                f"{self.name} does not stop: {[each for each in self.parts if not each.done()]}"
            )

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Take note of an unhandled error: it ends the process, as it does outside."""
        problem = None if task.cancelled() else task.exception()
        if self.stop.is_set() and not self.dead and all(each.done() for each in self.parts):
            self.kill()
        if problem is None or self.dead:
            return
        self.world.note("PROCESS ENDED BY", type(problem).__name__)
        self.world.counts["process_ended"] += 1
        if not self.mortal:
            self.world.wrong.append("".join(traceback.format_exception(problem)[-6:]))
        self.kill()

    def own(self, task: asyncio.Task[Any]) -> None:
        """Count a task among those of this process."""
        if len(self.tasks) > 100:
            self.tasks = [each for each in self.tasks if not each.done()]
        self.tasks.append(task)

    def kill(self) -> None:
        """End the process here and now; its open transactions are rolled back."""
        if self.dead:
            return
        self.dead = True
        self.world.note("KILL", self.name)
        for give_back in self.at_death:
            give_back()
        for task in self.tasks:
            task.cancel()
        if self.on_exit is not None:
            self.on_exit()


def _owned_task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any) -> Any:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    process = current.get()
    if process is not None:
        process.own(task)
    return task
