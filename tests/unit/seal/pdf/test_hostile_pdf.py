"""Documents made to hurt: each is answered, in bounded time and memory, and none comes out valid."""

from __future__ import annotations

import io
import os
import signal
import time
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pikepdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import Fault
from services.seal.domain.verification import CheckName, DocumentReport, Verdict
from services.seal.pdf import Examiner, Level, examine, verify_pdf
from services.seal.pdf import apart as apart_module
from services.seal.pdf.admission import admit
from services.seal.pdf.facts import read_facts, write_facts
from tests.unit.seal.pdf.pdf_room import companion, evidence, plain_pdf, sealed

MIB = 1 << 20


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    with Examiner() as one:
        assert one.examine(document()).problem == ""  # its start is not counted below
        yield one


def document(
    *objects: bytes, root: bytes = b"<< /Type /Catalog /Pages 2 0 R >>", extra: bytes = b""
) -> bytes:
    """Return a document with a page tree as objects 1 to 3 and the given ones from 4 on."""
    parts = [
        root, b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>", *objects,
    ]  # fmt: skip
    body, offsets = bytearray(b"%PDF-1.7\n"), []
    for number, part in enumerate(parts, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start = len(body)
    body += b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    body += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    body += b"trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(parts) + 1,
        extra,
        start,
    )
    return bytes(body)


def stream(head: bytes, data: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (head, len(data), data)


FORM = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] /SigFlags 3 >> >>"


def nested_arrays() -> bytes:
    return document(root=b"<< /Type /Catalog /Pages 2 0 R /A %s%s >>" % (b"[" * 200_000, b"]" * 200_000))


def nested_dictionaries() -> bytes:
    return document(root=b"<< /Type /Catalog /Pages 2 0 R /A %s1%s >>" % (b"<</A " * 50_000, b">>" * 50_000))


def looping_pages() -> bytes:
    return document().replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]")


def looping_fields() -> bytes:
    return document(b"<< /T (a) /Kids [4 0 R] /Parent 4 0 R >>", root=FORM)


def deep_fields() -> bytes:
    fields = [b"<< /T (a) /Kids [%d 0 R] >>" % (number + 1) for number in range(4, 4000)]
    return document(*fields, b"<< /T (z) /FT /Sig >>", root=FORM)


def looping_previous() -> bytes:
    plain = document()
    start = plain[plain.rindex(b"startxref") + 10 :].split(b"\n")[0]
    return plain.replace(b"/Root 1 0 R  >>", b"/Root 1 0 R /Prev %s >>" % start)


def own_length() -> bytes:
    body = b"<< /Length 4 0 R >>\nstream\nabc\nendstream"
    return document(body, root=b"<< /Type /Catalog /Pages 2 0 R /DSS << /CRLs [4 0 R] >> >>")


def bomb_in_store() -> bytes:
    packed = zlib.compress(zlib.compress(bytes(200 * MIB), 9), 9)
    head = b"/Filter [/FlateDecode /FlateDecode]"
    root = b"<< /Type /Catalog /Pages 2 0 R /DSS << /CRLs [4 0 R] >> >>"
    return document(stream(head, packed), root=root)


def bomb_in_cross_references() -> bytes:
    packed = zlib.compress(bytes(150 * MIB), 9)
    head = b"/Type /XRef /Size 9999999 /W [1 4 2] /Root 1 0 R /Filter /FlateDecode"
    return b"%PDF-1.7\n1 0 obj\n" + stream(head, packed) + b"\nendobj\nstartxref\n9\n%%EOF\n"


def huge_table() -> bytes:
    lines = b"0000000009 00000 n \n" * 1_000_000
    head = b"%PDF-1.7\nxref\n0 1000000\n" + lines
    return head + b"trailer\n<< /Size 1000000 /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"


def huge_hex() -> bytes:
    return document(b"<" + b"41" * (10 * MIB) + b">", root=FORM)


def wrong_page_count() -> bytes:
    return document().replace(b"/Count 1", b"/Count 9")


def many_fields() -> bytes:
    fields = [b"<< /T (f%d) /FT /Sig /V 4 0 R >>" % number for number in range(2_000)]
    listed = b" ".join(b"%d 0 R" % number for number in range(5, 2_005))
    root = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] >> >>" % listed
    return document(b"<< /Type /Sig >>", *fields, root=root)


def many_revisions() -> bytes:
    whole = bytearray(document())
    for _ in range(200):
        start = whole[whole.rindex(b"startxref") + 10 :].split(b"\n")[0]
        here = len(whole)
        whole += b"xref\n0 0\ntrailer\n<< /Size 4 /Root 1 0 R /Prev %s >>\nstartxref\n%d\n%%%%EOF\n" % (
            start,
            here,
        )
    return bytes(whole)


def nothing_but_objects() -> bytes:
    return document(*[b"1"] * 60_000)


HOSTILE: list[Callable[[], bytes]] = [
    nested_arrays, nested_dictionaries, looping_pages, looping_fields, deep_fields, looping_previous, own_length,
    bomb_in_cross_references, huge_table, huge_hex, wrong_page_count, many_fields, many_revisions,
    nothing_but_objects,
]  # fmt: skip


def test_the_plain_document_of_this_module_is_read() -> None:
    assert examine(document()).problem == ""
    assert admit(document()).problem == ""


