"""The life of a local stack: PostgreSQL, the bus, one preparation job, the signer, four services, until a signal.

`python -m cli.local.run HOME` runs the stack that HOME/stack.json describes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from chassis.errors import Fault
from chassis.logs import get_logger
from cli.local.credentials import drop_moved_secrets, make_secrets, passwords, write_dsns
from cli.local.faults import PREPARATION_FAILED, STACK_DID_NOT_START, STACK_NOT_RUNNING
from cli.local.jobs import make_seals, make_tsa_keys, register_terminals
from cli.local.kafka import RunningKafka, start_kafka
from cli.local.layout import Layout
from cli.local.postgres import EmbeddedPostgres
from cli.local.processes import ProcessId, me
from cli.local.restarts import answer_restarts
from cli.local.services import ServiceProcess, stack_processes
from cli.local.state import Failure, Running, StackState, read_state
from cli.local.supervisor import Supervisor

READY_TIMEOUT_SECONDS = 60.0
_WATCH_SECONDS = 1.0
Described = Callable[[Layout, StackState], Sequence[ServiceProcess]]

log = get_logger(__name__)


class Stack:
    """One stack in this process; ``state`` is on disk whenever it changes."""

    def __init__(self, layout: Layout, state: StackState, described: Described = stack_processes) -> None:
        self.layout, self.state, self._described = layout, state, described
        self._postgres = EmbeddedPostgres(layout.postgres)
        self._kafka: RunningKafka | None = None
        self._supervisor: Supervisor | None = None

    async def start(self) -> None:
        """Have everything running and ready, or raise the refusal that says what is not."""
        began = time.monotonic()
        self._write("starting")
        make_secrets(self.layout)
        drop_moved_secrets(self.layout)
        await asyncio.gather(asyncio.to_thread(self._start_postgres), asyncio.to_thread(self._start_kafka))
        self._write("starting")
        write_dsns(self.layout, self._postgres.server_dsn)
        await asyncio.gather(self._prepare(), make_tsa_keys(self.layout))
        register_terminals(self.layout, self.state.catalogue)
        described = self._described(self.layout, self.state)
        self._supervisor = Supervisor(described, lambda: self._write(self.state.state))
        self._supervisor.start()
        _, late = await asyncio.gather(
            make_seals(self.layout, self.state.catalogue), self._supervisor.wait_ready(READY_TIMEOUT_SECONDS)
        )
        if late:
            raise STACK_DID_NOT_START(detail="; ".join(late), logs=self.layout.logs)
        self.state.started_seconds = round(time.monotonic() - began, 2)
        self._write("ready")

    async def watch(self, stop: asyncio.Event) -> None:
        """Bring the database and the broker back when they die, and restart what is asked for, until ``stop``.

        One that does not start now (a full disk) is tried again for ever: the stack heals with its cause.
        """
        while not stop.is_set():
            if not self._postgres.pid:
                await self._revive("postgres", self._start_postgres)
            if self._kafka is not None and not self._kafka.pid:
                await self._revive("kafka", self._kafka.restart)
            if self._supervisor is not None:
                await answer_restarts(self.layout, self._supervisor)
            await _either(stop, _WATCH_SECONDS)

    async def _revive(self, name: str, start: Callable[[], None]) -> None:
        try:
            await asyncio.to_thread(start)
            self._write("ready")
        except (Fault, OSError) as problem:
            log.warning("not_revived", name=name, cause=str(problem))

    async def stop(self) -> None:
        """Have nothing of the stack running: services first, then the bus, then the database."""
        if self._supervisor is not None:
            await self._supervisor.stop()
        if self._kafka is not None:
            await asyncio.to_thread(self._kafka.stop)
        await asyncio.to_thread(self._postgres.stop)

    def fail(self, fault: Fault) -> None:
        """Leave the refusal where `tongban up` reads it."""
        self.state.failure = Failure(reason=fault.code, zh=fault.zh, en=fault.en)
        self._write("failed")

    def close(self) -> None:
        """Note that nothing runs any more; a failure stays readable."""
        self.state.processes, self.state.supervisor = {}, None
        self._write("failed" if self.state.failure else "stopped")

    def _start_postgres(self) -> None:
        self._postgres.start(passwords(self.layout)["postgres"])

    def _start_kafka(self) -> None:
        if self.state.kafka_is_ours:
            self._kafka = start_kafka(self.layout.kafka)
            self.state.kafka_bootstrap = self._kafka.bootstrap

    async def _prepare(self) -> None:
        bootstrap = [self.state.kafka_bootstrap] if self.state.kafka_bootstrap else []
        job = [sys.executable, "-m", "cli.local.prepare", str(self.layout.home), self.state.bus, *bootstrap]
        with self.layout.log("prepare").open("ab") as log:
            process = await asyncio.create_subprocess_exec(*job, stdout=asyncio.subprocess.PIPE, stderr=log)
            told, _ = await process.communicate()
        if process.returncode:
            last = told.decode().strip().splitlines()[-1:] or ["{}"]
            detail = json.loads(last[0]).get("en") or self.layout.log("prepare")
            raise PREPARATION_FAILED(detail=detail)

    def _write(self, state: str) -> None:
        self.state.state = state  # type: ignore[assignment]
        if state in {"starting", "ready"}:
            self.state.processes = self._processes()
        self.state.write(self.layout.state_file)

    def _processes(self) -> dict[str, Running]:
        found = {"postgres": _running(ProcessId.of(self._postgres.pid) if self._postgres.pid else None)}
        if self._kafka is not None and self._kafka.pid:
            found["kafka"] = _running(ProcessId.of(self._kafka.pid))
        for kept in self._supervisor.kept if self._supervisor else ():
            found[kept.described.name] = _running(kept.process, kept.restarts)
        return {name: running for name, running in found.items() if running is not None}


async def run_stack(
    layout: Layout, on_ready: Callable[[StackState], None], stack_class: type[Stack] = Stack
) -> int:
    """Run the described stack until SIGTERM or SIGINT; return the exit status."""
    state = read_state(layout.state_file)
    if state is None:
        raise STACK_NOT_RUNNING()
    this = me()
    state.supervisor = Running(pid=this.pid, started_at=this.started_at)
    stack, stop = stack_class(layout, state), asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    try:
        await _unless(stop, stack.start())
        if not stop.is_set():
            on_ready(state)
            await stack.watch(stop)
    except Fault as fault:
        stack.fail(fault)
    finally:
        await stack.stop()
        stack.close()
    return 1 if state.failure else 0


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do the work, or give it up as soon as ``stop`` is set."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        working.result()
        return
    working.cancel()
    await asyncio.wait([working])


async def _either(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


def _running(process: ProcessId | None, restarts: int = 0) -> Running | None:
    if process is None:
        return None
    return Running(pid=process.pid, started_at=process.started_at, restarts=restarts)


if __name__ == "__main__":
    sys.exit(asyncio.run(run_stack(Layout(Path(sys.argv[1])), lambda _state: None)))
