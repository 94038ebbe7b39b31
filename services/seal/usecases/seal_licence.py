"""Seal the document of a licence with its issuer's seal, at most once, with the use in the ledger."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import Fault, Kind, declare
from events.seal import DocumentSealed, SealingRefused
from services.seal.domain.imprint import DIAMETER_MM
from services.seal.domain.ledger import SEALED, UseEntry, link, signature_id_of
from services.seal.domain.register import RegisteredSeal, usable
from services.seal.domain.sealing import Placement, SealedDocument, seal_document
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.ports import StoredDocument, UnsealedDocument, Work

DOCUMENT_NOT_AS_ANNOUNCED = declare(
    "DOCUMENT_NOT_AS_ANNOUNCED",
    Kind.FAILED_PRECONDITION,
    "待签章文件与制证事件不一致",
    "The document is not the one that was announced",
)
_FINAL = frozenset({Kind.INVALID_ARGUMENT, Kind.FAILED_PRECONDITION})
"""Kinds of fault that say no; any other may pass and the event is tried again."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be sealed, as the licence's own event announced it."""

    licence_id: str
    case_id: str
    issuer_code: str
    document_sha256: str

    @property
    def signature_id(self) -> str:
        """The id of this sealing."""
        return signature_id_of(self.licence_id)


async def seal_licence(
    work: Work, cabinet: Cabinet, order: Order, document: UnsealedDocument, now: datetime
) -> bool:
    """Seal the document, or record why not; return whether it was sealed now.

    Afterwards the ledger has the use, the sealed bytes are kept and DocumentSealed leaves, all with this
    transaction; or SealingRefused leaves, with its row in the ledger. A licence that is sealed already stays so.
    The seal cannot change its state between the check and the commit.
    Raises KEYSTORE_UNREADABLE and what else may pass.
    """
    if await work.ledger.sealed(order.licence_id):
        return False
    seal: RegisteredSeal | None = None
    try:
        _check(order, document)
        seal = usable(await work.seals.of_owner(order.issuer_code, lock=True), now)
        in_use = await cabinet.take(work.seals, seal.seal_id)
        sealed = await asyncio.to_thread(seal_document, document.ofd, in_use, [_placement(document)], now)
    except Fault as fault:
        if fault.kind not in _FINAL:
            raise
        await refuse_sealing(work, cabinet, order, seal.seal_id if seal else "", fault.code, now)
        return False
    return await _record(work, cabinet, order, sealed, now)


async def _record(work: Work, cabinet: Cabinet, order: Order, sealed: SealedDocument, now: datetime) -> bool:
    head = await work.ledger.head(lock=True)
    if await work.ledger.sealed(order.licence_id):  # another process was faster; this signature stays here
        return False
    entry = _entry(order, sealed.seal_id, SEALED, now, sealed)
    version = await work.ledger.attempts(order.signature_id) + 1
    await work.ledger.append(link(head, entry, cabinet.suite.digest))
    sha256 = hashlib.sha256(sealed.data).hexdigest()
    stored = StoredDocument(order.signature_id, sealed.seal_id, sealed.data, sha256, sealed.signed_at)
    await work.ledger.keep_document(stored)
    work.publish(
        DocumentSealed(
            signature_id=order.signature_id,
            seal_id=sealed.seal_id,
            licence_id=order.licence_id,
            case_id=order.case_id,
            document_sha256=sha256,
            sealed_at=now,
        ),
        version,
    )
    return True


async def refuse_sealing(
    work: Work, cabinet: Cabinet, order: Order, seal_id: str, reason: str, now: datetime
) -> None:
    """Have the refusal in the ledger and told, unless the document carries its seal already."""
    head = await work.ledger.head(lock=True)
    if await work.ledger.sealed(order.licence_id):
        return
    version = await work.ledger.attempts(order.signature_id) + 1
    await work.ledger.append(link(head, _entry(order, seal_id, reason, now), cabinet.suite.digest))
    work.publish(
        SealingRefused(
            signature_id=order.signature_id,
            licence_id=order.licence_id,
            case_id=order.case_id,
            reason=reason,
            refused_at=now,
        ),
        version,
    )


def _check(order: Order, document: UnsealedDocument) -> None:
    if (
        hashlib.sha256(document.ofd).hexdigest() != order.document_sha256
        or document.issuer_code != order.issuer_code
    ):
        raise DOCUMENT_NOT_AS_ANNOUNCED()


def _placement(document: UnsealedDocument) -> Placement:
    return Placement(1, document.x_mm, document.y_mm, float(DIAMETER_MM), float(DIAMETER_MM))


def _entry(
    order: Order, seal_id: str, outcome: str, now: datetime, sealed: SealedDocument | None = None
) -> UseEntry:
    return UseEntry(
        signature_id=order.signature_id,
        seal_id=seal_id,
        licence_id=order.licence_id,
        case_id=order.case_id,
        issuer_code=order.issuer_code,
        outcome=outcome,
        unsealed_sha256=order.document_sha256,
        document_sm3=sealed.document_digest.hex() if sealed else "",
        signature_sm3=sealed.signature_digest.hex() if sealed else "",
        used_at=now,
    )
