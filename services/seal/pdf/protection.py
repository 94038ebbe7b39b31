"""What a PDF signature protects, and where it is shown: for people to read."""

from __future__ import annotations

from services.seal.domain.verification.protection import (
    Coverage,
    CoveredItem,
    CoveredKind,
    StampPlace,
    coverage,
)
from services.seal.pdf.facts import PdfFacts, SignatureFacts


def cover(document: bytes, facts: PdfFacts, one: SignatureFacts) -> Coverage:
    """Return how far the signature reaches: to the end of its revision, on all pages unless a later one changed them."""
    end = one.byte_range[2] + one.byte_range[3] if len(one.byte_range) == 4 else 0
    sound = one.whole_revision and not one.problem
    protected = [CoveredItem(CoveredKind.REVISION, f"0-{end}")] if sound else []
    later = [CoveredItem(CoveredKind.LATER_REVISION, one.change or f"{end}-{len(document)}")]
    pages = len(facts.pages)
    whole = tuple(range(1, pages + 1)) if sound and not one.change else ()
    return coverage(protected, [] if one.whole_file else later, pages, whole, closed=False)


def places_of(one: SignatureFacts) -> tuple[StampPlace, ...]:
    """Return the place where a signature field is shown, if it is; further stamps are annotations of no field."""
    return (StampPlace(one.page, "", one.box_mm),) if one.box_mm is not None else ()
