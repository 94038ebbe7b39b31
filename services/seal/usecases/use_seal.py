"""Seal a document that somebody sent: a notice, a decision, a receipt; once per request, under a grant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property

from chassis.errors import (
    BODY_TOO_LARGE,
    FIELD_REQUIRED,
    FIELD_TOO_LONG,
    REQUEST_ID_REUSED,
    Fault,
    Kind,
    Violation,
    declare,
    refuse,
)
from services.seal.domain.authorisation import DocumentType, Purpose
from services.seal.domain.ledger import SealUse, UseDetail, signature_id_of_request
from services.seal.domain.placing import PLACEMENT_NOT_FOR_PDF, AtKeyword, Wish
from services.seal.domain.register import SEAL_NOT_FOUND, RegisteredSeal, usable
from services.seal.domain.sealing import Protect
from services.seal.usecases.authorise_use import authorise
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.companions import PdfLevel
from services.seal.usecases.ports import Work
from services.seal.usecases.record_use import Attempt, record_refused, record_sealed
from services.seal.usecases.stamping import DocumentFormat, Manner, is_refusal, stamp
from services.seal.usecases.using_ports import StoredDocument

MAX_DOCUMENT_BYTES = 20 * 1024 * 1024
MOST_PLACEMENTS = 100
LONGEST_NAME = 100
LICENCES_ARE_THE_REGISTRYS = declare(
    "LICENCES_ARE_THE_REGISTRYS",
    Kind.INVALID_ARGUMENT,
    "证照由证照库发起签章",
    "Licences are sealed when the registry made them, not on request",
)


@dataclass(frozen=True, slots=True)
class SealTask:
    """What is to be done with which seal, and for what; `account` is ``kind/name`` of the calling system."""

    account: str
    request_id: str
    seal_id: str
    document_type: DocumentType
    service_item: str
    case_id: str = ""
    reviewer: str = ""
    mode: Protect = Protect.WHOLE
    format: DocumentFormat = DocumentFormat.OFD
    level: PdfLevel = PdfLevel.B_B
    wishes: tuple[Wish, ...] = ()

    def check(self) -> None:
        """Refuse a task that says too little or too much. Raises INVALID_REQUEST naming every wrong field."""
        refuse(self._mistakes())

    def _mistakes(self) -> list[Violation]:
        texts = ("seal_id", "service_item", "case_id", "reviewer")
        wrong = [
            FIELD_TOO_LONG.at(f"task.{name}", limit=LONGEST_NAME)
            for name in texts
            if len(getattr(self, name)) > LONGEST_NAME
        ]
        wrong += [FIELD_REQUIRED.at(f"task.{name}") for name in texts[:2] if not getattr(self, name).strip()]
        if not self.wishes:
            wrong.append(FIELD_REQUIRED.at("task.placements"))
        if len(self.wishes) > MOST_PLACEMENTS:
            wrong.append(FIELD_TOO_LONG.at("task.placements", limit=MOST_PLACEMENTS))
        if self.format is DocumentFormat.PDF:
            wrong += [
                PLACEMENT_NOT_FOR_PDF.at(f"task.placements[{at}]")
                for at, each in enumerate(self.wishes)
                if isinstance(each, AtKeyword)
            ]
        if self.document_type is DocumentType.LICENCE:
            wrong.append(LICENCES_ARE_THE_REGISTRYS.at("task.document_type"))
        return wrong


@dataclass(frozen=True)
class SealOrder:
    """One document to be sealed under a task; `item_id` tells those of a batch apart."""

    task: SealTask
    document: bytes = field(repr=False)
    item_id: str = ""

    @cached_property
    def document_sha256(self) -> str:
        """The hex SHA-256 of the document as it came."""
        return hashlib.sha256(self.document).hexdigest()

    @property
    def signature_id(self) -> str:
        """The id of this sealing."""
        return signature_id_of_request(self.task.account, self.task.request_id, self.item_id)

    @cached_property
    def request_digest(self) -> str:
        """The hex SHA-256 of all that was asked."""
        said = [asdict(self.task), [type(each).__name__ for each in self.task.wishes], self.document_sha256]
        text = json.dumps(said, sort_keys=True, default=_plain, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def purpose(self, owner_code: str) -> Purpose:
        """Return what the seal is wanted for."""
        task = self.task
        return Purpose(
            task.seal_id,
            owner_code,
            task.account,
            task.document_type,
            task.service_item,
            task.case_id,
            task.reviewer,
        )

    def attempt(self, owner_code: str) -> Attempt:
        """Return what the ledger says of it however it ends."""
        task = self.task
        detail = UseDetail(
            document_type=task.document_type.value,
            service_item=task.service_item,
            account=task.account,
            reviewer=task.reviewer,
            request_id=task.request_id,
            item_id=self.item_id,
            mode=task.mode.value,
            format=task.format.value,
            request_digest=self.request_digest,
        )
        return Attempt(self.signature_id, "", task.case_id, owner_code, self.document_sha256, detail)


async def use_seal(work: Work, cabinet: Cabinet, order: SealOrder, now: datetime) -> StoredDocument | Fault:
    """Return the sealed document, the same for each repetition of the request, or why it was refused.

    Afterwards the ledger has the use and the document is kept, or it has the refusal; either leaves only with
    this transaction. A refusal is returned, not raised, so that its row is committed first. After a refusal,
    or an outage, the same request may succeed.
    Raises REQUEST_ID_REUSED, BODY_TOO_LARGE, INVALID_REQUEST; and what may pass: SIGNER_UNAVAILABLE, AUDIT_UNWRITABLE.
    """
    order.task.check()
    if len(order.document) > MAX_DOCUMENT_BYTES:
        raise BODY_TOO_LARGE(limit_bytes=MAX_DOCUMENT_BYTES)
    done = await work.ledger.sealed_as(order.signature_id)
    if done is not None:
        return await _again(work, order, done)
    owner_code = ""
    try:
        seal = await _held(work, order.task.seal_id)
        owner_code = seal.owner_code
        usable([seal], now, seal.kind)
        permit = await authorise(work, seal, order.purpose(owner_code), order.document_sha256, now)
        task = order.task
        manner = Manner(task.mode, task.format, task.level)
        sealed = await stamp(work, cabinet, seal.seal_id, order.document, task.wishes, now, manner)
        attempt = order.attempt(owner_code)
        recorded = await record_sealed(work, cabinet.suite.digest, attempt, permit, sealed, now)
    except Fault as fault:
        if not is_refusal(fault):
            raise
        known = order.task.seal_id if owner_code else ""
        await record_refused(work, cabinet.suite.digest, order.attempt(owner_code), known, fault.code, now)
        return fault
    if recorded is not None:
        return recorded[1]
    done = await work.ledger.sealed_as(order.signature_id)  # another was faster; its signature is the one
    assert done is not None, "record_sealed saw it"
    return await _again(work, order, done)


async def _again(work: Work, order: SealOrder, done: SealUse) -> StoredDocument:
    detail = done.entry.detail
    if detail is None or detail.request_digest != order.request_digest:
        raise REQUEST_ID_REUSED()
    stored = await work.ledger.document(order.signature_id)
    assert stored is not None, "kept with its use"
    return stored


async def _held(work: Work, seal_id: str) -> RegisteredSeal:
    """Return the seal, held so that neither its state nor its grants and rules change before the commit."""
    named = await work.seals.get(seal_id)
    if named is None:
        raise SEAL_NOT_FOUND()
    held: Sequence[RegisteredSeal] = await work.seals.of_owner(named.owner_code, lock=True)
    return next(each for each in held if each.seal_id == seal_id)


def _plain(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)
