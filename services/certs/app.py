"""The composition root of certs: the only place that knows concrete classes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from chassis.auth import read_jwks, signing_key_from_pem, verify_document
from chassis.datafiles import read_tree
from chassis.db import Transaction
from chassis.files import KeptFiles
from chassis.object_files import open_files
from chassis.requests import EncryptedAnswers
from chassis.rewrap import AtRest
from chassis.service import Made, Runtime, serve_service
from chassis.settings import load
from chassis.worker import repeating
from services.certs.clients import Approvals, SealedDocuments
from services.certs.consumers import Hearing, handlers
from services.certs.domain.department import Departments, parse_departments
from services.certs.domain.licence_type import LicenceType, parse_licence_types
from services.certs.domain.presentation import KIND, Summary, check_offline, jws_of, read_summary
from services.certs.rpc import Desk, JwsSigner, servicers
from services.certs.settings import CertsMigrationSettings, CertsSettings
from services.certs.store import Vault, open_registry
from services.certs.store.coded import CODED
from services.certs.store.encrypted import ENCRYPTED
from services.certs.store.measures import freshness
from services.certs.usecases.change_status import EXPIRY_BATCH, expire_licences
from services.certs.usecases.ports import Registry

migration_settings = CertsMigrationSettings


async def serve() -> int:
    """Run the service until it is told to stop; return the exit status."""
    return await serve_service(load(CertsSettings), build)


async def build(runtime: Runtime) -> Made:
    """Build what is certs' own."""
    settings = runtime.settings
    assert isinstance(settings, CertsSettings)
    types, departments = read_catalogue(settings.catalogue_dir)
    vault = Vault(runtime.cipher)
    documents = _documents(runtime)
    signer = JwsSigner(signing_key_from_pem(settings.presentation_key.read_bytes()))

    def registry_of(tx: Transaction) -> Registry:
        return open_registry(tx, vault)

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
    )
    approvals = Approvals(runtime.peer("intake"))
    sealed = SealedDocuments(runtime.peer("seal"), runtime.clock)

    async def expire() -> bool:
        async with runtime.database.transaction() as tx:
            return await expire_licences(registry_of(tx), runtime.clock()) == EXPIRY_BATCH

    return Made(
        handlers=handlers(Hearing(registry_of, documents, types, approvals, sealed, runtime.clock)),
        servicers=servicers(desk),
        workers=[repeating("expiry", expire, every_seconds=settings.expiry_sweep_seconds)],
        measures=[freshness()],
    )


def at_rest(runtime: Runtime) -> AtRest:
    """Return everything that certs keeps encrypted, for a rotation of its field keys."""
    return AtRest(runtime.database, runtime.cipher, ENCRYPTED, _documents(runtime), CODED)


def _documents(runtime: Runtime) -> KeptFiles:
    return open_files(runtime.settings, "documents", runtime.cipher)


def read_catalogue(directory: Path) -> tuple[dict[str, LicenceType], Departments]:
    """Return the licence types and departments of a catalogue directory.

    Raises LICENCE_TYPES_MALFORMED, DEPARTMENTS_MALFORMED, or the fault of an unreadable file.
    """
    files = read_tree(directory).files
    types = parse_licence_types(files.get("licence_types.yaml"))
    return types, parse_departments(files.get("departments.yaml"))


def verify_presentation_offline(qr_text: str, jwks_json: str, now: datetime) -> Summary:
    """Return what a presentation QR code proves without the network.

    ``jwks_json`` is what PresentationService.GetPresentationKeys answered some time before. That the
    code was not scanned elsewhere cannot be known offline.
    Raises PRESENTATION_MALFORMED, PRESENTATION_EXPIRED, SIGNATURE_WRONG.
    """
    claims = verify_document(jws_of(qr_text), read_jwks(jwks_json), kind=KIND)
    return check_offline(read_summary(claims), now)
