"""Sets the gauges that no call sets by itself: ages, days left, free places. Looked at again and again."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.errors import Fault
from chassis.failures import describe
from chassis.keyring import read_keyring
from chassis.logs import get_logger
from chassis.process_metrics import (
    BACKUP_AGE_SECONDS,
    DISK_FREE_RATIO,
    FIELD_KEY_AGE_DAYS,
    LOOP_LAG_SECONDS,
    MEASURE_FAILURES,
    READY,
    TLS_DAYS_LEFT,
)
from chassis.readiness import Readiness
from chassis.run import Part
from chassis.settings import ServiceSettings

DAY_SECONDS = 86_400.0
TICK_SECONDS = 0.5

log = get_logger(__name__)

Measure = Callable[[Transaction], Awaitable[None]]
"""Reads what it needs in a transaction and sets a service's own gauges."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the gauges of one process are read from."""

    settings: ServiceSettings
    database: Database
    readiness: Readiness
    clock: Clock
    measures: Sequence[Measure] = ()


def measuring(looked: Looked) -> Part:
    """Return the part that keeps the gauges of a process true, every ``measure_seconds`` of the settings."""
    for kind in (*_LOCAL, "database"):
        MEASURE_FAILURES.labels(kind)

    async def run(stop: asyncio.Event) -> None:
        looking = asyncio.create_task(_keep_looking(looked), name="gauges")
        ticking = asyncio.create_task(_watch_loop(looked), name="loop-lag")
        try:
            await stop.wait()
        finally:
            for each in (looking, ticking):
                each.cancel()
            await asyncio.gather(looking, ticking, return_exceptions=True)

    return Part("measuring", run)


async def measure_once(looked: Looked) -> None:
    """Set every gauge once; what cannot be read is counted and leaves its gauge as it was."""
    looked.database.measure()
    for kind, read in _LOCAL.items():
        try:
            read(looked)
        except (OSError, ValueError, KeyError, Fault) as problem:
            _failed(kind, problem)
    for measure in looked.measures:
        try:
            async with looked.database.transaction() as tx:
                await measure(tx)
        except Exception as problem:  # noqa: BLE001 - an old gauge must not end the service
            _failed("database", problem)


async def _keep_looking(looked: Looked) -> None:
    while True:
        await measure_once(looked)
        await asyncio.sleep(looked.settings.measure_seconds)


async def _watch_loop(looked: Looked) -> None:
    """Keep the largest delay of the last interval: a loop that stands still delays everybody."""
    loop, worst, told = asyncio.get_running_loop(), 0.0, asyncio.get_running_loop().time()
    while True:
        before = loop.time()
        await asyncio.sleep(TICK_SECONDS)
        worst = max(worst, loop.time() - before - TICK_SECONDS)
        READY.set(looked.readiness.ready)
        if loop.time() - told >= looked.settings.measure_seconds:
            LOOP_LAG_SECONDS.set(worst)
            worst, told = 0.0, loop.time()


def _tls(looked: Looked) -> None:
    paths = (looked.settings.tls_certificate, looked.settings.tls_authority)
    ends = [
        each.not_valid_after_utc
        for path in paths
        for each in x509.load_pem_x509_certificates(path.read_bytes())
    ]
    TLS_DAYS_LEFT.set((min(ends) - looked.clock()).total_seconds() / DAY_SECONDS)


def _field_key(looked: Looked) -> None:
    keyring = read_keyring(looked.settings.field_keys)
    made = keyring.made_at.get(keyring.active) or datetime(int(keyring.active[:4]), 1, 1, tzinfo=UTC)
    FIELD_KEY_AGE_DAYS.set((looked.clock() - made).total_seconds() / DAY_SECONDS)


def _disk(looked: Looked) -> None:
    place = next(
        each for each in (looked.settings.data_dir, *looked.settings.data_dir.parents) if each.exists()
    )
    usage = shutil.disk_usage(place)
    DISK_FREE_RATIO.set(usage.free / usage.total)


def _backup(looked: Looked) -> None:
    path = looked.settings.backup_state_file
    if path is not None:
        BACKUP_AGE_SECONDS.set(math.inf)  # until it could be read: no news is not good news
        BACKUP_AGE_SECONDS.set((looked.clock() - backed_up_at(path)).total_seconds())


def backed_up_at(path: Path) -> datetime:
    """Return when the last good backup ended, as its state file says. Raises OSError, ValueError, KeyError."""
    moment = datetime.fromisoformat(json.loads(path.read_text(encoding="utf-8"))["finished_at"])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _failed(kind: str, problem: Exception) -> None:
    MEASURE_FAILURES.labels(kind).inc()
    log.warning("not_measured", kind=kind, cause=describe(problem))


_LOCAL: dict[str, Callable[[Looked], None]] = {
    "tls": _tls,
    "field_key": _field_key,
    "disk": _disk,
    "backup": _backup,
}
