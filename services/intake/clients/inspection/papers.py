"""PDF: readable as a whole, not encrypted, nothing that runs or opens, no files inside, no bomb."""

from __future__ import annotations

import io
import re
import zlib
from typing import Any

import pikepdf

from services.intake.clients.inspection.reasons import (
    FILE_ACTIVE,
    FILE_BROKEN_INSIDE,
    FILE_TOO_COMPLEX,
    FileLimits,
)

_ACTIVE_KEYS = frozenset(
    {"/JS", "/JavaScript", "/AA", "/EmbeddedFiles", "/EmbeddedFile", "/EF", "/XFA", "/RichMedia", "/RichMediaContent",
     "/Launch", "/3DD"}
)  # fmt: skip
_ACTIVE_ACTIONS = frozenset(
    {"/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/Rendition", "/Movie", "/Sound",
     "/RichMediaExecute", "/SetOCGState", "/Trans", "/GoTo3DView"}
)  # fmt: skip
_INFLATING = frozenset({"/FlateDecode", "/Fl", "/LZWDecode", "/LZW", "/RunLengthDecode", "/RL", "/Crypt"})
_STREAM = re.compile(rb"stream\r?\n")
_PIECE = 1024 * 1024
_MAX_DEPTH, _MAX_OBJECTS = 60, 200_000
_pdf: Any = pikepdf


def inspect_pdf(content: bytes, limits: FileLimits) -> bytes:
    """Return the document as it came: rewriting it would break its signatures.

    Raises FILE_ACTIVE, FILE_BROKEN_INSIDE, FILE_TOO_COMPLEX.
    """
    if b"%%EOF" not in content[-2048:]:
        raise FILE_BROKEN_INSIDE()
    _refuse_bomb(content, limits)
    try:
        with _pdf.open(io.BytesIO(content), attempt_recovery=False, suppress_warnings=True) as document:
            if document.is_encrypted:
                raise FILE_ACTIVE()
            if not len(document.pages):
                raise FILE_BROKEN_INSIDE()
            left = [_MAX_OBJECTS]
            _walk(document.trailer, left, 0)
            for each in document.objects:
                _walk(each, left, 0)
            if document.get_warnings():  # what one reader passes over another may show, or run
                raise FILE_BROKEN_INSIDE()
    except _pdf.PasswordError as problem:
        raise FILE_ACTIVE() from problem
    except MemoryError as problem:
        raise FILE_TOO_COMPLEX() from problem
    except (_pdf.PdfError, ValueError, TypeError, AttributeError, KeyError, RuntimeError) as problem:
        raise FILE_BROKEN_INSIDE() from problem
    return content


def _walk(found: Any, left: list[int], depth: int) -> None:
    """Look at an object and what lies directly in it; what it refers to is an object of its own."""
    left[0] -= 1
    if left[0] < 0 or depth > _MAX_DEPTH:
        raise FILE_TOO_COMPLEX()
    if isinstance(found, (_pdf.Dictionary, _pdf.Stream)):
        keys = set(found.keys())
        if keys & _ACTIVE_KEYS or ("/S" in keys and _name(found["/S"]) in _ACTIVE_ACTIONS):
            raise FILE_ACTIVE()
        if _layers(found.get("/Filter")) > 1:
            raise FILE_TOO_COMPLEX()
        for key in keys:
            _walk_inside(found[key], left, depth)
    elif isinstance(found, _pdf.Array):
        for each in found:
            _walk_inside(each, left, depth)


def _walk_inside(value: Any, left: list[int], depth: int) -> None:
    if isinstance(value, (_pdf.Dictionary, _pdf.Array)) and not getattr(value, "is_indirect", False):
        _walk(value, left, depth + 1)


def _layers(filters: Any) -> int:
    """Return how often a stream is inflated; twice is how a bomb hides its size."""
    return sum(_name(each) in _INFLATING for each in filters) if isinstance(filters, _pdf.Array) else 1


def _name(value: Any) -> str:
    return str(value) if isinstance(value, _pdf.Name) else ""


def _refuse_bomb(content: bytes, limits: FileLimits) -> None:
    """Inflate every stream that looks deflated, keeping nothing, until the bound."""
    left = limits.unpacked_bytes
    for start in _STREAM.finditer(content):
        engine = zlib.decompressobj()
        data = content[start.end() : start.end() + limits.packed_bytes]
        if data[:1] not in {b"\x78", b"\x58", b"\x48", b"\x38", b"\x68", b"\x28", b"\x18", b"\x08"}:
            continue
        try:
            while data and not engine.eof:
                left -= len(engine.decompress(data, _PIECE))
                data = engine.unconsumed_tail
                if left < 0:
                    raise FILE_TOO_COMPLEX()
        except zlib.error:
            continue
