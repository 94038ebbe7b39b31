"""The serving process: the only place that knows its concrete classes. Private keys it asks the signer to use."""

from __future__ import annotations

import asyncio

from chassis.db import Transaction
from chassis.errors import Fault
from chassis.logs import get_logger
from chassis.notifier import wait_for
from chassis.rewrap import AtRest
from chassis.run import Part
from chassis.service import Made, Runtime, serve_service
from chassis.settings import load
from services.seal.app.pdf_judge import PadesJudge
from services.seal.app.pdf_press import PadesPress
from services.seal.app.timekeeping import keep_time
from services.seal.app.wiring import companion_suite, signing_suite
from services.seal.clients import CertsDocuments, RemoteSigner, look
from services.seal.consumers import handlers
from services.seal.providers import load_suites
from services.seal.rpc import (
    Counter,
    Desk,
    SealServicer,
    SignatureServicer,
    VerificationServicer,
    add_seal_service,
    add_signature_service,
    add_verification_service,
)
from services.seal.settings import SealSettings
from services.seal.store import StoreUnit, measures
from services.seal.store.coded import CODED
from services.seal.store.encrypted import ENCRYPTED
from services.seal.usecases.applications import Office
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.companions import Companions
from services.seal.usecases.retry_refused import retry_refused
from services.seal.usecases.verify import Verifier

_log = get_logger(__name__)
SELF_TEST = "selftest"
RETRY_SECONDS = 30.0
"""How often refused sealings are looked at again."""


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    return await serve_service(load(SealSettings), build)


async def build(runtime: Runtime) -> Made:
    """Build what is seal's own; nothing is served before the cryptography has proved itself.

    Raises SEAL_CRYPTOGRAPHY_UNSOUND.
    """
    settings = runtime.settings
    assert isinstance(settings, SealSettings)
    runtime.readiness.set(SELF_TEST, holds=False)
    suites = await asyncio.to_thread(load_suites)
    runtime.readiness.set(SELF_TEST, holds=True)
    measures.SELF_TEST.set(1)
    signer = RemoteSigner(settings.signer_socket, suites)
    unit = StoreUnit(runtime.database, runtime.cipher, suites)
    kept = keep_time(runtime, unit, suites, signing_suite(suites))
    companions = Companions(PadesPress(companion_suite(suites)), signer, kept.companion)
    cabinet = Cabinet(signing_suite(suites), signer, kept.timekeeping, companions)
    documents = CertsDocuments(runtime.peer("certs"))
    office = Office((signing_suite(suites), companion_suite(suites)), signer)
    desk = Desk(runtime.database, unit.work, cabinet, runtime.clock)

    async def retry(stop: asyncio.Event) -> None:
        while not await _stopped(stop, RETRY_SECONDS):
            try:
                await retry_refused(unit, cabinet, documents, runtime.clock)
            except Fault as fault:  # an outage; what waits keeps waiting
                _log.warning("retry_failed", reason=fault.code)

    async def look_at_signer(_tx: Transaction) -> None:
        await asyncio.to_thread(look, signer)

    return Made(
        handlers=handlers(unit, unit.work, cabinet, documents),
        servicers=[
            (
                add_seal_service,
                SealServicer(Counter(runtime.database, unit.work, runtime.clock, suites, office)),
            ),
            (add_signature_service, SignatureServicer(desk)),
            (
                add_verification_service,
                VerificationServicer(Verifier(unit, suites, PadesJudge()), runtime.clock),
            ),
        ],
        workers=[Part("retry", retry), kept.worker],
        measures=[measures.measure, look_at_signer, kept.measure],
    )


def at_rest(runtime: Runtime) -> AtRest:
    """Return everything that seal keeps encrypted under its field keys."""
    return AtRest(runtime.database, runtime.cipher, ENCRYPTED, coded=CODED)


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    await wait_for(stop, seconds)
    return stop.is_set()
