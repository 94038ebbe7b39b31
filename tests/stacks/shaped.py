"""A local stack whose services run elsewhere or otherwise than usual: in a network namespace, with another
clock, on another database host, held back while a file stands.

``python -m tests.stacks.shaped HOME`` runs the stack that HOME describes as HOME/shape.json says.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, Field

from cli.local import control
from cli.local.control import Wanted, await_ready
from cli.local.layout import SERVICES, Layout
from cli.local.run import Stack, run_stack
from cli.local.services import ServiceProcess, stack_processes
from cli.local.state import StackState, read_state
from tests.stacks.local import ROOT, LocalStack

_HELD = 'while [ -e "$0" ]; do sleep 0.1; done; exec "$@"'


class Shape(BaseModel):
    """What differs from an ordinary stack."""

    prefix: dict[str, list[str]] = Field(default_factory=dict)
    """Service → words before its command, e.g. ``ip netns exec …``."""
    environment: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Service → environment of its own."""
    postgres_hosts: list[str] = Field(default_factory=list)
    """Hosts (socket directories) that services try in turn for one that takes writes; an empty one is the stack's own."""
    revive_postgres: bool = True
    """Whether the supervisor starts a dead database again; not where a standby takes its place."""


class ShapedStack(Stack):
    """The stack, its services shaped."""

    def __init__(self, layout: Layout, state: StackState) -> None:
        self.shape = Shape.model_validate_json(shape_file(layout).read_text())
        super().__init__(layout, state, self._shaped)

    def _shaped(self, layout: Layout, state: StackState) -> Sequence[ServiceProcess]:
        return [self._one(layout, each) for each in stack_processes(layout, state)]

    def _one(self, layout: Layout, each: ServiceProcess) -> ServiceProcess:
        name = each.name
        command = (*self.shape.prefix.get(name, ()), *each.command)
        held = ("/bin/sh", "-c", _HELD, str(hold_file(layout, name)), *command)
        return replace(
            each,
            command=held,
            environment={
                **each.environment,
                **self._addresses(layout, name),
                **self.shape.environment.get(name, {}),
            },
        )

    def _addresses(self, layout: Layout, name: str) -> dict[str, str]:
        if not self.shape.postgres_hosts or name not in SERVICES:
            return {}
        found = {}
        for kind in ("database_dsn", "bus_dsn"):
            known = (layout.secrets(name) / f"tongban_{name}_{kind}").read_text()
            found[f"TONGBAN_{name}_{kind}".upper()] = moved(known, self.shape.postgres_hosts)
        return found

    def _start_postgres(self) -> None:
        if self.state.state == "starting" or self.shape.revive_postgres:
            super()._start_postgres()


def moved(dsn: str, hosts: Sequence[str]) -> str:
    """Return a DSN that leads to the first of the hosts which takes writes."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    query |= {"host": ",".join(each or query["host"] for each in hosts), "target_session_attrs": "read-write"}
    return urlunsplit(parts._replace(query=urlencode(query, safe="/,")))


def shape_file(layout: Layout) -> Path:
    """Return where the shape of a stack stands."""
    return layout.home / "shape.json"


def hold_file(layout: Layout, service: str) -> Path:
    """Return the file that keeps a service from starting while it is there."""
    return layout.home / "run" / f"{service}.held"


@asynccontextmanager
async def shaped_stack(
    shape: Callable[[Layout, StackState], Shape],
    wanted: Wanted | None = None,
    *,
    made: Callable[[Layout], None] = lambda _layout: None,
) -> AsyncIterator[LocalStack]:
    """Run a fresh stack for the block in the shape that ``shape`` gives it; nothing is left afterwards.

    ``made`` is called with the empty home (to mount something below it); ``shape`` may change addresses
    in the state it is given.
    """
    home = Path(tempfile.mkdtemp(prefix="tbshape"))
    layout = Layout(home)
    layout.make()
    made(layout)
    supervisors: list[subprocess.Popen[bytes]] = []

    def run(layout: Layout) -> None:
        state = read_state(layout.state_file)
        assert state is not None
        shape_file(layout).write_text(shape(layout, state).model_dump_json())
        state.write(layout.state_file)
        supervisors.append(_run_detached(layout))

    asked = wanted or Wanted(ROOT / "catalogue")
    try:
        await asyncio.to_thread(control.start, layout, asked, run)
        await asyncio.to_thread(await_ready, layout)
        yield LocalStack(layout)
    except Exception as problem:
        for name in ("supervisor", *SERVICES):
            log = layout.log(name)
            problem.add_note(
                f"--- {name}\n{log.read_text(errors='replace')[-1_500:] if log.exists() else ''}"
            )
        raise
    finally:
        if read_state(layout.state_file) is not None:
            await asyncio.to_thread(control.stop, layout)
        for supervisor in supervisors:
            supervisor.wait()
        shutil.rmtree(home, ignore_errors=True)


def _run_detached(layout: Layout) -> subprocess.Popen[bytes]:
    with layout.log("supervisor").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.stacks.shaped", str(layout.home)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    control.await_supervisor(layout, process)
    return process


if __name__ == "__main__":
    sys.exit(asyncio.run(run_stack(Layout(Path(sys.argv[1])), lambda _state: None, ShapedStack)))
