"""The running service put together: the only place that knows its concrete classes."""

from __future__ import annotations

from chassis.auth import PublishedKeys, SigningKeyFile
from chassis.db import Transaction
from chassis.files import KeptFiles
from chassis.object_files import open_files
from chassis.requests import EncryptedAnswers
from chassis.rewrap import AtRest
from chassis.service import Made, Runtime, serve_service
from chassis.settings import load
from chassis.worker import repeating
from services.certs.app.catalogue import read_catalogue
from services.certs.app.evidence import RPC_BUDGETS, TravellingProofs, evidence_parts
from services.certs.app.federation import federation_parts
from services.certs.app.import_workers import ImportWorkers
from services.certs.app.life import life_parts
from services.certs.app.pdf import pdf_parts
from services.certs.app.recourse import recourse_parts
from services.certs.app.transparency import log_parts
from services.certs.clients import Approvals, CaseParties, SealedDocuments
from services.certs.consumers import Hearing, handlers
from services.certs.rpc import Desk, IntakeStatements, JwsSigner, servicers
from services.certs.settings import CertsSettings
from services.certs.store import TypeTable, Vault, open_registry
from services.certs.store.coded import CODED
from services.certs.store.encrypted import ENCRYPTED
from services.certs.store.measures import freshness
from services.certs.store.type_refresh import REFRESH_SECONDS, TypeRefresh
from services.certs.usecases.change_status import EXPIRY_BATCH, expire_licences
from services.certs.usecases.ports import Registry


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    return await serve_service(load(CertsSettings), build)


async def build(runtime: Runtime) -> Made:
    """Build what is certs' own."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    types, departments = read_catalogue(settings.catalogue_dir)
    vault = Vault(runtime.cipher)
    published = TypeRefresh(runtime.database, vault, types, runtime.clock)
    await published.start()
    documents = _documents(runtime)
    signer = _signer(settings)

    def registry_of(tx: Transaction) -> Registry:
        return open_registry(tx, vault)

    intake = runtime.peer("intake")
    preparing = ImportWorkers(settings.field_keys, vault, types, settings.import_processes)
    desk = Desk(
        runtime.database,
        registry_of,
        vault,
        EncryptedAnswers(runtime.cipher),
        documents,
        types,
        departments,
        signer,
        runtime.clock,
        type_records=lambda tx: TypeTable(tx, vault),
        prepare=preparing.prepare,
        statements=IntakeStatements(PublishedKeys(settings.token_keys)),
        log_proofs=TravellingProofs,
        case_parties=CaseParties(intake),
    )
    transparency = log_parts(runtime, desk, vault)
    life = life_parts(runtime, registry_of, types, documents)
    recourse = recourse_parts(runtime, desk)
    evidence = evidence_parts(runtime, desk)
    federation = federation_parts(runtime, desk, vault)
    approvals = Approvals(intake)
    sealed = SealedDocuments(runtime.peer("seal"), runtime.clock)

    pdfs = pdf_parts(runtime, registry_of, documents, sealed)

    async def expire() -> bool:
        async with runtime.database.transaction() as tx:
            return await expire_licences(registry_of(tx), runtime.clock()) == EXPIRY_BATCH

    return Made(
        handlers=[
            *handlers(Hearing(registry_of, documents, types, approvals, sealed, runtime.clock)),
            *federation.handlers,
        ],
        servicers=[*servicers(desk), transparency.servicer, *recourse.servicers, federation.servicer],
        workers=[
            repeating("expiry", expire, every_seconds=settings.expiry_sweep_seconds),
            repeating("licence_types", published.refresh, every_seconds=REFRESH_SECONDS),
            preparing.part(),
            *transparency.workers,
            *life.workers,
            pdfs.worker,
            *recourse.workers,
            *evidence.workers,
            *federation.workers,
        ],
        budgets=RPC_BUDGETS,
        measures=[
            freshness(vault, runtime.clock, types),
            *(transparency.measure, life.measure, pdfs.measure, recourse.measure, federation.measure),
        ],
    )


def at_rest(runtime: Runtime) -> AtRest:
    """Return everything that certs keeps encrypted, for a rotation of its field keys."""
    return AtRest(runtime.database, runtime.cipher, ENCRYPTED, _documents(runtime), CODED)


def _signer(settings: CertsSettings) -> JwsSigner:
    """Return the signer of the key file as it is now; keys that were replaced go on being read."""
    key = SigningKeyFile(settings.presentation_key)
    published = settings.presentation_keys
    return JwsSigner(key, PublishedKeys(published, key) if published else None)


def _documents(runtime: Runtime) -> KeptFiles:
    return open_files(runtime.settings, "documents", runtime.cipher)
