"""What makes, tells of and fetches the PDFs of licences, each in its own transaction; their gauge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.errors import Fault
from chassis.logs import get_logger
from chassis.measuring import Measure
from chassis.run import Part
from chassis.service import Runtime
from chassis.telemetry import counter, gauge
from chassis.worker import Step, repeating
from services.certs.consumers import SealedDocuments
from services.certs.usecases.pdf_companion import (
    AT_ONCE,
    due_pdfs,
    keep_sealed_pdf,
    postpone_pdf,
    tell_of_pdf,
)
from services.certs.usecases.ports import Documents, Registry

LOOK_SECONDS = 0.5
LATE = timedelta(minutes=5)
PDFS_LATE = gauge("licence_pdfs_late", "PDFs of licences that wait for more than five minutes")
KEPT = counter("licence_pdfs_kept", "Sealed PDFs of licences that were fetched from seal and kept")
_LATE = """
select count(*) from licence_pdf where due_at is not null and changed_at < $1
"""
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PdfParts:
    """What PDFs add to the service."""

    worker: Part
    measure: Measure


def pdf_parts(
    runtime: Runtime,
    registry_of: Callable[[Transaction], Registry],
    documents: Documents,
    sealed: SealedDocuments,
) -> PdfParts:
    """Return the part and the gauge. Any number of processes may run it at the same time."""
    step = pdf_step(runtime.database, registry_of, documents, sealed, runtime.clock)

    async def measure(tx: Transaction) -> None:
        PDFS_LATE.set(await tx.fetchval(_LATE, runtime.clock() - LATE))

    return PdfParts(repeating("licence_pdfs", step, every_seconds=LOOK_SECONDS), measure)


def pdf_step(
    database: Database,
    registry_of: Callable[[Transaction], Registry],
    documents: Documents,
    sealed: SealedDocuments,
    clock: Clock,
) -> Step:
    """Return the step; a PDF that fails is looked at again later and keeps none from theirs."""

    async def step() -> bool:
        async with database.transaction() as tx:
            due = await due_pdfs(registry_of(tx), clock())
        for licence_id in due:
            await patiently(licence_id)
        return len(due) == AT_ONCE

    async def work(licence_id: str) -> None:
        async with database.transaction() as tx:
            signature_id = await tell_of_pdf(registry_of(tx), documents, licence_id, clock())
        if not signature_id:
            return
        document = await sealed.of_signature(signature_id)
        async with database.transaction() as tx:
            if await keep_sealed_pdf(registry_of(tx), documents, licence_id, document, clock()):
                KEPT.inc()

    async def patiently(licence_id: str) -> None:
        try:
            await work(licence_id)
        except Fault as fault:
            log.warning("licence_pdf_waits", cause=fault.code)
            async with database.transaction() as tx:
                await postpone_pdf(registry_of(tx), licence_id, clock())

    return step
