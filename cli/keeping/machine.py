"""The doctor's look at the machine: what the local stack needs, and what a deployment's host must have."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from chassis.clock import CHINA_TIME, system_clock
from chassis.errors import Fault
from cli.commands.deadline import read_calendar
from cli.keeping import findings as known
from cli.keeping.calendars import LEAST_DAYS_LEFT, days_left
from cli.keeping.findings import Finding, Severity, judged
from cli.local.kafka import container, java
from cli.places import catalogue_dir

PYTHON_AT_LEAST = (3, 11)
MEMORY_AT_LEAST_MIB = 1024
DISK_AT_LEAST_MIB = 2048
_MIB = 1024**2


def check_machine(home: Path) -> Iterator[Finding]:
    """Yield what the local stack needs of this machine."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield judged("python", version, known.PYTHON, error=sys.version_info < PYTHON_AT_LEAST)
    memory = psutil.virtual_memory().available // _MIB
    yield judged("memory", f"{memory} MiB available", known.MEMORY, error=memory < MEMORY_AT_LEAST_MIB)
    place = next(each for each in (home, *home.parents) if each.exists())
    disk = shutil.disk_usage(place).free // _MIB
    yield judged("disk", f"{disk} MiB free at {place}", known.DISK, error=disk < DISK_AT_LEAST_MIB)
    yield judged("writable", str(home), known.NOT_WRITABLE, error=not os.access(place, os.W_OK))
    yield _tried("postgresql", _postgresql)
    directory = catalogue_dir()
    yield judged("catalogue", str(directory), known.CATALOGUE, error=not directory.is_dir())
    yield check_calendar(directory)


def check_kafka_tools() -> Iterator[Finding]:
    """Yield what only ``--bus kafka`` wants: a Docker engine with the image, or Java and Maven."""
    engine = container.can_run()
    yield _wanted("docker", container.image() if engine else "no engine or image", has=engine)
    yield _wanted("java", f"Java {java.JAVA_AT_LEAST} or newer", has=java.can_run())
    maven = shutil.which("mvn")
    yield _wanted("maven", maven or "mvn not found", has=maven is not None)


def check_calendar(directory: Path) -> Finding:
    """Tell whether the working-day calendar reaches far enough for the terms that start today."""
    try:
        calendar = read_calendar(directory)
    except Fault as fault:
        return Finding("calendar", Severity.ERROR, fault.en, known.CALENDAR)
    left = days_left(calendar, system_clock().astimezone(CHINA_TIME).date())
    found = f"ends {calendar.last_day}, {left} days left"
    return judged("calendar", found, known.CALENDAR, error=left < 0, warning=left < LEAST_DAYS_LEFT)


def check_door(name: str, address: str, *, expected: bool) -> Finding:
    """Tell whether somebody listens at ``host:port``, and whether that is as expected."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host or "127.0.0.1", int(port)), timeout=2):
            answers = True
    except (OSError, ValueError):
        answers = False
    advice = known.SERVICE_DOWN if expected else known.PORT_TAKEN
    return judged(
        name, f"{address} {'answers' if answers else 'does not answer'}", advice, error=answers != expected
    )


def _wanted(name: str, found: str, *, has: bool) -> Finding:
    severity = Severity.OK if has else Severity.WARNING
    return Finding(name, severity, found, known.KAFKA_TOOLS)


def _tried(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, Severity.OK, look())
    except (Fault, ImportError, OSError, subprocess.SubprocessError) as problem:
        text = problem.en if isinstance(problem, Fault) else str(problem)
        return Finding(name, Severity.ERROR, text, known.POSTGRESQL)


def _postgresql() -> str:
    from cli.local.postgres import version  # noqa: PLC0415 - the wheel may be missing: that is the finding

    return version()
