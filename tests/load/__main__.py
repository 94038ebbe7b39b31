"""``python -m tests.load``: measure, write build/bench.json, print a table. It reports; it never gates."""

from __future__ import annotations

import argparse
import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.load.event_path import event_path
from tests.load.measured import Measured, Missing, table, write
from tests.load.servers import ROOT, kafka, postgres

NAMES = (
    "event_path_postgres",
    "event_path_kafka",
    "licence_lookup",
    "case_lifecycle",
    "approve_to_told",
)
Note = Callable[[str], None]


async def event_paths(names: set[str], seconds: float, note: Note) -> list[Measured | Missing]:
    """Measure the event paths asked for, on one PostgreSQL and one broker."""
    found: list[Measured | Missing] = []
    async with AsyncExitStack() as servers:
        admin = await servers.enter_async_context(postgres())
        bootstrap = await servers.enter_async_context(kafka())
        for kind in ("postgres", "kafka"):
            name = f"event_path_{kind}"
            if name not in names:
                continue
            if kind == "kafka" and bootstrap is None:
                found.append(Missing(name, "no Kafka on this machine"))
                continue
            found.append(await event_path(kind, admin, bootstrap, seconds, lambda text: note(f"{name}: {text}")))
    return found
