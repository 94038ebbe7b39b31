"""Seal the PDF companion of a licence whose OFD is sealed: by the same seal and rules, with a ledger row of its own.

The row has no licence, since it is not what the licence's standing rests on; its detail names the licence instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Fault, Kind, declare
from events.seal import LicencePdfRefused, LicencePdfSealed
from services.seal.domain.authorisation import DocumentType, Purpose
from services.seal.domain.ledger import UseDetail, pdf_signature_id_of
from services.seal.domain.placing import At
from services.seal.domain.register import RegisteredSeal, usable
from services.seal.domain.sealing import Protect, SealedDocument
from services.seal.usecases.authorise_use import authorise
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.companions import PdfLevel
from services.seal.usecases.ports import UnsealedDocument, Work
from services.seal.usecases.record_use import Attempt, record_refused, record_sealed
from services.seal.usecases.seal_licence import ACCOUNT, require_as_announced
from services.seal.usecases.stamping import DocumentFormat, Manner, is_refusal, stamp

LICENCE_OFD_NOT_SEALED = declare(
    "LICENCE_OFD_NOT_SEALED",
    Kind.FAILED_PRECONDITION,
    "该证照的 OFD 文件尚未加盖电子印章",
    "The OFD of the licence was not sealed",
)
REQUEST = "licence_pdf"
"""What the ledger has as the request of these rows; the item is the licence."""
LEVEL = PdfLevel.B_LT
"""With what checks the signature later: a licence is shown for years."""


@dataclass(frozen=True, slots=True)
class PdfCompanion:
    """What is to be sealed, as certs announced it."""

    licence_id: str
    case_id: str
    issuer_code: str
    document_sha256: str
    service_item: str = ""

    @property
    def signature_id(self) -> str:
        """The id of this sealing."""
        return pdf_signature_id_of(self.licence_id)

    def purpose(self, seal: RegisteredSeal) -> Purpose:
        """Return what the seal is wanted for: the same as for the licence itself."""
        return Purpose(
            seal.seal_id, seal.owner_code, ACCOUNT, DocumentType.LICENCE, self.service_item, self.case_id
        )

    def attempt(self) -> Attempt:
        """Return what the ledger says of it however it ends."""
        detail = UseDetail(
            document_type=DocumentType.LICENCE.value,
            service_item=self.service_item,
            account=ACCOUNT,
            request_id=REQUEST,
            item_id=self.licence_id,
            mode=Protect.CONTINUE.value,  # as of every PDF: a further signature leaves this one as it is
            format=DocumentFormat.PDF.value,
            request_digest=self.document_sha256,
        )
        return Attempt(self.signature_id, "", self.case_id, self.issuer_code, self.document_sha256, detail)


async def seal_licence_pdf(
    work: Work, cabinet: Cabinet, companion: PdfCompanion, document: UnsealedDocument | Fault, now: datetime
) -> Fault | None:
    """Seal the PDF, or record why not; `document` may be certs' refusal of it.

    Afterwards the ledger has the use and LicencePdfSealed leaves, or LicencePdfRefused with its row. An outage of
    what stamps is returned and leaves nothing: certs tells of the PDF again, and no licence waits behind it.
    Raises AUDIT_UNWRITABLE.
    """
    if await work.ledger.sealed_as(companion.signature_id):
        return None
    seal: RegisteredSeal | None = None
    try:
        ready = await _ready(work, companion, document)
        seal = usable(await work.seals.of_owner(companion.issuer_code, lock=True), now)
        permit = await authorise(work, seal, companion.purpose(seal), companion.document_sha256, now)
        sealed = await _stamped(work, cabinet, seal, ready, now)
        if isinstance(sealed, Fault):
            return sealed
        done = await record_sealed(work, cabinet.suite.digest, companion.attempt(), permit, sealed, now)
    except Fault as fault:
        if not is_refusal(fault):
            raise
        await _refuse(work, cabinet, companion, seal.seal_id if seal else "", fault.code, now)
        return None
    if done is None:
        return None
    use, stored = done
    event = LicencePdfSealed(
        signature_id=companion.signature_id,
        seal_id=sealed.seal_id,
        licence_id=companion.licence_id,
        case_id=companion.case_id,
        document_sha256=stored.sha256,
        sealed_at=use.entry.used_at,
    )
    work.publish(event, await work.ledger.attempts(companion.signature_id))
    return None


async def _ready(work: Work, companion: PdfCompanion, document: UnsealedDocument | Fault) -> UnsealedDocument:
    if isinstance(document, Fault):
        raise document
    if not await work.ledger.sealed(companion.licence_id):
        raise LICENCE_OFD_NOT_SEALED()
    require_as_announced(document, companion.issuer_code, companion.document_sha256)
    return document


async def _stamped(
    work: Work, cabinet: Cabinet, seal: RegisteredSeal, document: UnsealedDocument, now: datetime
) -> SealedDocument | Fault:
    """Return the sealed PDF, or the outage that passes; raise what refuses it."""
    where, manner = At(1, document.x_mm, document.y_mm), Manner(Protect.CONTINUE, DocumentFormat.PDF, LEVEL)
    try:
        return await stamp(work, cabinet, seal.seal_id, document.ofd, [where], now, manner)
    except Fault as fault:
        if is_refusal(fault):
            raise
        return fault


async def _refuse(
    work: Work, cabinet: Cabinet, companion: PdfCompanion, seal_id: str, reason: str, now: datetime
) -> None:
    """Have the refusal in the ledger and told, unless the PDF carries its seal already."""
    refused = await record_refused(work, cabinet.suite.digest, companion.attempt(), seal_id, reason, now)
    if refused is None:
        return
    event = LicencePdfRefused(
        signature_id=companion.signature_id,
        licence_id=companion.licence_id,
        case_id=companion.case_id,
        reason=reason,
        refused_at=now,
    )
    work.publish(event, await work.ledger.attempts(companion.signature_id))
