"""What seal does with the events of certs: a licence that was made gets its issuer's seal."""

from __future__ import annotations

from typing import Any

from chassis.db import Transaction
from chassis.event import Envelope
from chassis.inbox import Handler
from events.certs import LicenceMade
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.ports import Documents, UnitOfWork, UnsealedDocument, WorkOf
from services.seal.usecases.seal_licence import Order, seal_licence


def handlers(
    unit: UnitOfWork, work_of: WorkOf[Transaction], cabinet: Cabinet, documents: Documents
) -> tuple[Handler[Any, Any], ...]:
    """Return the handler: the document is fetched first, sealed and recorded after."""

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

    return (Handler(LicenceMade, apply, prepare),)
