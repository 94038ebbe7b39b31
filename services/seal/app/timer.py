"""The maker's clock: lists made anew each day, seals soon after they were approved, without an operator.

Each run is a process of its own: between two runs no key of the maker is in any memory. Between the daily runs
the register is looked at, with no more than a connection: an approved application, or a seal's state that the
lists do not tell yet, asks for a run at once. The lists live for days; a run that fails is repeated soon, and the
container's health says so long before they lapse.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import asyncpg
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis import logs
from chassis.errors import Fault
from chassis.notifier import wait_for
from chassis.readiness import Readiness
from chassis.run import Part, run
from chassis.settings import Sourced, load
from services.seal.app.wiring import open_store
from services.seal.usecases.make_seals import work_waits

JOB = (sys.executable, "-m", "services.seal", "make-seals")
_log = logs.get_logger(__name__)


class SealTimerSettings(Sourced):
    """How often the maker's job runs; what the job itself needs it reads itself."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEALMAKER_")

    every_seconds: float = Field(default=86_400.0, gt=0)
    retry_seconds: float = Field(default=300.0, gt=0)
    """After a run that failed."""
    look_seconds: float = Field(default=15.0, gt=0)
    """How often the register is looked at between two runs."""
    first_seconds: float = Field(default=0.0, ge=0)
    """How long after its start it runs without being wanted, where somebody else has just made the lists."""
    ready_file: Path | None = None
    database_dsn: SecretStr | None = None
    """Without it nobody looks: runs are by the clock alone."""
    done_file: Path
    """Touched after each run that succeeded."""


async def keep_seals(stop: asyncio.Event | None = None) -> int:
    """Run the maker's job at once and then each day until told to stop; return the exit status."""
    settings = load(SealTimerSettings)
    logs.configure("sealmaker")

    ready = Readiness("clock", ready_file=settings.ready_file)

    async def keep(stop: asyncio.Event) -> None:
        ready.set("clock", holds=True)
        if settings.first_seconds:
            await _pause(settings, stop, settings.first_seconds)
        while not stop.is_set():
            if await _make(stop):
                settings.done_file.touch()
                await _pause(settings, stop, settings.every_seconds)
            else:
                await wait_for(stop, settings.retry_seconds)

    return await run([Part("maker", keep)], ready=ready, stop=stop)


async def _pause(settings: SealTimerSettings, stop: asyncio.Event, seconds: float) -> None:
    """Return when the next run is due: by the clock, or because work waits, or for the end."""
    if settings.database_dsn is None:
        await wait_for(stop, seconds)
        return
    end = time.monotonic() + seconds
    while not stop.is_set() and (left := end - time.monotonic()) > 0:
        await wait_for(stop, min(left, settings.look_seconds))
        if not stop.is_set() and await _work_waits(settings.database_dsn.get_secret_value()):
            return


async def _work_waits(dsn: str) -> bool:
    try:
        async with open_store(dsn) as unit, unit() as work:
            return await work_waits(work)
    except (
        Fault,
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
    ) as problem:  # an outage: looked at again
        _log.warning("register_not_seen", cause=type(problem).__name__)
        return False


async def _make(stop: asyncio.Event) -> bool:
    """Run the job, ended early by ``stop``: it loses nothing by that; return whether it succeeded."""
    job = await asyncio.create_subprocess_exec(*JOB)
    ended, stopped = asyncio.create_task(job.wait()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([ended, stopped], return_when=asyncio.FIRST_COMPLETED)
        if job.returncode is None:
            job.terminate()
        status = await ended
    finally:
        stopped.cancel()
    if status:
        _log.error("making_failed", status=status)
    return status == 0
