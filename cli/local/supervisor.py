"""Keeps processes alive: starts them, restarts what dies with back-off, stops all in order.

A process may also be replaced while it serves: its successor shares its ports (SO_REUSEPORT) and must
be ready before the old one is asked to end, so that at no moment nobody listens.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.local.faults import SUCCESSOR_NOT_READY
from cli.local.processes import ProcessId
from cli.local.services import ServiceProcess

STOP_TIMEOUT_SECONDS = 30.0
"""Longer than a service's own drain (chassis.run)."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 15.0
STEADY_AFTER_SECONDS = 30.0
"""A process that lived this long is forgiven its earlier deaths."""
HOPELESS_AFTER_RESTARTS = 2
"""While the stack starts; later a process is restarted for ever."""
SUCCESSOR_READY_SECONDS = 60.0
LOG_LIMIT_BYTES = 10 * 1024 * 1024
_READY_POLL_SECONDS = 0.05
_LOG_POLL_SECONDS = 10.0


@dataclass(slots=True)
class Kept:
    """One process under supervision."""

    described: ServiceProcess
    process: ProcessId | None = None
    restarts: int = 0
    exited_with: int | None = None
    hand_over: asyncio.Future[None] | None = None
    """Set while somebody waits for the process to be replaced by a successor."""
    wanted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ready(self) -> bool:
        """Whether the present process says of itself that it is ready."""
        return self.process is not None and self.marked(self.process.pid)

    def marked(self, pid: int) -> bool:
        """Tell whether the ready file names this process."""
        try:
            return int(self.described.ready_file.read_text()) == pid
        except (OSError, ValueError):
            return False


