"""Seals in PDF per second of one core at each PAdES level, and verifications; and where the time goes.

The document is one that comes from outside (three pages, 60 KB), judged in the bounded process first as `seal_pdf`
does by default. Beside it stands the ceiling: bare P-256 signatures over the same number of bytes to be signed.
"""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator, Callable

import pikepdf
import psutil

from services.seal.domain.sealing import SealedDocument
from services.seal.domain.verification import Verdict
from services.seal.pdf import Examiner, Level, seal_pdf, verify_pdf
from services.seal.pdf.admission import admit
from services.seal.pdf.cms import signed_attributes
from services.seal.pdf.facts import PdfFacts
from tests.load.measured import Measured, percentiles
from tests.unit.seal.pdf import pdf_room as room
from tests.unit.seal.sealing_room import NOW

PDF_SEAL = ("pdf_seal", "pdf_seal_b_t", "pdf_seal_b_lt", "pdf_verify")
_LEVELS = {"pdf_seal": Level.B_B, "pdf_seal_b_t": Level.B_T, "pdf_seal_b_lt": Level.B_LT}
_PAGES, _FILLING_BYTES = 3, 56_000
Note = Callable[[str], None]


async def pdf_seal(names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured]:
    """Measure what is asked for, one thread working."""
    document = _document()
    span = min(seconds, 10.0)
    with Examiner() as examiner:
        for name in names:
            note(name)
            work = _sealing if name in _LEVELS else _verifying
            yield await asyncio.to_thread(work, name, document, span, examiner)


def _document() -> bytes:
    """Return a document with incompressible data in it, as an embedded font or a scan is."""
    with pikepdf.open(io.BytesIO(room.plain_pdf(_PAGES))) as opened:
        opened.Root.PieceInfo = pikepdf.Dictionary(Data=opened.make_stream(os.urandom(_FILLING_BYTES)))
        return room.saved(opened)


def _sealing(name: str, document: bytes, seconds: float, examiner: Examiner) -> Measured:
    level = _LEVELS[name]
    how, seal = room.how(level), room.seal()

    def once(admitted: Callable[[bytes], PdfFacts] | None) -> Callable[[], SealedDocument]:
        return lambda: seal_pdf(document, seal, (room.PLACE,), NOW, how, admitted)

    attributes = signed_attributes(seal.suite, seal.certificate.raw, bytes(32), seal.reference)
    spans, cpu = _repeat(once(examiner.admit), seconds, examiner)
    ours, ours_cpu = _repeat(once(None), seconds / 2, examiner)
    signing, _ = _repeat(lambda: seal.key.sign(attributes), 0.5, examiner)
    stamping, _ = _repeat(lambda: room.stamped_at()(b"signature"), 0.5, examiner)
    judged, judged_cpu = _repeat(lambda: admit(document), 0.5, examiner)
    return Measured(
        name,
        round(len(spans) / cpu, 1),
        f"seals/s of one core ({level.value})",
        **percentiles(spans),
        limit_name="P-256 signatures",
        limit_value=round(len(signing) / sum(signing), 1),
        rows=len(spans),
        detail={
            "rows": "documents sealed",
            "document_bytes": len(document),
            "sealed_bytes": len(once(None)().data),
            "by_the_wall_per_second": round(len(spans) / sum(spans), 1),
            "documents_of_our_own_per_second": round(len(ours) / ours_cpu, 1),
            "processor_ms": _ms(cpu / len(spans)),
            "processor_ms_of_our_own": _ms(ours_cpu / len(ours)),
            "of_which_ms": {
                "judging the document": _ms(judged_cpu / len(judged)),
                "a process of its own for that": _ms((cpu / len(spans)) - (ours_cpu / len(ours))),
                "P-256 signature": _ms(_middle(signing)),
                "timestamp token": _ms(_middle(stamping)) if level is not Level.B_B else 0.0,
            },
        },
    )


def _verifying(name: str, document: bytes, seconds: float, examiner: Examiner) -> Measured:
    how = room.how(Level.B_LT)
    sealed = seal_pdf(document, room.seal(), (room.PLACE,), NOW, how, None).data
    known = room.evidence()

    def once() -> object:
        report = verify_pdf(sealed, known, room.companion, examiner.examine)
        if report.verdict is not Verdict.VALID:
            raise AssertionError(report)
        return report

    spans, cpu = _repeat(once, seconds, examiner)
    reading, reading_cpu = _repeat(lambda: examiner.examine(sealed), 1.0, examiner)
    return Measured(
        name,
        round(len(spans) / cpu, 1),
        "verifications/s of one core (B-LT)",
        **percentiles(spans),
        limit_name="examinations in a bounded process, without judging",
        limit_value=round(len(reading) / reading_cpu, 1),
        rows=len(spans),
        detail={
            "rows": "documents verified",
            "sealed_bytes": len(sealed),
            "by_the_wall_per_second": round(len(spans) / sum(spans), 1),
            "processor_ms": _ms(cpu / len(spans)),
        },
    )


def _repeat(work: Callable[[], object], seconds: float, examiner: Examiner) -> tuple[list[float], float]:
    """Return how long each run took, and the processor seconds of all, the examiner's too; the first counts not."""
    work()
    spans: list[float] = []
    until, cpu = time.perf_counter() + seconds, _processor_seconds(examiner)
    while time.perf_counter() < until:
        began = time.perf_counter()
        work()
        spans.append(time.perf_counter() - began)
    return spans, _processor_seconds(examiner) - cpu


def _processor_seconds(examiner: Examiner) -> float:
    """Return what this process and the examiner with its children, ended or not, have used."""
    used = time.process_time()
    process = examiner._process
    if process is not None:
        root = psutil.Process(process.pid)
        for each in (root, *root.children()):
            times = each.cpu_times()
            used += times.user + times.system + times.children_user + times.children_system
    return used


def _middle(spans: list[float]) -> float:
    return sorted(spans)[len(spans) // 2]


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 2)
