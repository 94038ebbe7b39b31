"""The composition root of intake: the only place that knows concrete classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chassis.auth import DocumentSigner, SigningKeyFile, TokenVerifier
from chassis.limits import Budget
from chassis.logs import get_logger
from chassis.object_files import open_files
from chassis.requests import EncryptedAnswers
from chassis.rewrap import AtRest
from chassis.service import TOKEN_ISSUER, Made, Runtime, serve_service
from chassis.settings import load
from chassis.worker import repeating
from services.intake.api import api_router
from services.intake.catalogue_files import load_catalogue
from services.intake.clients.certs import CertsLicences
from services.intake.consumers import Following, handlers, identity_handlers
from services.intake.domain.catalogue.model import Catalogue
from services.intake.rpc.contact import ContactServicer, add_contact_service
from services.intake.rpc.issuing import IssuingServicer, add_issuing_service
from services.intake.rpc.part import PartServicer, add_part_service
from services.intake.settings import IntakeMigrationSettings, IntakeSettings
from services.intake.store import measures
from services.intake.store.applicants import Applicants
from services.intake.store.coded import CODED
from services.intake.store.encrypted import ENCRYPTED
from services.intake.store.files import EncryptedFiles
from services.intake.store.identity import IdentityWorks
from services.intake.store.retention import RetentionWorks
from services.intake.store.work import Works
from services.intake.usecases.cases.ports import Files, Licences, SignDocument
from services.intake.usecases.entrustment_ports import EntrustmentRegistry, OpenEntrustments
from services.intake.usecases.handing_over import BATCH, hand_over_waiting
from services.intake.usecases.identity.sessions import end_sessions
from services.intake.usecases.identity.sweeping import forget_expired as forget_log_ins
from services.intake.usecases.retention import Retention, forget_files, forget_rows
from services.intake.usecases.supervision import accept_silent_parts, fill_pending_deadlines
from services.intake.wiring import make_doors

migration_settings = IntakeMigrationSettings
log = get_logger(__name__)
HOUR_SECONDS = 3_600.0
RPC_BUDGETS = {
    f"/tongban.intake.v1.PartService/{method}": Budget(f"rpc_{name}", amount, 60, aligned=True)
    for method, name, amount in (
        ("ListParts", "list_parts", 3_000),
        ("ListPartChanges", "list_changes", 3_000),
        ("GetMaterialFile", "files", 1_200),
    )
}
"""What costs much, for each department and minute; several times what its staff and a poller need."""


@dataclass(frozen=True, slots=True)
class CaseParts:
    """Everything that verbs on cases take, made once per process."""

    works: Works
    catalogue: Callable[[], Catalogue]
    licences: Licences
    files: Files
    sign: SignDocument
    answers: EncryptedAnswers
    key: SigningKeyFile
    """Signs bearer tokens, receipts and archive manifests."""


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    return await serve_service(load(IntakeSettings), build)


async def build(runtime: Runtime) -> Made:
    """Build what is intake's own."""
    settings = runtime.settings
    assert isinstance(settings, IntakeSettings)
    parts = case_parts(runtime, settings)
    doors = make_doors(runtime, parts, settings)

    async def sweep() -> bool:
        await sweep_cases(parts)
        await forget_log_ins(doors.log_in)
        return False

    async def entrust() -> bool:
        return await hand_over_entrustments(doors.open_entrustments, doors.entrustments)

    async def forget() -> bool:
        await forget_what_is_over(retained, files, settings.retention())
        return False

    retained, files = RetentionWorks(runtime.database, runtime.cipher), _files(runtime)
    identity = IdentityWorks(runtime.database, runtime.cipher)
    following = Following(parts.works, parts.works.within, parts.licences, parts.files, parts.sign)
    return Made(
        handlers=(*handlers(following), *identity_handlers(identity.within)),
        servicers=[
            (
                add_part_service,
                PartServicer(parts.works, parts.catalogue, parts.files, parts.works.bell, parts.answers),
            ),
            (add_issuing_service, IssuingServicer(parts.works, parts.catalogue)),
            (add_contact_service, ContactServicer(doors.log_in.open_work)),
        ],
        routers=[api_router(doors)],
        budgets=RPC_BUDGETS,
        workers=[
            repeating("sweep", sweep, every_seconds=settings.sweep_seconds),
            repeating("entrustments", entrust, every_seconds=settings.sweep_seconds),
            repeating("retention", forget, every_seconds=min(HOUR_SECONDS, settings.retention_seconds)),
        ],
        measures=[measures.calendar(lambda: parts.catalogue().calendar.last_day)],
        verifier=TokenVerifier(doors.receipt_keys, TOKEN_ISSUER, now=runtime.clock),
    )


def case_parts(runtime: Runtime, settings: IntakeSettings) -> CaseParts:
    """Return the parts of cases. Raises CATALOGUE_INVALID naming every mistake in the catalogue's files."""
    catalogue = load_catalogue(settings.catalogue_dir)
    key = SigningKeyFile(settings.token_key)
    signer = DocumentSigner(key)

    def sign(document: dict[str, Any], kind: str) -> str:
        return signer.sign_document(document, kind=kind)

    return CaseParts(
        works=Works(runtime.database, runtime.cipher, lambda tx: Applicants(tx, runtime.cipher)),
        catalogue=lambda: catalogue,
        licences=CertsLicences(runtime.peer("certs")),
        files=_files(runtime),
        sign=sign,
        answers=EncryptedAnswers(runtime.cipher),
        key=key,
    )


async def end_all_sessions(runtime: Runtime, person_id: str | None) -> int:
    """Have every live session of a person ended, of everybody for None; for an operator. Return how many."""
    async with IdentityWorks(runtime.database, runtime.cipher)() as work:
        ended = await end_sessions(work, person_id)
    log.warning("sessions_ended_by_operator", person_id=person_id or "everybody", sessions=ended)
    return ended


def at_rest(runtime: Runtime) -> AtRest:
    """Return everything that intake keeps encrypted, for a rotation of its field keys."""
    return AtRest(runtime.database, runtime.cipher, ENCRYPTED, _files(runtime), CODED)


def _files(runtime: Runtime) -> EncryptedFiles:
    return EncryptedFiles(open_files(runtime.settings, "files"), runtime.cipher)


async def forget_what_is_over(works: RetentionWorks, files: EncryptedFiles, retention: Retention) -> None:
    """Delete what is past its time, if it is this process's turn; the counts are logged."""
    forgotten = await forget_rows(works, retention)
    forgotten |= await forget_files(works, files, retention)
    if any(forgotten.values()):
        log.info("retention", **forgotten)


async def hand_over_entrustments(open_work: OpenEntrustments, registry: EntrustmentRegistry) -> bool:
    """Hand over the entrustments that the registry does not know yet; return whether more may be waiting."""
    done = await hand_over_waiting(open_work, registry)
    if done.recorded or done.refused or done.waiting:
        log.info(
            "entrustments_handed_over", recorded=done.recorded, refused=done.refused, waiting=done.waiting
        )
    return done.recorded + done.refused >= BATCH


async def sweep_cases(parts: CaseParts) -> None:
    """Do what runs by the clock: accept parts that were left silent, fill deadlines that waited for a calendar."""
    swept = await accept_silent_parts(parts.works, parts.catalogue())
    if swept.changed or swept.failed:
        log.info("silent_parts_accepted", changed=swept.changed, failed=dict(swept.failed))
    filled = await fill_pending_deadlines(parts.works, parts.catalogue())
    if filled:
        log.info("deadlines_filled", changed=filled)
