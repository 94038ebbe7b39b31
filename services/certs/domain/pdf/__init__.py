"""The PDF companion of a licence: the page of its OFD in the other form, for who reads no OFD.

It is made from the unsealed OFD itself, not from the record again: it shows what was sealed, with the font that
was embedded there, whatever became of the type since. Equal documents give equal bytes.
"""

from __future__ import annotations

from services.certs.domain.pdf.reading import PDF_NOT_RENDERABLE

__all__ = ["PDF_NOT_RENDERABLE", "pdf_of"]


def pdf_of(ofd: bytes, original_sha256: str) -> bytes:
    """Return the PDF of an unsealed OFD, naming the sealed one it belongs to. Raises PDF_NOT_RENDERABLE."""
    from services.certs.domain.pdf import document  # noqa: PLC0415 - the library weighs what a small stack lacks

    return document.pdf_of(ofd, original_sha256)
