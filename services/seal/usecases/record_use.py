"""Enter the use of a seal, done or refused, into the ledger: in the transaction that lets the signature out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from services.seal.domain.ledger import SEALED, Digest, SealUse, UseDetail, UseEntry, link
from services.seal.domain.sealing import SealedDocument
from services.seal.usecases.authorise_use import Permit, next_use
from services.seal.usecases.ports import Work
from services.seal.usecases.using_ports import StoredDocument


@dataclass(frozen=True, slots=True)
class Attempt:
    """What the ledger says of a sealing however it ends; a document that is no licence has no `licence_id`."""

    signature_id: str
    licence_id: str
    case_id: str
    issuer_code: str
    unsealed_sha256: str
    detail: UseDetail


async def record_sealed(
    work: Work, digest: Digest, attempt: Attempt, permit: Permit, sealed: SealedDocument, now: datetime
) -> tuple[SealUse, StoredDocument] | None:
    """Have the use in the ledger and the document kept; None if another process was faster: this signature stays here.

    Raises SEAL_LIMIT_REACHED, counted while nobody else appends; AUDIT_UNWRITABLE.
    """
    head = await work.ledger.head(lock=True)
    if await _is_sealed(work, attempt):
        return None
    counted = await next_use(work, permit.rules, now)
    detail = replace(
        attempt.detail, grant_id=permit.grant_id, approvers=permit.approvers, day_uses=counted.day_uses
    )
    entry = UseEntry(
        signature_id=attempt.signature_id,
        seal_id=sealed.seal_id,
        licence_id=attempt.licence_id,
        case_id=attempt.case_id,
        issuer_code=attempt.issuer_code,
        outcome=SEALED,
        unsealed_sha256=attempt.unsealed_sha256,
        document_sm3=sealed.document_digest.hex(),
        signature_sm3=sealed.signature_digest.hex(),
        used_at=counted.used_at,
        detail=detail,
    )
    use = link(head, entry, digest)
    await work.ledger.append(use)
    sha256 = hashlib.sha256(sealed.data).hexdigest()
    stored = StoredDocument(attempt.signature_id, sealed.seal_id, sealed.data, sha256, sealed.signed_at)
    await work.ledger.keep_document(stored)
    return use, stored


async def record_refused(
    work: Work, digest: Digest, attempt: Attempt, seal_id: str, reason: str, now: datetime
) -> SealUse | None:
    """Have the refusal in the ledger, unless the document carries its seal already. Raises AUDIT_UNWRITABLE."""
    head = await work.ledger.head(lock=True)
    if await _is_sealed(work, attempt):
        return None
    entry = UseEntry(
        signature_id=attempt.signature_id,
        seal_id=seal_id,
        licence_id=attempt.licence_id,
        case_id=attempt.case_id,
        issuer_code=attempt.issuer_code,
        outcome=reason,
        unsealed_sha256=attempt.unsealed_sha256,
        document_sm3="",
        signature_sm3="",
        used_at=now,
        detail=attempt.detail,
    )
    use = link(head, entry, digest)
    await work.ledger.append(use)
    return use


async def _is_sealed(work: Work, attempt: Attempt) -> bool:
    if attempt.licence_id:
        return await work.ledger.sealed(attempt.licence_id)
    return await work.ledger.sealed_as(attempt.signature_id) is not None
