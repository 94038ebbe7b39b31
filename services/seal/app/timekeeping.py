"""How the serving process gets its time stamps: authorities as set, trust from its own register, the ledger's worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from chassis.db import Transaction
from chassis.errors import Fault
from chassis.logs import get_logger
from chassis.run import Part
from chassis.service import Runtime
from chassis.worker import repeating
from services.seal.app.wiring import companion_suite
from services.seal.clients.stamping_places import stamping_places
from services.seal.clients.timestamps import RfcTimestamper
from services.seal.domain.suite import Suite, Suites
from services.seal.domain.timestamps import TimestampTrust
from services.seal.settings import SealSettings
from services.seal.store import StoreUnit
from services.seal.store.measures import LEDGER_UNSTAMPED_OLDEST_SECONDS
from services.seal.usecases.evidence import evidence_of
from services.seal.usecases.ledger_time import Timekeeping, lag_of, stamp_ledger
from services.seal.usecases.ports import Timestamper, UnitOfWork

_log = get_logger(__name__)
KEPT_SECONDS, LEAST_SECONDS, ANSWER_SECONDS = 300.0, 1.0, 5.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What keeps the time of a serving process."""

    timekeeping: Timekeeping
    companion: Timestamper
    """Stamps with the digest of the companion suite, for PDF."""
    worker: Part
    measure: Callable[[Transaction], Awaitable[None]]


class BundleTrust:
    """Whom to believe about time, as the register says it; asked from threads, read on the process's event loop."""

    def __init__(self, unit: UnitOfWork, suites: Suites, runtime: Runtime) -> None:
        self._unit, self._suites, self._clock = unit, suites, runtime.clock
        self._loop = asyncio.get_running_loop()
        self._kept: TimestampTrust | None = None
        self._read_at = 0.0

    def __call__(self, anew: bool) -> TimestampTrust:
        """Return it, at most five minutes old; told to look anew, a second. Raises PEER_UNAVAILABLE."""
        age = time.monotonic() - self._read_at
        if self._kept is None or age > (LEAST_SECONDS if anew else KEPT_SECONDS):
            asked = asyncio.run_coroutine_threadsafe(self._read(), self._loop)
            self._kept = asked.result(ANSWER_SECONDS)
            self._read_at = time.monotonic()
        return self._kept

    async def _read(self) -> TimestampTrust:
        now = self._clock()
        async with self._unit() as work:
            bundle = await work.trust.bundle(now)
        return evidence_of(self._suites, bundle, now, None).timestamp_trust


def keep_time(runtime: Runtime, unit: StoreUnit, suites: Suites, suite: Suite) -> Kept:
    """Return the timekeeping of a process, the part that stamps the ledger, and its measure."""
    settings = runtime.settings
    assert isinstance(settings, SealSettings)
    places, _ = stamping_places(  # open until the process ends: what is drained last still seals
        settings.stampers(),
        runtime.tls,
        asyncio.get_running_loop(),
        networks=settings.stamper_networks(),
        authority=settings.timestampers_authority,
    )
    trust = BundleTrust(unit, suites, runtime)
    timestamper = RfcTimestamper(suite, places, trust, runtime.clock)
    companion = RfcTimestamper(companion_suite(suites), places, trust, runtime.clock)
    limit = timedelta(seconds=settings.ledger_lag_seconds)

    async def stamp() -> bool:
        try:
            await stamp_ledger(unit, timestamper, suite.digest)
        except Fault as fault:  # what waits is stamped with the next one; beyond the limit no seal is used
            _log.error("ledger_not_stamped", reason=fault.code, cause=fault.en)
        return False

    worker = repeating("ledger-time", stamp, every_seconds=settings.ledger_stamp_seconds)

    async def measure(tx: Transaction) -> None:
        lag = await lag_of(unit.work(tx), runtime.clock())
        LEDGER_UNSTAMPED_OLDEST_SECONDS.set(lag.total_seconds())

    return Kept(Timekeeping(timestamper, limit), companion, worker, measure)
