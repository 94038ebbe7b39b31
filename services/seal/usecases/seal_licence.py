"""Seal the document of a licence with its issuer's seal, at most once, with the use in the ledger."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Fault, Kind, declare
from events.seal import DocumentSealed, SealingRefused
from services.seal.domain.authorisation import REGISTRY, DocumentType, GranteeKind, Purpose
from services.seal.domain.ledger import UseDetail, signature_id_of
from services.seal.domain.placing import At
from services.seal.domain.register import RegisteredSeal, usable
from services.seal.domain.sealing import Protect
from services.seal.usecases.authorise_use import authorise
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.ports import UnsealedDocument, Work
from services.seal.usecases.record_use import Attempt, record_refused, record_sealed
from services.seal.usecases.stamping import DocumentFormat, is_refusal, stamp

DOCUMENT_NOT_AS_ANNOUNCED = declare(
    "DOCUMENT_NOT_AS_ANNOUNCED",
    Kind.FAILED_PRECONDITION,
    "待签章文件与制证事件不一致",
    "The document is not the one that was announced",
)
ACCOUNT = f"{GranteeKind.SERVICE}/{REGISTRY}"
"""On whose behalf licences are sealed: the registry's."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sealed, as the licence's own event announced it."""

    licence_id: str
    case_id: str
    issuer_code: str
    document_sha256: str
    service_item: str = ""

    @property
    def signature_id(self) -> str:
        """The id of this sealing."""
        return signature_id_of(self.licence_id)

    def purpose(self, seal: RegisteredSeal) -> Purpose:
        """Return what the seal is wanted for."""
        return Purpose(
            seal.seal_id, seal.owner_code, ACCOUNT, DocumentType.LICENCE, self.service_item, self.case_id
        )

    def attempt(self) -> Attempt:
        """Return what the ledger says of it however it ends."""
        detail = UseDetail(
            document_type=DocumentType.LICENCE.value,
            service_item=self.service_item,
            account=ACCOUNT,
            mode=Protect.WHOLE.value,
            format=DocumentFormat.OFD.value,
            request_digest=self.document_sha256,
        )
        return Attempt(
            self.signature_id, self.licence_id, self.case_id, self.issuer_code, self.document_sha256, detail
        )


async def seal_licence(
    work: Work, cabinet: Cabinet, order: Order, document: UnsealedDocument, now: datetime
) -> bool:
    """Seal the document, or record why not; return whether it was sealed now.

    Afterwards the ledger has the use, the sealed bytes are kept and DocumentSealed leaves, all with this
    transaction; or SealingRefused leaves, with its row in the ledger. A licence that is sealed already stays so.
    Neither the seal's state nor its grants and rules can change between the check and the commit.
    Raises SIGNER_UNAVAILABLE and what else may pass.
    """
    if await work.ledger.sealed(order.licence_id):
        return False
    seal: RegisteredSeal | None = None
    try:
        require_as_announced(document, order.issuer_code, order.document_sha256)
        seal = usable(await work.seals.of_owner(order.issuer_code, lock=True), now)
        permit = await authorise(work, seal, order.purpose(seal), order.document_sha256, now)
        wishes = [At(1, document.x_mm, document.y_mm)]
        sealed = await stamp(work, cabinet, seal.seal_id, document.ofd, wishes, now)
        done = await record_sealed(work, cabinet.suite.digest, order.attempt(), permit, sealed, now)
    except Fault as fault:
        if not is_refusal(fault):
            raise
        await refuse_sealing(work, cabinet, order, seal.seal_id if seal else "", fault.code, now)
        return False
    if done is None:
        return False
    use, stored = done
    work.publish(
        DocumentSealed(
            signature_id=order.signature_id,
            seal_id=sealed.seal_id,
            licence_id=order.licence_id,
            case_id=order.case_id,
            document_sha256=stored.sha256,
            sealed_at=use.entry.used_at,
        ),
        await work.ledger.attempts(order.signature_id),
    )
    return True


async def refuse_sealing(
    work: Work, cabinet: Cabinet, order: Order, seal_id: str, reason: str, now: datetime
) -> None:
    """Have the refusal in the ledger and told, unless the document carries its seal already."""
    refused = await record_refused(work, cabinet.suite.digest, order.attempt(), seal_id, reason, now)
    if refused is None:
        return
    work.publish(
        SealingRefused(
            signature_id=order.signature_id,
            licence_id=order.licence_id,
            case_id=order.case_id,
            reason=reason,
            refused_at=now,
        ),
        await work.ledger.attempts(order.signature_id),
    )


def require_as_announced(document: UnsealedDocument, issuer_code: str, document_sha256: str) -> None:
    """Do nothing for the document that an event announced. Raises DOCUMENT_NOT_AS_ANNOUNCED."""
    is_announced = hashlib.sha256(document.ofd).hexdigest() == document_sha256
    if not is_announced or document.issuer_code != issuer_code:
        raise DOCUMENT_NOT_AS_ANNOUNCED()
