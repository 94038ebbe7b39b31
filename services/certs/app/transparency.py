"""The transparency log put together: its servicer, the sequencer, the asking of witnesses, its gauges."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chassis.db import Database, Transaction
from chassis.errors import Fault
from chassis.logs import get_logger
from chassis.measuring import Measure
from chassis.run import Part
from chassis.service import Runtime
from chassis.telemetry import counter, gauge
from chassis.tlog.asking import Witness, ask, parse_witnesses, witness_egress
from chassis.tlog.keys import LiveSigner
from chassis.tlog.note import ED25519, Signs
from chassis.tlog.witness import Request
from chassis.worker import repeating
from services.certs.app.adoption import LOOK_SECONDS, adoption_measure, adoption_step
from services.certs.app.verified import verified_measure
from services.certs.rpc import Desk
from services.certs.rpc.log import LogDesk, log_servicer
from services.certs.settings import CertsSettings
from services.certs.store import Vault
from services.certs.store.log import BookStore, queue_length
from services.certs.usecases.cosign import Outcome, Said, cosign
from services.certs.usecases.log import BATCH_LEAVES, Book, sequence

log = get_logger(__name__)

LOG_LEAVES = gauge("log_leaves", "Leaves in the transparency log")
LOG_QUEUE = gauge("log_queue_leaves", "Leaves that wait to be taken into the log")
LOG_QUEUE_AGE = gauge("log_queue_age_seconds", "How long the oldest of them has waited")
WITNESSED_AT = gauge(
    "log_witnessed_timestamp_seconds",
    "When a witness was last known to have seen the newest checkpoint, seconds since 1970",
    ["witness"],
)
DISAGREEMENTS = counter(
    "log_witness_disagreements", "Answers of witnesses that saw another log than this: the alarm", ["witness"]
)
"""Any increase means that the log was cut, rewritten, or shown differently to somebody."""


@dataclass(frozen=True, slots=True)
class LogParts:
    """What the log adds to the service."""

    servicer: tuple[Callable[[Any, Any], None], object]
    workers: tuple[Part, ...]
    measure: Measure


def log_parts(runtime: Runtime, desk: Desk, vault: Vault) -> LogParts:
    """Return the log's parts. Raises LOG_KEY_MALFORMED, NOTE_MALFORMED."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    signer = LiveSigner(settings.log_key, settings.log_origin, ED25519)
    servicer = log_servicer(desk, LogDesk(BookStore, signer.verifier, signer))
    step = sequencer(runtime.database, signer)
    upgrade = timedelta(hours=settings.log_adoption_hours)
    adopting = adoption_step(runtime.database, vault, runtime.clock, upgrade)
    workers = [
        repeating("log_sequencer", step, every_seconds=settings.log_sequence_seconds),
        repeating("log_adoption", adopting, every_seconds=LOOK_SECONDS),
        *_witness_workers(runtime, settings),
    ]
    verified = verified_measure(settings.log_verified_file, runtime.clock)
    return LogParts(servicer, tuple(workers), _measure(verified))


def sequencer(database: Database, signer: Signs) -> Callable[[], Any]:
    """Return the step that takes a batch of queued leaves into the log; one process at a time does it."""

    async def step() -> bool:
        async with database.transaction() as tx:
            done = await sequence(BookStore(tx), signer, tx.now())
        return done is not None and done.taken == BATCH_LEAVES

    return step


def _witness_workers(runtime: Runtime, settings: CertsSettings) -> list[Part]:
    witnesses = parse_witnesses(settings.log_witnesses)
    if not witnesses:
        return []
    networks = [each.strip() for each in settings.log_witnesses_inside.split(",") if each.strip()]
    egress = witness_egress(witnesses, networks)

    @asynccontextmanager
    async def books() -> AsyncIterator[Book]:
        async with runtime.database.transaction() as tx:
            yield BookStore(tx)

    def step_of(witness: Witness) -> Callable[[], Any]:
        DISAGREEMENTS.labels(witness.name)  # exported from the start: an alarm needs the zero before the one

        async def asking(request: Request) -> Said:
            return await ask(egress, witness, request)

        async def step() -> bool:
            try:
                done = await cosign(books, witness.verifier, asking, runtime.clock())
            except Fault as fault:
                log.warning("log_witness_unreachable", witness=witness.name, cause=fault.code)
                return False
            if done.outcome in {Outcome.COSIGNED, Outcome.NOTHING_NEW}:
                WITNESSED_AT.labels(witness.name).set(time.time())
            else:
                DISAGREEMENTS.labels(witness.name).inc()
                said = {"outcome": done.outcome, "size": done.size, "detail": done.detail}
                log.error("log_witness_disagrees", witness=witness.name, **said)
            return False

        return step

    every = settings.log_witness_seconds
    return [
        repeating(f"log_witness_{n}", step_of(each), every_seconds=every) for n, each in enumerate(witnesses)
    ]


def _measure(verified: Measure) -> Measure:
    adopted = adoption_measure()

    async def measure(tx: Transaction) -> None:
        waiting, age, size = await queue_length(tx)
        LOG_QUEUE.set(waiting)
        LOG_QUEUE_AGE.set(age)
        LOG_LEAVES.set(size)
        await adopted(tx)
        await verified(tx)  # last: without its file the others are measured all the same

    return measure
