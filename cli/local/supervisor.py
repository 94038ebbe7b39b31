"""Keeps processes alive: starts them, restarts what dies with back-off, stops all in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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

    @property
    def ready(self) -> bool:
        """Whether the present process says of itself that it is ready."""
        try:
            return self.process is not None and int(self.described.ready_file.read_text()) == self.process.pid
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
        """Start the process and return how long it lived, in seconds; ends it when we are to stop."""
        started = asyncio.get_running_loop().time()
        process = await _spawn(kept.described)
        kept.process = ProcessId.of(process.pid)
        self._changed()
        stopping = asyncio.create_task(self._stopping.wait())
        death = asyncio.create_task(process.wait())
        await asyncio.wait([stopping, death], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not death.done():
            await _end(process, death)
        kept.exited_with = process.returncode
        return asyncio.get_running_loop().time() - started

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


async def _spawn(described: ServiceProcess) -> asyncio.subprocess.Process:
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
