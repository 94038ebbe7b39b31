"""`tongban doctor`: what this machine has and lacks for the local stack, before anything is started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.table import Table

from chassis.clock import CHINA_TIME, system_clock
from chassis.errors import Fault
from cli.commands.deadline import read_calendar
from cli.local.kafka import container, java
from cli.output import EXIT_REFUSED, AsJson, show
from cli.places import catalogue_dir, stack_home

PYTHON_AT_LEAST = (3, 11)
MEMORY_AT_LEAST_MIB = 1024
DISK_AT_LEAST_MIB = 2048
CALENDAR_AHEAD = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it is in order, and what was found."""

    name: str
    ok: bool
    needed: bool
    found: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    *,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """检查本机环境 | Name everything this machine lacks; exit status 1 when the stack could not run."""
    findings = [*_needed(stack_home(data_dir)), *_for_kafka()]
    ok = all(each.ok for each in findings if each.needed)
    table = Table("检查 | check", "结果 | result", "详情 | found")
    for each in findings:
        table.add_row(each.name, "✓" if each.ok else "✗" if each.needed else "-", each.found)
    show({"ok": ok, "checks": [asdict(each) for each in findings]}, table, as_json=as_json)
    if not ok:
        raise typer.Exit(EXIT_REFUSED)


def _needed(home: Path) -> Iterable[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= PYTHON_AT_LEAST, needed=True, found=version)
    memory = psutil.virtual_memory().available // 1024**2
    yield Finding("memory", memory >= MEMORY_AT_LEAST_MIB, needed=True, found=f"{memory} MiB available")
    place = next(each for each in (home, *home.parents) if each.exists())
    disk = shutil.disk_usage(place).free // 1024**2
    yield Finding("disk", disk >= DISK_AT_LEAST_MIB, needed=True, found=f"{disk} MiB free at {place}")
    yield Finding("writable", os.access(place, os.W_OK), needed=True, found=str(home))
    yield _tried("postgresql", _postgresql)
    directory = catalogue_dir()
    yield Finding("catalogue", directory.is_dir(), needed=True, found=str(directory))
    yield _calendar()


def _for_kafka() -> Iterable[Finding]:
    """Look for what only ``--bus kafka`` wants: a Docker engine with the image, or Java and Maven."""
    engine = container.can_run()
    yield Finding("docker", engine, needed=False, found=container.image() if engine else "no engine or image")
    yield Finding("java", java.can_run(), needed=False, found=f"Java {java.JAVA_AT_LEAST} or newer")
    maven = shutil.which("mvn")
    yield Finding("maven", maven is not None, needed=False, found=maven or "mvn not found")


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, ok=True, needed=True, found=look())
    except (Fault, ImportError, OSError, subprocess.SubprocessError) as problem:
        text = problem.en if isinstance(problem, Fault) else str(problem)
        return Finding(name, ok=False, needed=True, found=text)


def _postgresql() -> str:
    from cli.local.postgres import version  # noqa: PLC0415 - the wheel may be missing: that is the finding

    return version()


def _calendar() -> Finding:
    """Tell whether the working-day calendar reaches far enough for the terms that start today."""
    try:
        last_day = read_calendar(catalogue_dir()).last_day
    except Fault as fault:
        return Finding("calendar", ok=False, needed=False, found=fault.en)
    ahead = last_day - system_clock().astimezone(CHINA_TIME).date()
    advice = "" if ahead >= CALENDAR_AHEAD else ": load next year's notice"
    return Finding("calendar", ok=not advice, needed=False, found=f"ends {last_day}{advice}")
