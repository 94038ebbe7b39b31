"""The real stack, four service processes under their supervisor, in a temporary directory.

``async with local_stack() as stack``; used by the load, chaos and end-to-end runs.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.credentials import migrator_dsn
from cli.local.layout import SERVICES, Layout
from cli.local.postgres import EmbeddedPostgres
from cli.local.state import Bus, StackState, read_state
from cli.reach import Reach

ROOT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60.0
_POLL_SECONDS = 0.05
_TROUBLE = ('"level": "error"', '"event": "stopped"', "Traceback")


def troubles(log: str) -> str:
    """Return the lines of a log in which something went wrong or a process ended."""
    lines = (line for line in log.splitlines() if any(word in line for word in _TROUBLE))
    return "\n".join(line[:1_500] for line in lines)


@dataclass(frozen=True)
class LocalStack:
    """A running stack: its doors through `reach`, its databases for checks, its processes to be killed."""

    layout: Layout

    @property
    def state(self) -> StackState:
        """What the supervisor wrote last."""
        state = read_state(self.layout.state_file)
        assert state is not None
        return state

    @property
    def reach(self) -> Reach:
        """The public doors."""
        return Reach(self.layout, self.state)

    def dsn(self, database: str) -> str:
        """Return a DSN that reads every table of a service, or of ``bus``."""
        return migrator_dsn(self.layout, EmbeddedPostgres(self.layout.postgres).server_dsn, database)

    def kill(self, service: str) -> int:
        """End a service's process at once (SIGKILL): relay, consumer and doors die together. Return its id."""
        pid = self.state.processes[service].pid
        os.kill(pid, signal.SIGKILL)
        return pid

    async def ready_again(self, service: str, before: int) -> float:
        """Wait until the supervisor's new process is ready; return the seconds that took. Also for ``postgres``."""
        began = time.monotonic()
        while time.monotonic() - began < READY_SECONDS:
            started = self.state.processes.get(service)
            marked = self._marked(service) if service in SERVICES else before
            if started and started.pid != before and marked in {started.pid, before}:
                return time.monotonic() - began
            await asyncio.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{service} is not back: {self.log(service)}")

    def log(self, service: str, characters: int = 2_000) -> str:
        """Return the end of a service's log."""
        return self.layout.log(service).read_text(errors="replace")[-characters:]

    def complaints(self) -> str:
        """Return what the processes logged as wrong, and which ended; what a failed test says of its stack."""
        logs = (path.read_text(errors="replace") for path in sorted(self.layout.logs.glob("*.log")))
        return "\n".join(map(troubles, logs))

    def _marked(self, service: str) -> int:
        try:
            return int(self.layout.ready(service).read_text())
        except (OSError, ValueError):
            return 0


@asynccontextmanager
async def local_stack(
    bus: Bus = "postgres", kafka_bootstrap: str | None = None, catalogue: Path = ROOT / "catalogue"
) -> AsyncIterator[LocalStack]:
    """Run a fresh stack for the block; nothing of it is left afterwards, nor its directory."""
    home = Path(tempfile.mkdtemp(prefix="tbstack"))
    stack = LocalStack(Layout(home))
    broker = ["--kafka-bootstrap", kafka_bootstrap] if kafka_bootstrap else []
    try:
        await _tongban("up", "--bus", bus, *broker, "--catalogue", str(catalogue), home=home)
        yield stack
    except BaseException:
        print(stack.complaints())
        raise
    finally:
        if read_state(stack.layout.state_file) is not None:
            await _tongban("down", home=home)
        shutil.rmtree(home, ignore_errors=True)


async def _tongban(*arguments: str, home: Path) -> None:
    """Run the command as a user does. Raises RuntimeError with what it printed and the services' last words."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        *arguments,
        "--data-dir",
        str(home),
        "--json",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await process.communicate()
    if process.returncode:
        logs = "".join(
            f"\n--- {path.name}\n{path.read_text(errors='replace')[-1_500:]}"
            for path in sorted((home / "logs").glob("*.log"))
        )
        raise RuntimeError(f"tongban {arguments[0]}: {told.decode()}{logs}")


__all__ = ["SERVICES", "LocalStack", "local_stack"]
