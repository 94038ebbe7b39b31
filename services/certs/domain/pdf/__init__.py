"""The PDF companion of a licence: the page of its OFD in the other form, for who reads no OFD.

It is made from the unsealed OFD itself, not from the record again: it shows what was sealed, with the font that
was embedded there, whatever became of the type since. Equal documents give equal bytes.
"""

from __future__ import annotations

from services.certs.domain.pdf.document import pdf_of
from services.certs.domain.pdf.reading import PDF_NOT_RENDERABLE

__all__ = ["PDF_NOT_RENDERABLE", "pdf_of"]
