"""Evidence put together: the sharing door, the log's proofs for statements, the numbers of older licences."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from chassis.datafiles import read_tree
from chassis.db import Database, Transaction
from chassis.limits import Budget, RateLimits
from chassis.logs import get_logger
from chassis.rpc.suspended import SuspendedCallers
from chassis.run import Part
from chassis.service import Runtime
from chassis.web import WebOptions, bind, serve_web, web_app
from chassis.worker import Step, repeating
from services.certs.api import Door, sharing_router
from services.certs.domain.agreement import Agreements, parse_agreements
from services.certs.domain.licence import Licence
from services.certs.domain.log.sidecar import LeafProof
from services.certs.rpc import Desk
from services.certs.settings import CertsSettings
from services.certs.store.log import BookStore
from services.certs.usecases.ports import Registry
from services.certs.usecases.travelling import travelling_proof

NUMBERS_EACH = 500
NUMBERS_SECONDS = 2.0
"""250 licences a second at most: an index that fills beside an import must not slow it. Only rows of releases
before 0006 need it, every writer of this one stores the index with the licence."""
log = get_logger(__name__)

SERVICE = "/tongban.certs.v1.EvidenceService"
RPC_BUDGETS = {
    f"{SERVICE}/SearchLicences": Budget("evidence_searches", 6_000, 60, aligned=True),
    f"{SERVICE}/AnswerPredicate": Budget("evidence_answers", 3_000, 60, aligned=True),
    f"{SERVICE}/MakeAnnotatedCopy": Budget("evidence_copies", 1_200, 60, aligned=True),
}
"""What one caller may ask of evidence in a minute: enough for a province's peak, too little to empty a registry."""
HOUSEKEEPING_SECONDS = 300.0
SHARING = "sharing"
"""Condition of readiness: the door for departments listens, where there is to be one."""


@dataclass(frozen=True, slots=True)
class EvidenceParts:
    """What evidence adds to the service."""

    workers: tuple[Part, ...]


class TravellingProofs:
    """What the log shows of a licence's state; implements the port LogProofs."""

    def __init__(self, tx: Transaction) -> None:
        self._book = BookStore(tx)

    async def proof_of(self, licence: Licence) -> LeafProof | None:
        """Return leaf and proof under the newest checkpoint a witness saw; None for what is in no tree yet."""
        return await travelling_proof(self._book, licence)


def evidence_parts(runtime: Runtime, desk: Desk) -> EvidenceParts:
    """Return the parts of evidence. Raises AGREEMENTS_MALFORMED."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    limits = RateLimits(runtime.database, runtime.cipher.blind_index("hash key", field="rate_window.key"))
    workers = (
        repeating(
            "licence_numbers", numbers_step(desk.database, desk.registry_of), every_seconds=NUMBERS_SECONDS
        ),
        repeating("rate_windows", _forgetting(limits), every_seconds=HOUSEKEEPING_SECONDS),
    )
    if settings.sharing_port is None:
        return EvidenceParts(workers)
    door = Door(
        runtime.database,
        desk.registry_of,
        desk.documents,
        desk.types,
        desk.departments,
        desk.signer,
        runtime.clock,
        read_agreements(settings.catalogue_dir),
        SuspendedCallers(settings.suspended_file()),
        limits,
    )
    return EvidenceParts((*workers, _sharing(runtime, settings, door)))


def sharing_app(
    door: Door, *, behind_tls: bool = True, missing: Callable[[], Sequence[str]] = tuple
) -> FastAPI:
    """Return the application of the sharing door, its description at ``/openapi.json``, its health at ``/readyz``."""
    options = WebOptions(behind_tls=behind_tls, show_documentation=True)
    app = web_app("tongban GB/T 36906", missing=missing, options=options)
    app.include_router(sharing_router(door))
    return app


def read_agreements(directory: Path) -> Agreements:
    """Return the sharing agreements of a catalogue directory. Raises AGREEMENTS_MALFORMED."""
    return parse_agreements(read_tree(directory).files.get("sharing_agreements.yaml"))


def _sharing(runtime: Runtime, settings: CertsSettings, door: Door) -> Part:
    app, port = sharing_app(door, missing=runtime.readiness.missing), settings.sharing_port
    assert port is not None
    runtime.readiness.set(SHARING, holds=False)

    async def serve(stop: asyncio.Event) -> None:
        listener = bind(settings.sharing_host, port, reuse_port=settings.share_ports)
        runtime.readiness.set(SHARING, holds=True)
        await serve_web(
            app,
            settings.sharing_host,
            port,
            stop,
            tls=runtime.tls,
            client_certificates=True,
            listener=listener,
        )

    return Part("sharing", serve)


def _forgetting(limits: RateLimits) -> Callable[[], Awaitable[bool]]:
    async def step() -> bool:
        await limits.forget_expired()
        return False

    return step


def numbers_step(database: Database, registry_of: Callable[[Transaction], Registry]) -> Step:
    """Return the step that gives licences of earlier releases the index of their number."""
    after = ""

    async def step() -> bool:
        nonlocal after
        async with database.transaction() as tx:
            after, unread = await registry_of(tx).evidence.searches.index_numbers(after, NUMBERS_EACH)
        if unread:
            log.warning("licence_numbers_unreadable", rows=unread)
        return False

    return step
