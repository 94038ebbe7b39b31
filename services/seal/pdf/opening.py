"""Opening a PDF strictly and within bounds; what pyHanko raises never leaves this package.

The bounds hold for sealing and verifying alike. They bound size, numbers and inflated bytes; processor time and
memory against a file made to hurt are bounded by the process it is read in (`apart`).
"""

from __future__ import annotations

import io
import logging
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodeLimits, DocumentDecodeBudget, StreamDecodeLimits
from pyhanko.pdf_utils.misc import PdfDecodeLimitError, PdfError
from pyhanko.pdf_utils.reader import PdfFileReader

logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # its messages quote the document

_MIB = 1 << 20
_OBJECT = re.compile(rb"\d obj\b")
TAIL_BYTES = 1024
"""Within which the end of a revision says where its cross-references are."""
_TEXT_MOST = 200


@dataclass(frozen=True, slots=True)
class PdfLimits:
    """What a PDF may take; `inflated_bytes` counts what its streams unpack to while it is judged."""

    document_bytes: int = 64 * _MIB
    inflated_bytes: int = 64 * _MIB
    syntax_bytes: int = 8 * _MIB
    """All that is not inside of streams: cross-reference tables, dictionaries, strings, blanks."""
    objects: int = 50_000
    pages: int = 5_000
    revisions: int = 64
    signatures: int = 32
    depth: int = 64
    kept_bytes: int = 16 * _MIB
    """Certificates and revocation lists that a document brings along."""


LIMITS = PdfLimits()


class Unreadable(ValueError):  # noqa: N818 - says what the document is
    """The document is not read; `kind` is one of the constants below."""

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail


MALFORMED, ENCRYPTED, TOO_COMPLEX = "malformed", "encrypted", "too complex"
ACTIVE, FORBIDDEN = "active", "forbidden"  # for sealing only
_RAISED = (
    PdfError, ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError,
    NotImplementedError, OSError, zlib.error,
)  # fmt: skip


@contextmanager
def parsing() -> Iterator[None]:
    """Turn whatever the parser raises over a document into Unreadable."""
    try:
        yield
    except Unreadable:
        raise
    except (PdfDecodeLimitError, RecursionError, MemoryError) as error:
        raise Unreadable(TOO_COMPLEX, type(error).__name__) from None
    except _RAISED as error:
        raise Unreadable(MALFORMED, type(error).__name__) from None  # its text may quote the document


def open_pdf(document: bytes, limits: PdfLimits = LIMITS) -> PdfFileReader:
    """Return a strict reader of an unencrypted PDF with one way to find each object.

    Raises:
        Unreadable: Anything else, or more than `limits` allow.
    """
    _look(document, limits)
    with parsing():
        reader = PdfFileReader(io.BytesIO(document), strict=True, decode_limits=_decode_limits(limits))
        if "/Encrypt" in reader.trailer:
            raise Unreadable(ENCRYPTED)
        if reader.xrefs.hybrid_xrefs_present:
            raise Unreadable(MALFORMED, "hybrid cross-references")
        if reader.xrefs.total_revisions > limits.revisions:
            raise Unreadable(TOO_COMPLEX, "revisions")
        if reader.root["/Type"] != "/Catalog":
            raise Unreadable(MALFORMED, "no catalog")
    return reader


def _look(document: bytes, limits: PdfLimits) -> None:
    if not document.startswith(b"%PDF-"):
        raise Unreadable(MALFORMED, "no %PDF header")
    if len(document) > limits.document_bytes:
        raise Unreadable(TOO_COMPLEX, "document_bytes")
    last = document.rfind(b"%%EOF", -TAIL_BYTES)
    if last < 0 or document[last + 5 :].strip():
        raise Unreadable(MALFORMED, "does not end with %%EOF")
    if sum(1 for _ in islice(_OBJECT.finditer(document), limits.objects + 1)) > limits.objects:
        raise Unreadable(TOO_COMPLEX, "objects")
    if len(document) - _stream_bytes(document, limits) > limits.syntax_bytes:
        raise Unreadable(TOO_COMPLEX, "syntax_bytes")


def _stream_bytes(document: bytes, limits: PdfLimits) -> int:
    """Return how many bytes lie in streams: the parser skips those, all others it reads one by one, slowly."""
    found = at = 0
    for _ in range(limits.objects):
        start = document.find(b"stream", at)
        at = document.find(b"endstream", start + 6)
        if start < 0 or at < 0:
            break
        found += at - start
        at += 9
    return found


def _decode_limits(limits: PdfLimits) -> DecodeLimits:
    stream = StreamDecodeLimits(max_ratio=200, max_output_size=limits.inflated_bytes // 2)
    budget = DocumentDecodeBudget(base_allowance=limits.inflated_bytes, max_ratio=1)
    return DecodeLimits(per_stream=stream, document_budget=budget)


def entry(dictionary: Any, key: str, default: Any = None) -> Any:
    """Return the value of a key, references followed; pyHanko's own `get` does not follow them."""
    return dictionary[key] if key in dictionary else default  # noqa: SIM401


def is_reference(value: Any) -> bool:
    """Return whether the value refers to an object elsewhere in the document."""
    return isinstance(value, generic.IndirectObject)


def followed(value: Any) -> Any:
    """Return what a reference refers to, or the value itself."""
    return value.get_object()


def shown(text: str) -> str:
    """Return what may be stored and shown of a text from the document: printable characters, 200 at most."""
    kept = text[:_TEXT_MOST].encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in kept)
