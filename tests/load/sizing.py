"""``python -m tests.load.sizing``: what a local stack needs at steady arrival rates; rows of docs/operations.md as JSON.

Cases arrive by the clock, done or not: a stack that is too slow shows it as latency, not as a lower rate.
``--markdown`` prints the rows as a table, ``--write`` puts it into docs/operations.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from cli.local.layout import SERVICES
from tests.load.lifecycle import whole_case
from tests.load.measured import percentiles
from tests.stacks.applicants import Applicant, Desk, case_workers
from tests.stacks.local import ROOT, LocalStack, local_stack
from tests.stacks.settling import settled

RATES = (5, 10, 20, 40, 80)
SECONDS = 60.0
APPLICANTS = 12
SETTLE_SECONDS = 60.0
PAGE = ROOT / "docs" / "operations.md"
_PLACE = re.compile(r"(<!-- sizing -->\n).*?(<!-- /sizing -->)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One arrival rate; processors in cores, memory in MiB of the four services together."""

    cases_per_minute: int
    cases: int
    p50_ms: float | None
    p95_ms: float | None
    service_cores: float
    service_mib: int
    postgres_cores: float
    drained_seconds: float | None


@dataclass
class Used:
    """Processor seconds and memory of the stack's processes at one moment."""

    services: float
    postgres: float
    memory: int


def used(stack: LocalStack) -> Used:
    """Return what the processes have used so far."""
    running = stack.state.processes
    services = [psutil.Process(running[name].pid) for name in SERVICES]
    root = psutil.Process(running["postgres"].pid)
    servers = [root, *root.children(recursive=True)]
    return Used(
        sum(_cpu(each) for each in services),
        sum(_cpu(each) for each in servers),
        sum(each.memory_info().rss for each in services),
    )


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


async def at_rate(
    stack: LocalStack, applicants: Sequence[Applicant], desk: Desk, rate: int, seconds: float
) -> Row:
    """Let cases arrive at a rate for some time; return what that took."""
    before, began = used(stack), time.monotonic()
    tasks: list[asyncio.Task[float]] = []
    for number in range(max(1, int(seconds * rate / 60))):
        due = began + number * 60 / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        tasks.append(asyncio.create_task(whole_case(applicants[number % len(applicants)], desk)))
    took = await asyncio.gather(*tasks)
    after, span = used(stack), time.monotonic() - began
    drained = await settled(stack, SETTLE_SECONDS)
    timed = percentiles(took)
    return Row(
        rate,
        len(took),
        timed["p50_ms"],
        timed["p95_ms"],
        round((after.services - before.services) / span, 2),
        after.memory // 1024**2,
        round(max(0.0, after.postgres - before.postgres) / span, 2),
        round(time.monotonic() - began - span, 1) if drained else None,
    )


async def measure(rates: Sequence[int], seconds: float) -> list[Row]:
    """Return a row for each rate, on one stack that was warmed up."""
    async with local_stack() as stack, case_workers(stack.reach, APPLICANTS, seed=7) as (applicants, desk):
        await asyncio.gather(*(whole_case(each, desk) for each in applicants[:4]))
        rows = []
        for rate in rates:
            rows.append(await at_rate(stack, applicants, desk, rate, seconds))
            sys.stderr.write(f"{rows[-1]}\n")
        return rows


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as the table of docs/operations.md."""
    memory = psutil.virtual_memory().total // 1024**3
    machine = f"{os.cpu_count()} cores, {memory} GiB, {platform.machine()}"
    lines = [
        f"{machine}; the load comes from the same machine. Latency is of one whole case: eight calls.\n",
        "| Cases a minute | p50 | p95 | Services, cores | Services, memory | PostgreSQL, cores | Events drained after |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.cases_per_minute} | {row.p50_ms} ms | {row.p95_ms} ms | {row.service_cores} | "
        f"{row.service_mib} MiB | {row.postgres_cores} | {row.drained_seconds} s |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def write(table: str, page: Path = PAGE) -> None:
    """Put the table between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(_PLACE.sub(lambda found: found[1] + table + found[2], text), encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.load.sizing", description=__doc__)
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES), help="cases a minute")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each rate")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args(arguments)
    rows = asyncio.run(measure(chosen.rates, chosen.seconds))
    if chosen.write:
        write(markdown(rows))
    print(markdown(rows) if chosen.markdown else json.dumps([asdict(row) for row in rows], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
