"""What certs does with the events of intake and seal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from chassis.clock import Clock
from chassis.db import Transaction
from chassis.event import Envelope, mirrored, new_event_id
from chassis.inbox import Handler
from events.certs import MIRROR, ReplicaSent
from events.intake import CaseClosed, CaseSubmitted, CaseWithdrawn, PartDecided
from events.seal import DocumentSealed, LicencePdfRefused, LicencePdfSealed, SealingRefused
from services.certs.domain.issuing import IssueData
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.use_code import CasePart
from services.certs.usecases.life.from_case import make_from_approval
from services.certs.usecases.make import SealedDocument, note_seal_refusal, put_in_force
from services.certs.usecases.pdf_companion import note_pdf_refused, note_pdf_sealed
from services.certs.usecases.ports import Documents, Registry
from services.certs.usecases.use_codes import revoke_use_codes

CASE_WITHDRAWN, CASE_CLOSED = "申请人已撤回申请", "办件已办结"
"""Why what is left of a case's use-codes is taken back: its purpose is gone (PIPL 6, 47)."""


class Approvals(Protocol):
    """The data of approved parts; asked of intake."""

    async def of_part(self, part_id: str) -> IssueData:
        """Return what an approved part says about its licence."""


class SealedDocuments(Protocol):
    """Sealed documents; asked of seal."""

    async def of_signature(self, signature_id: str) -> SealedDocument:
        """Return a sealed document and what its verification said."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """What the handlers work with."""

    registry_of: Callable[[Transaction], Registry]
    documents: Documents
    types: LicenceTypes
    approvals: Approvals
    sealed: SealedDocuments
    clock: Clock


def handlers(hearing: Hearing) -> tuple[Handler[Any, Any], ...]:
    """Return a handler per event; what peers know is fetched before the transaction opens."""

    async def fetch_approval(event: PartDecided) -> IssueData | None:
        if not event.approved or not event.licence_type_code:
            return None
        return await hearing.approvals.of_part(event.part_id)

    async def make(tx: Transaction, event: PartDecided, envelope: Envelope, data: IssueData | None) -> None:
        del event, envelope
        if data is not None:
            await make_from_approval(
                hearing.registry_of(tx), hearing.documents, hearing.types, data, _new_id, hearing.clock()
            )

    async def fetch_sealed(event: DocumentSealed) -> SealedDocument:
        return await hearing.sealed.of_signature(event.signature_id)

    async def issue(
        tx: Transaction, event: DocumentSealed, envelope: Envelope, sealed: SealedDocument | None
    ) -> None:
        del envelope
        assert sealed is not None, "fetch_sealed ran for this event"
        registry = hearing.registry_of(tx)
        await put_in_force(
            registry, hearing.documents, event.licence_id, sealed, event.document_sha256, hearing.clock()
        )

    async def note(tx: Transaction, event: SealingRefused, envelope: Envelope, nothing: None) -> None:
        del envelope, nothing
        await note_seal_refusal(hearing.registry_of(tx), event.licence_id, event.reason)

    async def note_pdf(tx: Transaction, event: LicencePdfSealed, envelope: Envelope, nothing: None) -> None:
        del envelope, nothing
        registry, now = hearing.registry_of(tx), hearing.clock()
        await note_pdf_sealed(registry, event.licence_id, event.signature_id, event.document_sha256, now)

    async def note_no_pdf(
        tx: Transaction, event: LicencePdfRefused, envelope: Envelope, nothing: None
    ) -> None:
        del envelope, nothing
        await note_pdf_refused(hearing.registry_of(tx), event.licence_id, event.reason, hearing.clock())

    async def take_back(
        tx: Transaction, event: CaseWithdrawn | CaseClosed, envelope: Envelope, nothing: None
    ) -> None:
        del envelope, nothing
        reason = CASE_WITHDRAWN if isinstance(event, CaseWithdrawn) else CASE_CLOSED
        registry = hearing.registry_of(tx)
        await registry.evidence.cases.close(event.case_id, hearing.clock())
        await revoke_use_codes(registry, event.case_id, reason, hearing.clock())

    async def know_case(tx: Transaction, event: CaseSubmitted, envelope: Envelope, nothing: None) -> None:
        del envelope, nothing
        parts = [
            CasePart(event.case_id, each.part_id, each.item_code, each.department_code)
            for each in event.parts
        ]
        await hearing.registry_of(tx).evidence.cases.know(parts, hearing.clock())

    return (
        Handler(PartDecided, make, fetch_approval),
        Handler(CaseSubmitted, know_case),
        Handler(CaseWithdrawn, take_back),
        Handler(CaseClosed, take_back),
        Handler(DocumentSealed, issue, fetch_sealed),
        Handler(SealingRefused, note),
        Handler(LicencePdfSealed, note_pdf),
        Handler(LicencePdfRefused, note_no_pdf),
    )


def federation_handlers(
    hear: Callable[[Transaction, ReplicaSent, Envelope, None], Awaitable[None]],
) -> tuple[Handler[Any, Any], ...]:
    """Return the handler of what other registries sent, as it was mirrored to us."""
    return (Handler(mirrored(ReplicaSent, MIRROR), hear),)


def _new_id() -> str:
    return str(new_event_id())
