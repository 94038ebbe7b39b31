"""Which PDFs get a seal: strictly sound, nothing active inside, and no earlier signature that forbids another."""

from __future__ import annotations

from pyhanko.pdf_utils.reader import PdfFileReader

from chassis.errors import Fault
from services.seal.pdf import fields
from services.seal.pdf.active import find_active
from services.seal.pdf.facts import PdfFacts
from services.seal.pdf.opening import (
    ACTIVE,
    ENCRYPTED,
    FORBIDDEN,
    LIMITS,
    TOO_COMPLEX,
    PdfLimits,
    Unreadable,
    open_pdf,
    parsing,
)
from services.seal.pdf.pages import read_pages
from services.seal.pdf.reasons import (
    PDF_ACTIVE,
    PDF_CHANGES_FORBIDDEN,
    PDF_ENCRYPTED,
    PDF_MALFORMED,
    PDF_TOO_COMPLEX,
)


def open_for_sealing(document: bytes, limits: PdfLimits = LIMITS) -> PdfFileReader:
    """Return a reader of a document that may be sealed.

    Raises:
        Unreadable: It may not; `kind` says why.
    """
    reader = open_pdf(document, limits)
    with parsing():
        read_pages(reader, limits)
        active = find_active(reader, limits)
        if active is not None:
            raise Unreadable(ACTIVE, active)
        if fields.forbids_changes(reader):
            raise Unreadable(FORBIDDEN)
        if fields.count(reader) >= limits.signatures or reader.xrefs.total_revisions >= limits.revisions:
            raise Unreadable(TOO_COMPLEX, "signatures")
    return reader


def admit(document: bytes, limits: PdfLimits = LIMITS) -> PdfFacts:
    """Return the page sizes of a document that may be sealed, else the problem; never raises."""
    try:
        reader = open_for_sealing(document, limits)
        with parsing():
            return PdfFacts(pages=tuple(page.shown_mm for page in read_pages(reader, limits)))
    except Unreadable as problem:
        return PdfFacts(problem.kind, problem.detail)


def refusal(kind: str, detail: str) -> Fault:
    """Return the fault for a problem."""
    if kind == ENCRYPTED:
        return PDF_ENCRYPTED()
    if kind == ACTIVE:
        return PDF_ACTIVE(what=detail)
    if kind == FORBIDDEN:
        return PDF_CHANGES_FORBIDDEN()
    if kind == TOO_COMPLEX:
        return PDF_TOO_COMPLEX(limit=detail)
    return PDF_MALFORMED(why=detail)
