"""``python -m tests.load``: measure, write build/bench.json, print it as JSON. It reports; it never gates.

The JSON goes to standard output, progress and a table for people to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import structlog
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.load.event_path import event_path
from tests.load.licence_import import licence_import
from tests.load.lifecycle import case_work
from tests.load.log_append import log_append
from tests.load.lookup import licence_lookup
from tests.load.measured import Measured, Missing, table, write
from tests.load.pdf_seal import PDF_SEAL, pdf_seal
from tests.load.qr_verify import QR_VERIFY, qr_verify
from tests.load.replica_lag import replica_lag
from tests.load.seal_batch import OFD_BATCH, ofd_batch
from tests.load.seal_ofdrw import ofd_seal_ofdrw
from tests.load.sealing import SEALING, sealing
from tests.load.servers import ROOT, kafka, postgres
from tests.load.tsa_token import TSA_TOKEN, tsa_token
from tests.load.volume import volume

EVENT_PATHS = ("event_path_postgres", "event_path_kafka")
CASE_WORK = ("case_lifecycle", "approve_to_told")
NAMES = (
    *EVENT_PATHS,
    "licence_import",
    "licence_lookup",
    "log_append",
    "replica_lag",
    *CASE_WORK,
    "ofd_seal_ofdrw",
    "volume",
    *SEALING,
    *OFD_BATCH,
    *PDF_SEAL,
    *TSA_TOKEN,
    *QR_VERIFY,
)
Note = Callable[[str], None]
Found = list[Measured | Missing]
Job = Callable[[tuple[str, ...], float, Note], AsyncIterator[Measured | Missing]]


async def event_paths(
    names: tuple[str, ...], seconds: float, note: Note
) -> AsyncIterator[Measured | Missing]:
    """Measure the event paths asked for, on one PostgreSQL and one broker."""
    async with AsyncExitStack() as servers:
        admin = await servers.enter_async_context(postgres())
        bootstrap = await servers.enter_async_context(kafka())
        for name in names:
            kind = name.removeprefix("event_path_")
            if kind == "kafka" and bootstrap is None:
                yield Missing(name, "no Kafka on this machine")
            else:
                yield await event_path(kind, admin, bootstrap, seconds, note)


async def imports(_names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured | Missing]:
    """Measure the import of licences."""
    yield await licence_import(seconds, note)


async def lookups(_names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured | Missing]:
    """Measure look-ups in the registry."""
    async for each in licence_lookup(seconds, note):
        yield each


async def replicas(_names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured | Missing]:
    """Measure how late a replica is."""
    yield await replica_lag(seconds, note)


async def volumes(_names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured | Missing]:
    """Measure what a million cases cost the main job."""
    yield await volume(seconds, note)


JOBS: dict[tuple[str, ...], Job] = {
    EVENT_PATHS: event_paths,
    ("licence_import",): imports,
    ("licence_lookup",): lookups,
    ("log_append",): log_append,
    ("replica_lag",): replicas,
    CASE_WORK: case_work,
    ("ofd_seal_ofdrw",): ofd_seal_ofdrw,
    ("volume",): volumes,
    SEALING: sealing,
    OFD_BATCH: ofd_batch,
    PDF_SEAL: pdf_seal,
    TSA_TOKEN: tsa_token,
    QR_VERIFY: qr_verify,
}


async def measure(wanted: set[str], seconds: float, progress: Progress) -> Found:
    """Run the jobs that any wanted name needs; one that fails is reported and the others go on."""
    found: Found = []
    for names, job in JOBS.items():
        chosen = tuple(name for name in names if name in wanted)
        if not chosen:
            continue
        task = progress.add_task(", ".join(chosen), total=None)

        def note(text: str, task: object = task, chosen: tuple[str, ...] = chosen) -> None:
            progress.update(task, description=f"{', '.join(chosen)}: {text}")  # type: ignore[arg-type]

        try:
            async for each in job(chosen, seconds, note):
                found.append(each)
            note("done")
        except Exception as problem:
            traceback.print_exc()
            made = {each.name for each in found}
            why = f"{type(problem).__name__}: {problem}"[:200]
            found += [Missing(name, why) for name in chosen if name not in made]
        progress.update(task, total=1, completed=1)
    return found


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measured span")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    given = parser.parse_args()
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # children are other programs; gRPC would warn
    logging.disable(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 180)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    ) as shown:
        found = asyncio.run(measure(set(given.only or NAMES), given.seconds, shown))
    write(found, given.out)
    console.print(table(found))
    console.print(f"written to {given.out}")
    sys.stdout.write(given.out.read_text("utf-8"))


if __name__ == "__main__":
    main()
