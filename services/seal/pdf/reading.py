"""Reads the facts of a PDF with pyHanko; runs where a hostile file can do no harm (see `apart`)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.decode_limits import DecodePurpose
from pyhanko.pdf_utils.misc import PdfReadError
from pyhanko.pdf_utils.reader import PdfFileReader, process_data_at_eof
from pyhanko.sign.fields import enumerate_sig_fields

from services.seal.pdf.changes import find_change
from services.seal.pdf.facts import PdfFacts, SignatureFacts
from services.seal.pdf.opening import (
    LIMITS,
    TAIL_BYTES,
    TOO_COMPLEX,
    PdfLimits,
    Unreadable,
    entry,
    followed,
    is_reference,
    open_pdf,
    parsing,
    shown,
)
from services.seal.pdf.pages import Box, Page, read_pages

_NUMBERS_MOST = 16


def examine(document: bytes, limits: PdfLimits = LIMITS) -> PdfFacts:
    """Return what the document says; never raises for anything it holds."""
    try:
        reader = open_pdf(document, limits)
        with parsing():
            read = read_pages(reader, limits)
            pages = tuple(page.shown_mm for page in read)
            numbered = {page.number: page for page in read}
            filled = list(enumerate_sig_fields(reader, filled_status=True))
            signatures = [
                _signature(reader, document, name, field, numbered)
                for name, _, field in filled[: limits.signatures]
            ]
            certificates, crls = _kept(reader, limits)
            removed = _removed(reader, {name for name, _, _ in filled})
    except Unreadable as problem:
        return PdfFacts(problem.kind, problem.detail)
    if len(filled) > limits.signatures:
        return PdfFacts(TOO_COMPLEX, "signatures")
    signatures.sort(key=lambda each: each.byte_range[2:4])  # in the order they were made
    return PdfFacts(
        "", "", tuple(signatures), certificates, crls, reader.xrefs.total_revisions, removed, pages
    )


def _removed(reader: PdfFileReader, present: set[str]) -> tuple[str, ...]:
    """Return the fields that were signed in an earlier revision and are not any more."""
    before: set[str] = set()
    for revision in range(reader.xrefs.total_revisions - 1):
        then: Any = reader.get_historical_resolver(revision)
        before |= {name for name, _, _ in enumerate_sig_fields(then, filled_status=True)}
    return tuple(sorted(shown(name) for name in before - present))


def _signature(
    reader: PdfFileReader, document: bytes, name: str, reference: Any, pages: Mapping[int, Page]
) -> SignatureFacts:
    """Read one field; what cannot be read of it is its own problem, not the document's."""
    try:
        with parsing():
            found = _read(reader, document, name, reference)
            page, box = _shown(reference.get_object(), pages)
            return replace(found, page=page, box_mm=box)
    except Unreadable as problem:
        if problem.kind == TOO_COMPLEX:
            raise
        return SignatureFacts(shown(name), "/Sig", "", (), b"", None, False, False, "", problem.detail)


def _read(reader: PdfFileReader, document: bytes, name: str, reference: Any) -> SignatureFacts:
    field: Any = reference.get_object()
    value: Any = field.raw_get("/V")
    if not is_reference(value):
        raise PdfReadError("the signature dictionary is not an object of its own")
    signature = followed(value)
    numbers = tuple(int(each) for each in signature["/ByteRange"])[:_NUMBERS_MOST]
    contents = signature.raw_get("/Contents").original_bytes
    revision = reader.xrefs.get_last_change(value.reference)
    end = numbers[2] + numbers[3] if len(numbers) == 4 else 0
    whole_file = end == len(document)
    whole_revision = whole_file or _ends_revision(reader, document, revision, end)
    change = ""
    if revision + 1 < reader.xrefs.total_revisions:
        change = find_change(reader, revision, _permissions(signature))
    return SignatureFacts(
        field_name=shown(name), kind=shown(str(entry(signature, "/Type", "/Sig"))),
        sub_filter=shown(str(entry(signature, "/SubFilter", ""))), byte_range=numbers, contents=contents,
        stated_at=_stated(signature), whole_file=whole_file, whole_revision=whole_revision, change=shown(change),
    )  # fmt: skip


def _shown(field: Any, pages: Mapping[int, Page]) -> tuple[int, Box | None]:
    """Return page and box of the field's first widget; a field that is not seen, or says no page, has none."""
    widget = field
    if "/Rect" not in widget and entry(field, "/Kids", ()):
        widget = field["/Kids"][0].get_object()
    if "/Rect" not in widget or "/P" not in widget or not is_reference(widget.raw_get("/P")):
        return 0, None
    page = pages.get(widget.raw_get("/P").idnum)
    if page is None:
        return 0, None
    box = page.shown_box_mm(widget["/Rect"])
    return (page.index + 1, box) if box[2] > 0 and box[3] > 0 else (0, None)


def _ends_revision(reader: PdfFileReader, document: bytes, revision: int, end: int) -> bool:
    """Return whether `end` is where the revision ends, and no cross-reference of it or before lies behind that."""
    if not 0 < end < len(document):
        return False
    start = max(0, end - 2 * TAIL_BYTES)  # it is read backwards from the byte at `end`, one by one
    stream = io.BytesIO(document[start : end + 1])
    stream.seek(end - start)
    try:
        startxref = process_data_at_eof(stream)
    except (PdfReadError, ValueError):
        return False
    if startxref != reader.xrefs.get_startxref_for_revision(revision):
        return False
    sections = (reader.xrefs.get_xref_container_info(number) for number in range(revision + 1))
    return all(section.end_location <= end for section in sections)


def _stated(signature: Any) -> datetime | None:
    if "/M" not in signature:
        return None
    try:
        moment: datetime = generic.parse_pdf_date(signature["/M"], strict=True)
    except (ValueError, PdfReadError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _permissions(signature: Any) -> int | None:
    """Return the DocMDP level that this signature sets, 1 to 3."""
    for each in entry(signature, "/Reference", ()):
        transform: Any = each.get_object()
        if transform["/TransformMethod"] == "/DocMDP":
            return int(entry(transform["/TransformParams"], "/P", 2))
    return None


def _kept(reader: PdfFileReader, limits: PdfLimits) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the certificates and revocation lists of the security store."""
    store = entry(reader.root, "/DSS", {})
    left, found = limits.kept_bytes, []
    for key, purpose in (("/Certs", DecodePurpose.CERTIFICATE), ("/CRLs", DecodePurpose.CRL)):
        values = []
        for reference in entry(store, key, ()):
            data = reference.get_object().read_data(purpose)
            left -= len(data)
            if left < 0:
                raise Unreadable(TOO_COMPLEX, "kept_bytes")
            values.append(bytes(data))
        found.append(tuple(values))
    return found[0], found[1]
