"""The adapter over PDF sealing: implements the port PdfPress."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.seal.domain.sealing import SealedDocument
from services.seal.domain.structures import Picture
from services.seal.domain.suite import SigningKey, Suite
from services.seal.pdf import (
    Level,
    PdfSeal,
    PdfSealing,
    ValidationData,
    admit_apart,
    prepare_pdf_seal,
    seal_pdf,
)
from services.seal.usecases.companions import PagePlan, PdfOrder


class PadesPress:
    """Seals PDFs as PAdES baseline signatures; each document is judged in a bounded process first."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite

    def prepare(
        self, key: SigningKey, certificate: bytes, chain: Sequence[bytes], seal: tuple[str, str, Picture]
    ) -> PdfSeal:
        """Return the credential ready for use. Raises PDF_CREDENTIAL_REFUSED, PDF_STAMP_REFUSED."""
        return prepare_pdf_seal(self.suite, key, certificate, chain, *seal)

    def seal(
        self,
        document: bytes,
        prepared: PdfSeal,
        plan: PagePlan,
        signed_at: datetime,
        order: PdfOrder,
    ) -> SealedDocument:
        """Return the sealed PDF. Raises what `plan` and `seal_pdf` raise."""
        how = PdfSealing(
            level=Level(order.level.value),
            timestamp=order.timestamp,
            validation=ValidationData(order.certificates, order.crls),
        )
        facts = admit_apart(document)  # what is wrong with it is said by seal_pdf
        placements = [] if facts.problem else plan(facts.pages)
        return seal_pdf(document, prepared, placements, signed_at, how, lambda _document: facts)
