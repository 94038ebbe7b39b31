"""Every way that we know to falsify a sealed PDF fails its check by name, and its sound twin is valid."""

from __future__ import annotations

import io
import re
from datetime import UTC
from typing import Any

import pikepdf
import pytest
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigFieldSpec, append_signature_field

from services.seal.domain.certificates import read_certificate
from services.seal.pdf import Level, examine, verify_pdf
from services.seal.pdf.cms import (
    unpadded,
)
from tests.unit.seal import sealing_room
from tests.unit.seal.pdf.pdf_room import (
    BYTE_RANGE,
    CORNER,
    LATER,
    NOW,
    SEAL_ID,
    companion,
    evidence,
    flipped,
    judge,
    other_seal,
    plain_pdf,
    put_in,
    saved,
    sealed,
    sound_twin,
    time_authority,
    twin,
)

pytestmark = pytest.mark.usefixtures("sound_twin")
__all__ = ["sound_twin"]


def range_of(document: bytes, numbers: tuple[int, int, int, int]) -> bytes:
    found = BYTE_RANGE.search(document)
    assert found is not None
    text = b"/ByteRange [%d %d %d %d]" % numbers
    return document[: found.start()] + text.ljust(len(found.group())) + document[found.end() :]


def later(document: bytes, change) -> bytes:
    """Return the document with one more revision."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(document))
    change(writer)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


# ---- bytes -----------------------------------------------------------------------------------------------------


def test_a_byte_changed_in_the_page_is_found() -> None:
    changed = twin().replace(b"plain words", b"plain w0rds", 1)
    assert changed != twin()
    assert judge(changed).failed() == {"digests": "DIGEST"}


def test_a_byte_changed_behind_the_signature_is_found() -> None:
    assert judge(flipped(twin(), twin().rindex(b"pyHanko"))).failed() == {"digests": "DIGEST"}
    assert judge(flipped(twin(), twin().rindex(b"/Root") + 1)).verdict == "INVALID"


def test_a_bit_of_the_signature_value_is_found() -> None:
    """The value stands last in a message without a timestamp."""
    changed = put_in(sealed().data, lambda message: flipped(message, len(message) - 1))
    assert judge(changed).failed() == {"signature": "SIGNATURE"}


def test_bytes_hidden_behind_the_message_are_found() -> None:
    assert judge(put_in(twin(), lambda message: message + b"hidden")).failed() == {"signature": "FORMAT"}


def test_a_message_that_is_not_der_is_refused() -> None:
    assert judge(put_in(twin(), lambda message: b"\x30\x80" + message[4:])).failed() == {
        "signature": "FORMAT"
    }


def test_the_message_of_another_document_is_found() -> None:
    other = unpadded(examine(sealed(Level.B_T, plain_pdf(text="other words")).data).signatures[0].contents)
    assert judge(put_in(twin(), lambda _message: other)).failed() == {"digests": "DIGEST"}


@pytest.mark.parametrize("case", ["gap", "head", "tail", "start", "order", "beyond", "short"])
def test_a_byte_range_that_leaves_more_than_the_signature_out_is_found(case: str) -> None:
    a, b, c, d = examine(twin()).signatures[0].byte_range
    numbers = {
        "gap": (a, b - 20, c, d), "head": (a, b, c + 20, d - 20), "tail": (a, b, c, d - 20), "start": (1, b - 1, c, d),
        "order": (a, c, b, d), "beyond": (a, b, c, d + 20), "short": (a, 0, c, d),
    }[case]  # fmt: skip
    assert judge(range_of(twin(), numbers)).failed()["references"] == "REFERENCE"


def test_bytes_after_the_end_are_refused() -> None:
    outcome = judge(twin() + b"\nmore")
    assert (outcome.verdict, outcome.checks["container"]) == ("INVALID", ("invalid", "PACKAGE"))


# ---- later revisions -------------------------------------------------------------------------------------------


def paint(writer: Any) -> None:
    page = writer.find_page_for_modification(0)[0].get_object()
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=b"1 0 0 rg 0 0 600 800 re f"))
    writer.update_container(page)


def annotate(writer: Any) -> None:
    page = writer.find_page_for_modification(0)[0]
    note = generic.DictionaryObject(
        {pdf_name("/Type"): pdf_name("/Annot"), pdf_name("/Subtype"): pdf_name("/FreeText"),
         pdf_name("/Rect"): generic.ArrayObject(map(generic.NumberObject, (50, 50, 500, 700))),
         pdf_name("/Contents"): generic.pdf_string("something else")}
    )  # fmt: skip
    writer.register_annotation(page, writer.add_object(note))


def rewrite_stream(writer: Any) -> None:
    page = writer.find_page_for_modification(0)[0].get_object()
    reference = page.raw_get("/Contents")
    stream = reference.get_object()
    stream._data = b"BT /F1 24 Tf 72 700 Td (another text) Tj ET"
    stream._encoded_data = None
    writer.mark_update(reference)


def move_stamp(writer: Any) -> None:
    field = writer.root["/AcroForm"]["/Fields"][0]
    field["/Rect"] = generic.ArrayObject(map(generic.NumberObject, (5, 5, 90, 90)))
    writer.update_container(field)


def open_action(writer: Any) -> None:
    writer.root["/OpenAction"] = generic.DictionaryObject(
        {pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): generic.pdf_string("1")}
    )
    writer.update_root()


def unsigned_field(writer: Any) -> None:
    """Paint over the page with a signature field that nobody signed."""
    append_signature_field(writer, SigFieldSpec("Sneaky", on_page=0, box=(0, 0, 500, 700)))


def drop_page(writer: Any) -> None:
    pages = writer.root["/Pages"]
    pages["/Kids"] = generic.ArrayObject(list(pages["/Kids"])[:1])
    pages["/Count"] = generic.NumberObject(1)
    writer.update_container(pages)


@pytest.mark.parametrize(
    "change", [paint, annotate, rewrite_stream, move_stamp, open_action, unsigned_field, drop_page]
)
def test_a_revision_that_changes_what_is_shown_is_found(change) -> None:
    changed = later(sealed(document=plain_pdf(2)).data, change)
    assert judge(changed).failed() == {"coverage": "COVERAGE"}


def by_hand(document: bytes, objects: dict[int, bytes], trailer: bytes) -> bytes:
    """Return the document with one more revision of these objects, written without any library's help."""
    previous = document[document.rindex(b"startxref") + 10 :].split()[0]
    body, table = bytearray(document), bytearray()
    for number, text in objects.items():
        table += b"%d 1\n%010d 00000 n \n" % (number, len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, text)
    start = len(body)
    body += b"xref\n" + bytes(table) + b"trailer\n<< /Size 90 /Prev %s %s >>\n" % (previous, trailer)
    return bytes(body + b"startxref\n%d\n%%%%EOF\n" % start)