class Supervisor:
    """Runs the described processes until it is told to stop; ``changed`` is called at every start."""

    def __init__(self, described: Sequence[ServiceProcess], changed: Callable[[], None]) -> None:
        self.kept = [Kept(each) for each in described]
        self._changed = changed
        self._stopping = asyncio.Event()
        self._keepers: list[asyncio.Task[None]] = []
        self._log_keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Have every process started and watched from now on."""
        self._keepers = [asyncio.create_task(self._keep(each)) for each in self.kept]
        self._log_keeper = asyncio.create_task(self._bound_logs())

    async def wait_ready(self, timeout_seconds: float) -> tuple[str, ...]:
        """Return those that are not ready when the time is over, in words; empty as soon as all are.

        Does not wait for one that keeps dying: a wrong setting does not heal.
        """
        deadline = asyncio.get_running_loop().time() + timeout_seconds
        while waiting := tuple(each for each in self.kept if not each.ready):
            hopeless = any(each.restarts >= HOPELESS_AFTER_RESTARTS for each in waiting)
            if hopeless or asyncio.get_running_loop().time() > deadline:
                return tuple(map(_plight, waiting))
            await asyncio.sleep(_READY_POLL_SECONDS)
        return ()

    async def replace(self, name: str) -> float:
        """Have a successor serve in a process' place and the old one drained; return the seconds that took.

        Raises SUCCESSOR_NOT_READY, and then the old process serves on as if nothing had been asked.
        """
        began = asyncio.get_running_loop().time()
        kept = next(each for each in self.kept if each.described.name == name)
        kept.hand_over = asyncio.get_running_loop().create_future()
        kept.wanted.set()
        await kept.hand_over
        return asyncio.get_running_loop().time() - began

    async def stop(self) -> None:
        """Have no process left: all are asked to end at once, and killed when they do not in time."""
        self._stopping.set()
        await asyncio.gather(*self._keepers)
        if self._log_keeper is not None:
            self._log_keeper.cancel()

    async def _keep(self, kept: Kept) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            lived_seconds = await self._live(kept)
            pause = FIRST_PAUSE_SECONDS if lived_seconds > STEADY_AFTER_SECONDS else pause
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            kept.restarts += 1

    async def _live(self, kept: Kept) -> float:
        """Start the process and return how long it lived, in seconds; ends it when we are to stop.

        A successor that took over lives on as the same process.
        """
        started = asyncio.get_running_loop().time()
        process = await self._started(kept)
        stopping = asyncio.create_task(self._stopping.wait())
        death = asyncio.create_task(process.wait())
        while True:
            wanted = asyncio.create_task(kept.wanted.wait())
            await asyncio.wait([stopping, death, wanted], return_when=asyncio.FIRST_COMPLETED)
            wanted.cancel()
            if stopping.done() or death.done():
                break
            successor = await self._hand_over(kept, process, death)
            if successor is not None:
                process, death = successor, asyncio.create_task(successor.wait())
        stopping.cancel()
        if not death.done():
            await _end(process, death)
        kept.exited_with = process.returncode
        _give_up(kept)
        return asyncio.get_running_loop().time() - started

    async def _started(self, kept: Kept) -> asyncio.subprocess.Process:
        process = await _spawn(kept.described)
        kept.process = ProcessId.of(process.pid)
        self._changed()
        return process

    async def _hand_over(
        self, kept: Kept, process: asyncio.subprocess.Process, death: asyncio.Task[int]
    ) -> asyncio.subprocess.Process | None:
        """Start the successor, wait until it is ready, end the old process; None when it stays."""
        asked = kept.hand_over
        kept.wanted.clear()
        successor = await _spawn(kept.described, beside=True)
        ended = asyncio.create_task(successor.wait())
        if not await self._takes_over(kept, successor, ended):
            await _end(successor, ended)
            kept.exited_with = successor.returncode
            if asked is not None and not asked.done():
                asked.set_exception(SUCCESSOR_NOT_READY(name=kept.described.name, log=kept.described.log))
            return None
        ended.cancel()
        kept.process = ProcessId.of(successor.pid)
        self._changed()
        await _end(process, death)
        if asked is not None and not asked.done():
            asked.set_result(None)
        return successor

    async def _takes_over(
        self, kept: Kept, successor: asyncio.subprocess.Process, ended: asyncio.Task[int]
    ) -> bool:
        deadline = asyncio.get_running_loop().time() + SUCCESSOR_READY_SECONDS
        while not kept.marked(successor.pid):
            late = asyncio.get_running_loop().time() > deadline
            if late or ended.done() or self._stopping.is_set():
                return False
            await asyncio.sleep(_READY_POLL_SECONDS)
        return True

    async def _bound_logs(self) -> None:
        while True:
            for each in self.kept:
                bound_log(each.described.log, LOG_LIMIT_BYTES)
            await asyncio.sleep(_LOG_POLL_SECONDS)


def bound_log(log: Path, limit_bytes: int) -> None:
    """Keep a log within the limit: its content moves to ``<name>.1`` and the file starts anew.

    The writer has the file open for appending, so it goes on at the new end.
    """
    if not log.is_file() or log.stat().st_size <= limit_bytes:
        return
    with log.open("rb+") as file:
        log.with_name(log.name + ".1").write_bytes(file.read())
        file.truncate(0)


def _plight(kept: Kept) -> str:
    ended = "" if kept.exited_with is None else f", ended with status {kept.exited_with}"
    return f"{kept.described.name} is not ready{ended}, see {kept.described.log}"


def _give_up(kept: Kept) -> None:
    """Tell who waits for a successor that the process ended before there was one."""
    kept.wanted.clear()
    if kept.hand_over is not None and not kept.hand_over.done():
        kept.hand_over.set_exception(SUCCESSOR_NOT_READY(name=kept.described.name, log=kept.described.log))


async def _spawn(described: ServiceProcess, *, beside: bool = False) -> asyncio.subprocess.Process:
    """Start the process; ``beside`` another one, the ready file is that one's until it is replaced."""
    if not beside:
        described.ready_file.unlink(missing_ok=True)
    with described.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *described.command,
            cwd=described.directory,
            env=dict(described.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C of a foreground stack reaches the supervisor only
        )


async def _end(process: asyncio.subprocess.Process, death: asyncio.Task[int]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    done, _ = await asyncio.wait([death], timeout=STOP_TIMEOUT_SECONDS)
    if not done:
        process.kill()
        await death
