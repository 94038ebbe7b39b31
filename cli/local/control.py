"""Start, find and stop a local stack from another process."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.faults import PORT_TAKEN, STACK_DID_NOT_START, STACK_NOT_RUNNING, STACK_RUNS_OTHERWISE
from cli.local.layout import SERVICES, Layout
from cli.local.ports import LOOPBACK, free_port, is_free
from cli.local.postgres import EmbeddedPostgres
from cli.local.state import LOCAL_LOG_ORIGIN, Bus, Endpoints, StackState, read_state
from cli.local.supervisor import STOP_TIMEOUT_SECONDS

START_TIMEOUT_SECONDS = 120.0
FIRST_KAFKA_TIMEOUT_SECONDS = 900.0
"""The first start with Kafka may have to fetch 45 MB of jars."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `tongban up` was asked for."""

    catalogue: Path
    bus: Bus = "postgres"
    kafka_bootstrap: str | None = None
    ports_from: int | None = None
    intake_http: int | None = None


_LOG_ORIGIN = "TONGBAN_LOG_ORIGIN"
"""Names a new stack's log; what has signed checkpoints keeps its name."""


def describe(layout: Layout, wanted: Wanted) -> StackState:
    """Return a stack to start: ports as asked for, else those of last time while free, else free ones.

    Raises PORT_TAKEN for a port that was asked for.
    """
    before = read_state(layout.state_file)
    return StackState(
        bus=wanted.bus,
        catalogue=wanted.catalogue,
        kafka_bootstrap=wanted.kafka_bootstrap,
        kafka_is_ours=wanted.bus == "kafka" and wanted.kafka_bootstrap is None,
        tsa=_address(None, before.tsa if before else None),
        witness=_address(None, before.witness if before else None),
        sharing=_address(None, before.sharing if before else None),
        log_origin=before.log_origin if before else os.environ.get(_LOG_ORIGIN, LOCAL_LOG_ORIGIN),
        services={
            name: _endpoints(name, number, wanted, before.services.get(name) if before else None)
            for number, name in enumerate(SERVICES)
        },
    )


def start(layout: Layout, wanted: Wanted, run: Callable[[Layout], None]) -> None:
    """Have a stack running: the one that runs already, or a new one started by ``run``.

    ``run`` returns when the stack's supervisor has put itself into stack.json, or when it ended.
    Raises STACK_RUNS_OTHERWISE when one with another bus runs.
    """
    layout.make()
    with _alone(layout):
        present = read_state(layout.state_file)
        if present is not None and present.supervised:
            if present.bus != wanted.bus:
                raise STACK_RUNS_OTHERWISE(bus=present.bus)
            return
        if present is not None:
            _end_leftovers(layout, present)
        describe(layout, wanted).write(layout.state_file)
        run(layout)


def run_detached(layout: Layout) -> None:
    """Start the supervisor as a process of its own that outlives this one."""
    with layout.log("supervisor").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.local.run", str(layout.home)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    await_supervisor(layout, process)


def await_supervisor(layout: Layout, process: subprocess.Popen[bytes]) -> None:
    """Return when the process has put itself into stack.json as the supervisor, or ended."""
    while process.poll() is None:
        state = read_state(layout.state_file)
        if state is not None and state.supervisor is not None:
            return
        time.sleep(_POLL_SECONDS)


def await_ready(layout: Layout) -> StackState:
    """Return the stack as soon as all of it is ready. Raises STACK_DID_NOT_START."""
    deadline: float | None = None
    while True:
        state = read_state(layout.state_file)
        if state is None or not state.supervised:
            if state and state.failure:
                raise state.failure.fault()
            raise STACK_DID_NOT_START(detail="the supervisor ended", logs=layout.logs)
        if state.state == "ready":
            return state
        limit = FIRST_KAFKA_TIMEOUT_SECONDS if state.kafka_is_ours else START_TIMEOUT_SECONDS
        deadline = deadline or time.monotonic() + limit
        if time.monotonic() > deadline:
            raise STACK_DID_NOT_START(detail=f"not ready after {limit:.0f} s", logs=layout.logs)
        time.sleep(_POLL_SECONDS)


def stop(layout: Layout) -> StackState:
    """Have nothing of the stack running, whatever state it was left in; its data stays.

    Raises STACK_NOT_RUNNING where there never was one.
    """
    state = read_state(layout.state_file)
    if state is None:
        raise STACK_NOT_RUNNING()
    with _alone(layout):
        if state.supervisor is not None:
            state.supervisor.process.end(2 * STOP_TIMEOUT_SECONDS)
        state = read_state(layout.state_file) or state
        _end_leftovers(layout, state)
        return state


def running(layout: Layout) -> StackState:
    """Return the stack that runs. Raises STACK_NOT_RUNNING."""
    state = read_state(layout.state_file)
    if state is None or not state.supervised:
        raise STACK_NOT_RUNNING()
    return state


def _end_leftovers(layout: Layout, state: StackState) -> None:
    """End what a killed supervisor left behind; only processes that are provably ours."""
    for name, each in state.processes.items():
        if name != "postgres":
            each.process.end(STOP_TIMEOUT_SECONDS)
    EmbeddedPostgres(layout.postgres).stop()
    state.processes, state.supervisor, state.state = {}, None, "stopped"
    state.write(layout.state_file)


def _endpoints(name: str, number: int, wanted: Wanted, before: Endpoints | None) -> Endpoints:
    first = None if wanted.ports_from is None else wanted.ports_from + 2 * number
    http = (wanted.intake_http if name == "intake" else None) or first
    grpc = None if first is None else first + 1
    return Endpoints(
        http=_address(http, before.http if before else None),
        grpc=_address(grpc, before.grpc if before else None),
        metrics=_address(None, before.metrics if before else None),
    )


def _address(asked: int | None, before: str | None) -> str:
    if asked is not None:
        if not is_free(asked):
            raise PORT_TAKEN(port=asked)
        return f"{LOOPBACK}:{asked}"
    if before is not None and is_free(int(before.rpartition(":")[2])):
        return before
    return f"{LOOPBACK}:{free_port()}"


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Hold the stack against a second `up` or `down` at the same time."""
    with (layout.home / "control.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
