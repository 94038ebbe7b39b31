"""What seal does with the events of certs: a licence that was made gets its issuer's seal, and so does its PDF."""

from __future__ import annotations

from typing import Any

from chassis.db import Transaction
from chassis.errors import Fault
from chassis.event import Envelope
from chassis.inbox import Handler
from chassis.logs import get_logger
from events.certs import LicenceMade, LicencePdfMade
from services.seal.domain.ledger import pdf_signature_id_of
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.ports import Documents, UnitOfWork, UnsealedDocument, WorkOf
from services.seal.usecases.seal_licence import Order, seal_licence
from services.seal.usecases.seal_licence_pdf import PdfCompanion, seal_licence_pdf
from services.seal.usecases.stamping import is_refusal

_log = get_logger(__name__)


def handlers(
    unit: UnitOfWork, work_of: WorkOf[Transaction], cabinet: Cabinet, documents: Documents
) -> tuple[Handler[Any, Any], ...]:
    """Return the handlers: the document is fetched first, sealed and recorded after."""

    async def prepare(event: LicenceMade) -> UnsealedDocument | None:
        async with unit() as work:
            if await work.ledger.sealed(event.licence_id):
                return None
        return await documents.unsealed(event.licence_id)

    async def apply(
        tx: Transaction, event: LicenceMade, _envelope: Envelope, document: UnsealedDocument | None
    ) -> None:
        if document is None:
            return
        order = Order(
            event.licence_id, event.case_id, event.issuer_code, event.document_sha256, event.item_code
        )
        await seal_licence(work_of(tx), cabinet, order, document, tx.now())

    async def prepare_pdf(event: LicencePdfMade) -> UnsealedDocument | Fault | None:
        async with unit() as work:
            if await work.ledger.sealed_as(pdf_signature_id_of(event.licence_id)):
                return None
        try:
            return await documents.unsealed_pdf(event.licence_id)
        except Fault as fault:
            return fault if is_refusal(fault) else None  # certs tells of it again

    async def apply_pdf(
        tx: Transaction, event: LicencePdfMade, _envelope: Envelope, document: UnsealedDocument | Fault | None
    ) -> None:
        if document is None:
            return
        companion = PdfCompanion(
            event.licence_id, event.case_id, event.issuer_code, event.document_sha256, event.item_code
        )
        waits = await seal_licence_pdf(work_of(tx), cabinet, companion, document, tx.now())
        if waits is not None:
            _log.warning("licence_pdf_waits", cause=waits.code)

    return Handler(LicenceMade, apply, prepare), Handler(LicencePdfMade, apply_pdf, prepare_pdf)
