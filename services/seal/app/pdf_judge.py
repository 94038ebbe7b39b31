"""The adapter over PDF verification: implements the port PdfJudge."""

from __future__ import annotations

from services.seal.domain.verification import DocumentReport, Evidence
from services.seal.pdf import Companion, count_seals, examine_apart, verify_pdf
from services.seal.usecases.evidence import CredentialLookup


class PadesJudge:
    """Judges PDFs; each is read in a bounded process of its own."""

    def verify(
        self, document: bytes, evidence: Evidence, credentials: CredentialLookup | None
    ) -> DocumentReport:
        """Return what holds of every signature. Raises PEER_UNAVAILABLE."""

        def companion(seal_id: str) -> Companion | None:
            found = credentials(seal_id) if credentials else None
            return Companion((found.certificate,), found.seal) if found else None

        return verify_pdf(document, evidence, companion if credentials else None)

    def count(self, document: bytes) -> int:
        """Return how many seals the document carries. Raises PEER_UNAVAILABLE."""
        return count_seals(examine_apart(document))