@pytest.mark.parametrize("make", HOSTILE)
def test_a_hostile_document_is_answered_within_bounds(make, examiner: Examiner) -> None:
    hostile = make()
    for ask in (examiner.examine, examiner.admit):
        began = time.monotonic()
        facts = ask(hostile)
        assert time.monotonic() - began < apart_module.WALL_SECONDS + 1
        assert facts.problem in {"malformed", "too complex"}


def test_a_bomb_in_the_security_store_is_not_unpacked(examiner: Examiner) -> None:
    """To seal it at a level without validation data nobody has to look there."""
    bomb = bomb_in_store()
    assert examiner.examine(bomb).problem == "too complex"
    with pytest.raises(Fault, match="PDF_TOO_COMPLEX"):
        sealed(Level.B_LT, bomb)
    assert verify_pdf(bomb, evidence(), companion, examiner.examine).verdict is Verdict.INDETERMINATE


def test_a_hostile_document_is_no_verdict_of_validity(examiner: Examiner) -> None:
    for make in (looping_pages, huge_hex):
        report = verify_pdf(make(), evidence(), companion, examiner.examine)
        assert report.verdict in {Verdict.INVALID, Verdict.INDETERMINATE}


def test_after_a_child_that_ran_out_the_next_document_is_read(examiner: Examiner) -> None:
    assert examiner.examine(huge_hex()).problem == "too complex"
    assert examiner.examine(sealed_once()).problem == ""


def test_a_process_that_was_killed_is_started_anew(examiner: Examiner) -> None:
    assert examiner.examine(document()).problem == ""
    assert examiner._process is not None
    os.kill(examiner._process.pid, signal.SIGKILL)
    examiner._process.wait()
    assert examiner.examine(document()).problem == ""


def test_a_child_has_little_memory(examiner: Examiner) -> None:
    """The kernel's own figures of a child at work, the parser it shares with its parent included."""
    examiner.examine(document())
    process = examiner._process
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    resident = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert resident < 300 * 1024


def test_the_answer_is_the_same_in_both_processes(examiner: Examiner) -> None:
    for one in (sealed_once(), plain_pdf(2), document(), b"%PDF-"):
        assert examiner.examine(one) == examine(one)
        assert examiner.admit(one) == admit(one)


def test_facts_survive_the_way_between_processes() -> None:
    facts = examine(sealed_once())
    assert facts.signatures
    assert read_facts(write_facts(facts)) == facts


@lru_cache(maxsize=1)
def sealed_once() -> bytes:
    return sealed(Level.B_LT).data


def covered() -> list[tuple[int, int]]:
    _, first, second, length = examine(sealed_once()).signatures[0].byte_range
    return [(0, first), (second, second + length)]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_changed_byte_leaves_a_document_valid(data: st.DataObject) -> None:
    """Also none of the bytes that only say where the signature is."""
    whole = sealed_once()
    start, end = data.draw(st.sampled_from(covered()))
    at = data.draw(st.integers(start, end - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    changed = whole[:at] + bytes([value]) + whole[at + 1 :]
    assert verify_pdf(changed, evidence(), companion, examine).verdict is not Verdict.VALID


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_changed_digit_of_the_message_changes_what_a_valid_report_says(data: st.DataObject) -> None:
    """A message has parts that nobody signs, such as spare certificates: they may break, but prove nothing else."""
    whole = sealed_once()
    (start, first), (second, _) = covered()
    assert start == 0
    used = whole[first + 1 : second - 1].rstrip(b"0")
    at = first + 1 + data.draw(st.integers(0, len(used) - 1))
    digit = data.draw(st.sampled_from(b"0123456789ABCDEF").filter(lambda digit: digit != whole[at]))
    changed = whole[:at] + bytes([digit]) + whole[at + 1 :]
    report = verify_pdf(changed, evidence(), companion, examine)
    lost = report.verdict is Verdict.VALID and report.signatures[0].proved_at is None
    assert report.verdict is not Verdict.VALID or said(report, lost=lost) == said(sound(), lost=lost)


@lru_cache(maxsize=1)
def sound() -> DocumentReport:
    return verify_pdf(sealed_once(), evidence(), companion, examine)


def said(report: DocumentReport, *, lost: bool = False) -> object:
    """Return what matters; a timestamp can always be taken away, and then nothing is said of one."""
    (one,) = report.signatures
    checks = [each for each in one.checks if not (lost and each.name is CheckName.TIMESTAMP)]
    proved_at = None if lost else one.proved_at
    return one.seal_id, one.seal_name, one.signer, one.is_own, one.stated_at, proved_at, checks


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_answered(tail: bytes) -> None:
    for whole in (tail, b"%PDF-1.7\n" + tail + b"\n%%EOF", plain_pdf()[:-6] + tail + b"%%EOF"):
        assert verify_pdf(whole, evidence(), companion, examine).verdict is not Verdict.VALID
        admit(whole)


def test_a_file_that_only_ends_like_a_sealed_one_is_not_valid() -> None:
    with pikepdf.open(io.BytesIO(sealed_once())) as opened:
        target = io.BytesIO()
        opened.save(target)
    assert verify_pdf(target.getvalue(), evidence(), companion, examine).verdict is Verdict.INVALID


def test_names_from_a_document_come_out_fit_to_store_and_show() -> None:
    field = b"<< /FT /Sig /T <FEFF00410000000A0042> /V 5 0 R >>"
    facts = examine(document(field, b"<< /Type /Sig /ByteRange [0 1 2 3] /Contents <00> >>", root=FORM))
    (one,) = facts.signatures
    assert one.field_name.isprintable()
    assert one.field_name.encode("utf-8")
