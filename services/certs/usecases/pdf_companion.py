"""The PDF of a licence: made from its OFD once that is sealed, told to seal, kept when it is sealed.

All of it runs beside the licence: the issue notes that a PDF is wanted, and nothing of a licence waits for it.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime

from chassis.errors import Fault, Kind
from events.certs import LicencePdfMade
from services.certs.domain.licence import (
    DOCUMENT_ABSENT,
    DOCUMENT_DAMAGED,
    LICENCE_NOT_FOUND,
    Licence,
    require_usable,
)
from services.certs.domain.log import pdf_leaf
from services.certs.domain.pdf import pdf_of
from services.certs.domain.pdf.companion import LICENCE_PDF_NOT_WAITING, LicencePdf, PdfState, wanted
from services.certs.usecases.make import REFUSED_VERDICTS, SEAL_DOES_NOT_HOLD, SealedDocument
from services.certs.usecases.ports import Documents, Registry

_PASSES = frozenset({Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.RESOURCE_EXHAUSTED})
AT_ONCE = 50


async def due_pdfs(registry: Registry, now: datetime) -> list[str]:
    """Return licences whose PDF is to be made, told of again, or fetched."""
    return await registry.life.pdfs.due(now, AT_ONCE)


async def tell_of_pdf(registry: Registry, documents: Documents, licence_id: str, now: datetime) -> str:
    """Have a PDF that waits made and told to seal, again if it was told before; return what is to be fetched.

    That is the signature of a PDF that seal has sealed already, empty for none. A licence that is not in force,
    or cannot be drawn, is refused its PDF with the reason. Raises FILE_STORE_FAILED and what else passes.
    """
    pdf = await registry.life.pdfs.lock(licence_id)
    if pdf is None or pdf.due_at is None or pdf.due_at > now:
        return ""
    if pdf.state is PdfState.SIGNED:
        return pdf.signature_id
    licence = await registry.licences.get(licence_id)
    assert licence is not None, "its PDF refers to it"
    try:
        _require_document(licence, now)
        digest = pdf.unsealed_sha256 or await documents.put(await _drawn(licence, documents))
    except Fault as fault:
        if fault.kind in _PASSES:
            raise
        await registry.life.pdfs.save(pdf.refused(fault.code, now))
        return ""
    pdf = pdf.told(digest, now)
    await registry.life.pdfs.save(pdf)
    registry.publish(_made(licence, pdf, now), pdf.attempts)
    return ""


async def get_unsealed_pdf(
    registry: Registry, documents: Documents, licence_id: str, now: datetime
) -> tuple[Licence, bytes]:
    """Return a licence in force whose PDF waits for its seal, and that PDF.

    Raises LICENCE_NOT_FOUND, LICENCE_NOT_USABLE, LICENCE_PDF_NOT_WAITING.
    """
    licence = await registry.licences.get(licence_id)
    if licence is None:
        raise LICENCE_NOT_FOUND()
    pdf = await registry.life.pdfs.get(licence_id)
    if pdf is None or pdf.state is not PdfState.WAITING or not pdf.unsealed_sha256:
        raise LICENCE_PDF_NOT_WAITING()
    require_usable(licence, now)
    return licence, await documents.get(pdf.unsealed_sha256)


async def note_pdf_sealed(
    registry: Registry, licence_id: str, signature_id: str, document_sha256: str, now: datetime
) -> None:
    """Note that seal has the sealed PDF; it is fetched later, so that nobody waits for it."""
    pdf = await registry.life.pdfs.lock(licence_id)
    if pdf is not None and pdf.state is not PdfState.SEALED:
        await registry.life.pdfs.save(pdf.signed(signature_id, document_sha256, now))


async def note_pdf_refused(registry: Registry, licence_id: str, reason: str, now: datetime) -> None:
    """Note why a PDF was refused its seal; it can be asked for again."""
    pdf = await registry.life.pdfs.lock(licence_id)
    if pdf is not None and pdf.state is PdfState.WAITING:
        await registry.life.pdfs.save(pdf.refused(reason, now))


async def keep_sealed_pdf(
    registry: Registry, documents: Documents, licence_id: str, sealed: SealedDocument, now: datetime
) -> bool:
    """Keep the PDF that seal sealed; return whether it is kept now. One that does not hold is refused.

    The bytes must have the digest that seal announced, and must not have failed verification.
    """
    pdf = await registry.life.pdfs.lock(licence_id)
    if pdf is None or pdf.state is not PdfState.SIGNED:
        return False
    reason = _objection(pdf, sealed)
    if reason:
        await registry.life.pdfs.save(pdf.refused(reason, now))
        return False
    kept = pdf.kept(await documents.put(sealed.ofd), now)
    await registry.life.pdfs.save(kept)
    await registry.log.append(pdf_leaf(licence_id, sealed.signature_id, kept.sealed_sha256, now))
    return True


async def postpone_pdf(registry: Registry, licence_id: str, now: datetime) -> None:
    """Have a PDF looked at again later, after an outage."""
    pdf = await registry.life.pdfs.lock(licence_id)
    if pdf is not None and pdf.due_at is not None:
        await registry.life.pdfs.save(pdf.postponed(now))


async def ask_for_pdf(registry: Registry, licence_id: str, now: datetime) -> LicencePdf:
    """Return where the PDF of a licence stands; one that there is not yet is wanted from now on.

    So it is for licences that were issued before there were PDFs, and after a refusal.
    """
    pdf = await registry.life.pdfs.get(licence_id)
    if pdf is None:
        await registry.life.pdfs.add(wanted(licence_id, now))
        return wanted(licence_id, now)
    if pdf.state is not PdfState.REFUSED:
        return pdf
    pdf = await registry.life.pdfs.lock(licence_id)
    assert pdf is not None, "only erased licences lose theirs, and those are found no more"
    asked = pdf.asked_for(now)
    if asked != pdf:
        await registry.life.pdfs.save(asked)
    return asked


def _require_document(licence: Licence, now: datetime) -> None:
    if not licence.sealing.unsealed_sha256 or not licence.sealing.sealed_sha256:
        raise DOCUMENT_ABSENT()
    require_usable(licence, now)


async def _drawn(licence: Licence, documents: Documents) -> bytes:
    ofd = await documents.get(licence.sealing.unsealed_sha256)
    return await asyncio.to_thread(pdf_of, ofd, licence.sealing.sealed_sha256)


def _objection(pdf: LicencePdf, sealed: SealedDocument) -> str:
    digest = hashlib.sha256(sealed.ofd).hexdigest()
    if digest != pdf.announced_sha256 or sealed.sha256 != digest:
        return DOCUMENT_DAMAGED.code
    return SEAL_DOES_NOT_HOLD.code if sealed.verdict in REFUSED_VERDICTS else ""


def _made(licence: Licence, pdf: LicencePdf, now: datetime) -> LicencePdfMade:
    return LicencePdfMade(
        licence_id=licence.licence_id,
        issuer_code=licence.issuer_code,
        case_id=licence.case_id,
        item_code=licence.item_code,
        document_sha256=pdf.unsealed_sha256,
        made_at=now,
    )
