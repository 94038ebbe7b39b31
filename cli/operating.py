"""A service's insides for an operator's one-off work: its database and handlers, without its doors."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from chassis.service import Made, Runtime, open_runtime
from chassis.settings import ServiceSettings
from cli.local.layout import Layout
from cli.local.services import service_processes
from cli.local.state import read_state
from cli.roots import ROOTS


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened service: what it runs with, and how its own parts are built."""

    runtime: Runtime
    build: Callable[[Runtime], Awaitable[Made]]


@asynccontextmanager
async def open_service(service: str, layout: Layout) -> AsyncIterator[Opened]:
    """Yield a service beside its running process, over the local stack's settings or the environment's.

    Raises SETTINGS_INCOMPLETE, PEER_UNAVAILABLE, SCHEMA_OUTDATED.
    """
    take_settings(service, layout)
    root = import_module(ROOTS[service])
    found: Any = getattr(import_module(f"services.{service}.settings"), f"{service.title()}Settings")
    settings: ServiceSettings = found()
    async with open_runtime(settings) as runtime:
        yield Opened(runtime, root.build)


def take_settings(service: str, layout: Layout) -> None:
    """Take the settings of the local stack's process over, unless the environment has its own."""
    state = read_state(layout.state_file)
    if state is not None and state.supervised and f"TONGBAN_{service.upper()}_DATABASE_DSN" not in os.environ:
        described = next(each for each in service_processes(layout, state) if each.name == service)
        os.environ.update(described.environment)
    os.environ.pop(f"TONGBAN_{service.upper()}_READY_FILE", None)  # belongs to the running process