def form_of(document: bytes) -> bytes:
    """Return the reference of the form, so that another catalog shows the same signatures."""
    found = re.findall(rb"/AcroForm (\d+ \d+ R)", document)
    return bytes(found[-1])


def test_another_catalog_with_other_pages_is_found() -> None:
    objects = {
        80: b"<< /Type /Catalog /Pages 81 0 R /AcroForm %s >>" % form_of(twin()),
        81: b"<< /Type /Pages /Kids [82 0 R] /Count 1 >>",
        82: b"<< /Type /Page /Parent 81 0 R /MediaBox [0 0 595 842] >>",
    }
    outcome = judge(by_hand(twin(), objects, b"/Root 80 0 R"))
    assert outcome.verdict == "INVALID"
    assert outcome.failed() == {"coverage": "COVERAGE"}


def test_an_object_freed_later_is_found() -> None:
    changed = by_hand(twin(), {}, b"/Root 1 0 R").replace(
        b"xref\ntrailer", b"xref\n4 1\n0000000000 00001 f \ntrailer"
    )
    outcome = judge(changed)
    assert outcome.verdict == "INVALID"


def test_a_change_before_the_second_seal_breaks_the_first_only() -> None:
    changed = later(twin(), annotate)
    twice = sealed(document=changed, by=other_seal(), at=LATER, places=(CORNER,)).data
    assert judge(twice).failed() == {"coverage": "COVERAGE"}
    assert judge(twice, index=1).failed() == {}
    assert judge(twice).verdict == "INVALID"


def hide_signature(writer: Any) -> None:
    writer.root["/AcroForm"]["/Fields"] = generic.ArrayObject()
    writer.update_container(writer.root["/AcroForm"])


def test_a_seal_taken_out_of_the_form_is_missed() -> None:
    outcome = judge(later(twin(), hide_signature))
    assert (outcome.verdict, outcome.checks["container"]) == ("INVALID", ("invalid", "SIGNATURES_REMOVED"))


def test_a_seal_cut_off_with_its_revision_is_missed() -> None:
    assert judge(twin(), evidence(expected_signatures=1)).verdict == "VALID"
    assert judge(twin(), evidence(expected_signatures=2)).failed() == {"container": "SIGNATURES_REMOVED"}
    bare = judge(plain_pdf(), evidence(expected_signatures=1))
    assert (bare.verdict, bare.checks["container"][1]) == ("INVALID", "SIGNATURES_REMOVED")


# ---- documents without -----------------------------------------------------------------------------------------


def test_a_document_without_signatures_is_unsigned() -> None:
    assert judge(plain_pdf()).verdict == "UNSIGNED"


def test_an_encrypted_document_stays_open() -> None:
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(plain_pdf())) as document:
        document.save(target, encryption=pikepdf.Encryption(owner="o", user=""))
    outcome = judge(target.getvalue())
    assert (outcome.verdict, outcome.checks["container"]) == ("INDETERMINATE", ("indeterminate", "ENCRYPTED"))


def test_a_field_without_a_signature_in_it_is_refused() -> None:
    with pikepdf.open(io.BytesIO(plain_pdf())) as document:
        field = pikepdf.Dictionary(FT=pikepdf.Name.Sig, T=pikepdf.String("S"), V=pikepdf.Dictionary(A=1))
        document.Root.AcroForm = pikepdf.Dictionary(Fields=[document.make_indirect(field)], SigFlags=3)
        empty = saved(document)
    outcome = judge(empty)
    assert outcome.verdict == "INVALID"
    assert outcome.failed()["references"] == "REFERENCE"


def test_the_report_says_who_what_and_when() -> None:
    (one,) = verify_pdf(twin(), evidence(), companion, examine).signatures
    assert (one.seal_id, one.signer, one.is_own) == (SEAL_ID, sealing_room.AUTHORITY, True)
    assert (one.stated_at, one.proved_at) == (NOW, NOW)
    assert one.stated_at is not None
    assert one.stated_at.tzinfo is UTC
    assert read_certificate(time_authority().certificate).extended_key_usage == {"time_stamping"}
