"""Hostile PDFs of the largest size that is taken: below two seconds of processor time each, and little memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.seal.domain.verification import Verdict
from services.seal.pdf import Examiner, examine, verify_pdf
from services.seal.pdf.admission import admit
from tests.unit.seal.pdf.pdf_room import companion, evidence, plain_pdf
from tests.unit.seal.pdf.test_hostile_pdf import FORM, HOSTILE, MIB, bomb_in_store, document, stream

MOST_CPU_SECONDS = 2.0
_TICK = os.sysconf("SC_CLK_TCK")


def of_numbers() -> bytes:
    return document(b"[" + b"1 " * (9 * MIB) + b"]", root=FORM)


def of_names() -> bytes:
    return document(b"<<" + b"".join(b"/A%d 1 " % each for each in range(1_500_000)) + b">>", root=FORM)


def of_comments() -> bytes:
    return document(b"%\n" * (9 * MIB) + b"1", root=FORM)


def of_one_number() -> bytes:
    return b"%PDF-1.7\n" + b"1" * (19 * MIB) + b" obj\n%%EOF"


def of_blanks_before_the_end() -> bytes:
    return b"%PDF-1.7\n" + b" " * (19 * MIB) + b"startxref\n3\n%%EOF"


def below_the_bound_of_syntax() -> bytes:
    """What the bound lets pass is ended by the clock."""
    return document(b"[" + b"1 " * (3 * MIB) + b"]", root=FORM)


def streams_that_are_none() -> bytes:
    """The parser sees one long comment, the bound a stream."""
    return document(b"%stream " + b"[" * (19 * MIB) + b"endstream\n" + b"[1]" * 2_000_000, root=FORM)


def signatures_that_end_nowhere() -> bytes:
    """Each claims a range that ends in the middle of a large stream, where no revision ends."""
    listed = b" ".join(b"%d 0 R" % each for each in range(4, 36))
    fields = [b"<< /T (f%d) /FT /Sig /V %d 0 R >>" % (each, 36 + each) for each in range(32)]
    head = b"<< /Type /Sig /SubFilter /ETSI.CAdES.detached /ByteRange [0 9 13 %d] /Contents <00> >>"
    values = [head % (18 * MIB + each) for each in range(32)]
    root = b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [%s] /SigFlags 3 >> >>" % listed
    return document(*fields, *values, stream(b"", bytes(19 * MIB)), root=root)


LARGE: list[Callable[[], bytes]] = [
    of_numbers, of_names, of_comments, of_one_number, of_blanks_before_the_end, below_the_bound_of_syntax,
    streams_that_are_none, signatures_that_end_nowhere,
]  # fmt: skip


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    with Examiner() as one:
        assert one.examine(document()).problem == ""  # its start is not counted below
        yield one


@pytest.mark.parametrize("make", [*HOSTILE, bomb_in_store, *LARGE])
def test_no_document_takes_two_seconds_of_the_processor(make, examiner: Examiner) -> None:
    hostile = make()
    for ask in (
        lambda: verify_pdf(hostile, evidence(), companion, examiner.examine),
        lambda: examiner.admit(hostile),
    ):
        before = cpu_seconds(examiner)
        answer = ask()
        assert cpu_seconds(examiner) - before < MOST_CPU_SECONDS
        assert getattr(answer, "verdict", None) is not Verdict.VALID


def cpu_seconds(examiner: Examiner) -> float:
    """Return what this process and the examiner, with its present and its ended children, have used."""
    process = examiner._process
    assert process is not None
    used = time.process_time() + _used(process.pid, ended_children=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    return used + sum(_used(int(child), ended_children=False) for child in children)


def _used(pid: int, *, ended_children: bool) -> float:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    ticks = stat.rpartition(")")[2].split()[11 : 15 if ended_children else 13]
    return sum(map(int, ticks)) / _TICK


@pytest.mark.parametrize("make", [of_numbers, of_names, of_comments, of_one_number, of_blanks_before_the_end])
def test_what_is_mostly_no_stream_is_refused_before_it_is_parsed(make) -> None:
    hostile = make()
    for ask in (examine, admit):
        facts = ask(hostile)
        assert (facts.problem, facts.detail) == ("too complex", "syntax_bytes")


def test_a_large_document_of_pictures_and_one_of_many_pages_are_read(examiner: Examiner) -> None:
    scan = document(stream(b"", os.urandom(19 * MIB)))
    for whole in (scan, plain_pdf(500), plain_pdf(500, streams=True)):
        assert examiner.examine(whole).problem == ""
        assert examiner.admit(whole).problem == ""
