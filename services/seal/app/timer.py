"""The maker's clock: seals and lists made anew each day, so that no operator has to think of it.

Each run is a process of its own: between two runs no key of the maker is in any memory. The lists live
for days; a run that fails is repeated soon, and the container's health says so long before they lapse.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis import logs
from chassis.notifier import wait_for
from chassis.readiness import Readiness
from chassis.run import Part, run
from chassis.settings import Sourced, load

JOB = (sys.executable, "-m", "services.seal", "make-seals")
_log = logs.get_logger(__name__)


class SealTimerSettings(Sourced):
    """How often the maker's job runs; what the job itself needs it reads itself."""

    model_config = SettingsConfigDict(env_prefix="TONGBAN_SEALMAKER_")

    every_seconds: float = Field(default=86_400.0, gt=0)
    retry_seconds: float = Field(default=300.0, gt=0)
    """After a run that failed."""
    done_file: Path
    """Touched after each run that succeeded."""


async def keep_seals(stop: asyncio.Event | None = None) -> int:
    """Run the maker's job at once and then each day until told to stop; return the exit status."""
    settings = load(SealTimerSettings)
    logs.configure("sealmaker")

    async def keep(stop: asyncio.Event) -> None:
        while not stop.is_set():
            succeeded = await _make(stop)
            if succeeded:
                settings.done_file.touch()
            pause = settings.every_seconds if succeeded else settings.retry_seconds
            await wait_for(stop, pause)

    return await run([Part("maker", keep)], ready=Readiness(), stop=stop)


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
