"""Hand out the sealed PDF of a licence: to who may have the original, while the licence is in force."""

from __future__ import annotations

from datetime import datetime

from chassis.errors import FIELD_REQUIRED, Fault
from services.certs.domain.licence import DOCUMENT_ABSENT, LICENCE_NOT_FOUND
from services.certs.domain.pdf.companion import (
    LICENCE_PDF_FOR_ORIGINAL_ONLY,
    LICENCE_PDF_NOT_READY,
    LICENCE_PDF_REFUSED,
    PdfState,
)
from services.certs.domain.purpose import Purpose, check_purpose
from services.certs.domain.usage import Reader, UsageKind
from services.certs.usecases.annotate import Document, may_have_original, require_usable, use_line
from services.certs.usecases.pdf_companion import ask_for_pdf
from services.certs.usecases.ports import Documents, NewId, Registry
from services.certs.usecases.read import may_read


async def hand_out_pdf(
    registry: Registry,
    documents: Documents,
    reader: Reader,
    licence_id: str,
    purpose: Purpose,
    new_id: NewId,
    now: datetime,
) -> Document | Fault:
    """Return the sealed PDF, or why it is not there yet; then it is being made once this transaction commits.

    A PDF leaves the registry to stand in for paper, so it is given of licences in force only; copies for others
    are annotated, and those are OFD. LICENCE_PDF_NOT_READY and LICENCE_PDF_REFUSED are returned, not raised.
    Raises LICENCE_NOT_FOUND, DOCUMENT_ABSENT, LICENCE_PDF_FOR_ORIGINAL_ONLY, LICENCE_NOT_USABLE, INVALID_REQUEST,
    FILE_BROKEN.
    """
    check_purpose(purpose, [] if licence_id else [FIELD_REQUIRED.at("licence_id")])
    licence = await registry.licences.get(licence_id)
    if licence is None or not may_read(reader, purpose, licence):
        raise LICENCE_NOT_FOUND()
    if not licence.sealing.sealed_sha256:
        raise DOCUMENT_ABSENT()
    if not may_have_original(reader, purpose, licence):
        raise LICENCE_PDF_FOR_ORIGINAL_ONLY()
    require_usable(registry, reader, purpose, licence, new_id, now)
    pdf = await ask_for_pdf(registry, licence_id, now)
    if pdf.state is PdfState.REFUSED:
        return LICENCE_PDF_REFUSED(cause=pdf.refusal)
    if pdf.state is not PdfState.SEALED:
        return LICENCE_PDF_NOT_READY(retry_after_seconds=1)
    content = await documents.get(pdf.sealed_sha256)
    await registry.usages.add([use_line(new_id(), UsageKind.DOCUMENT, reader, purpose, licence, now)])
    return Document(content, pdf.sealed_sha256)
