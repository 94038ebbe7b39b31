"""Evidence put together: the sharing door, the log's proofs for statements, the index of licence numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from chassis.datafiles import read_tree
from chassis.db import Transaction
from chassis.limits import Budget, RateLimits
from chassis.rpc.suspended import SuspendedCallers
from chassis.run import Part
from chassis.service import Runtime
from chassis.web import WebOptions, bind, serve_web, web_app
from chassis.worker import repeating
from services.certs.api import Door, sharing_router
from services.certs.domain.agreement import Agreements, parse_agreements
from services.certs.domain.log import LICENCE
from services.certs.domain.presentation import LogPlace
from services.certs.rpc import Desk
from services.certs.settings import CertsSettings
from services.certs.store.log import BookStore
from services.certs.usecases.log import inclusion

NUMBERS_EACH = 500
NUMBERS_SECONDS = 2.0
"""250 licences a second at most: an index that fills beside an import must not slow it."""


SERVICE = "/tongban.certs.v1.EvidenceService"
RPC_BUDGETS = {
    f"{SERVICE}/SearchLicences": Budget("evidence_searches", 6_000, 60, aligned=True),
    f"{SERVICE}/AnswerPredicate": Budget("evidence_answers", 3_000, 60, aligned=True),
    f"{SERVICE}/MakeAnnotatedCopy": Budget("evidence_copies", 1_200, 60, aligned=True),
}
"""What one caller may ask of evidence in a minute: enough for a province's peak, too little to empty a registry."""
HOUSEKEEPING_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class EvidenceParts:
    """What evidence adds to the service."""

    workers: tuple[Part, ...]


class LogPlaces:
    """The log's place of a licence's newest leaf; implements the port LogProofs."""

    def __init__(self, tx: Transaction) -> None:
        self._book = BookStore(tx)

    async def place_of(self, licence_id: str) -> LogPlace | None:
        """Return index, size of the newest signed tree, and the proof; None for what is not in it yet."""
        newest = await self._book.newest()
        entry = await self._book.newest_of(licence_id, LICENCE) if newest else None
        if newest is None or entry is None or entry.index >= newest.size:
            return None
        hashes = await inclusion(self._book, entry.index, newest.size)
        return LogPlace(entry.index, newest.size, tuple(each.hex() for each in hashes))


def evidence_parts(runtime: Runtime, desk: Desk) -> EvidenceParts:
    """Return the parts of evidence. Raises AGREEMENTS_MALFORMED."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    limits = RateLimits(runtime.database, runtime.cipher.blind_index("hash key", field="rate_window.key"))
    workers = (
        repeating("licence_numbers", _indexing(desk), every_seconds=NUMBERS_SECONDS),
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


def sharing_app(door: Door, *, behind_tls: bool = True) -> FastAPI:
    """Return the application of the sharing door, its description at ``/openapi.json``."""
    app = web_app("tongban GB/T 36906", options=WebOptions(behind_tls=behind_tls, show_documentation=True))
    app.include_router(sharing_router(door))
    return app


def read_agreements(directory: Path) -> Agreements:
    """Return the sharing agreements of a catalogue directory. Raises AGREEMENTS_MALFORMED."""
    return parse_agreements(read_tree(directory).files.get("sharing_agreements.yaml"))


def _sharing(runtime: Runtime, settings: CertsSettings, door: Door) -> Part:
    app, port = sharing_app(door), settings.sharing_port
    assert port is not None

    async def serve(stop: asyncio.Event) -> None:
        listener = bind(settings.sharing_host, port, reuse_port=settings.share_ports)
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


def _indexing(desk: Desk) -> Callable[[], Awaitable[bool]]:
    after = ""

    async def step() -> bool:
        nonlocal after
        async with desk.database.transaction() as tx:
            after = await desk.registry_of(tx).evidence.searches.index_numbers(after, NUMBERS_EACH)
        return False

    return step
