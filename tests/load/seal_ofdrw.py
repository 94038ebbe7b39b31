"""One licence document sealed by ofdrw and by us, in turns, on one core of one machine: the same seal and stamp.

Rates are per second of CPU time, as those of `ofd_seal`: of our thread, and of the Java program's one working thread
(its garbage collector and compilers are not counted, to its favour). Its files lie in memory.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from services.seal.domain.sealing import Placement, SealInUse, prepare_seal, seal_document
from services.seal.domain.verification import Verdict, verify_document
from tests.interop.present import room
from tests.interop.program import Program, ProgramMissing, running
from tests.load.measured import Measured, Missing, percentiles
from tests.load.sealing_documents import Licences
from tests.unit.seal.sealing_room import sm2

NAME = "ofd_seal_ofdrw"
ROUNDS = 3
FIRST_WARM_SEALINGS, WARM_SEALINGS, MAX_WARM_SECONDS = 500, 20, 40.0
Note = Callable[[str], None]


@dataclass(frozen=True)
class Work:
    """What is sealed, where, and with what."""

    document: bytes
    place: Placement
    seal: SealInUse


@dataclass(frozen=True)
class Span:
    """How long each sealing of one span took, the processor's part of it all, and one document that came out."""

    seconds: list[float]
    processor_seconds: float
    document: bytes

    @property
    def rate(self) -> float:
        """Documents per second of CPU time."""
        return len(self.seconds) / self.processor_seconds

    @property
    def rate_by_clock(self) -> float:
        """Documents per second of the clock, whatever else the machine did."""
        return len(self.seconds) / sum(self.seconds)


async def ofd_seal_ofdrw(
    _names: tuple[str, ...], seconds: float, note: Note
) -> AsyncIterator[Measured | Missing]:
    """Yield ofdrw's sealings per second, with ours as its limit."""
    try:
        yield await asyncio.to_thread(_measure, seconds, note)
    except ProgramMissing as missing:
        yield Missing(NAME, str(missing))


def _measure(seconds: float, note: Note) -> Measured:
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})  # this thread alone; the Java program is started on the same core
    try:
        with running(core) as program:
            return _compare(program, _work(), seconds / ROUNDS, note)
    finally:
        os.sched_setaffinity(0, allowed)


def _compare(program: Program, work: Work, span_seconds: float, note: Note) -> Measured:
    note("warming the Java machine up")
    theirs = [_by_ofdrw(program, work, FIRST_WARM_SEALINGS, span_seconds)]
    ours = [_by_us(work, span_seconds)]
    for number in range(1, ROUNDS):
        note(f"round {number + 1} of {ROUNDS}")
        ours.append(_by_us(work, span_seconds))
        theirs.append(_by_ofdrw(program, work, WARM_SEALINGS, span_seconds))
    for span in (ours[-1], theirs[-1]):
        _demand_valid(span.document, program)
    return Measured(
        NAME,
        round(median(span.rate for span in theirs), 2),
        "documents per CPU second",
        **percentiles([each for span in theirs for each in span.seconds]),
        limit_name="sealed by us, same document, seal, core and run",
        limit_value=round(median(span.rate for span in ours), 2),
        rows=sum(len(span.seconds) for span in theirs),
        detail=_detail(program, work, ours, theirs),
    )


def _detail(program: Program, work: Work, ours: list[Span], theirs: list[Span]) -> dict[str, Any]:
    mine = median(span.rate for span in ours)
    return {
        "rows": "documents sealed by ofdrw",
        "ofdrw": program.ask("versions"),
        "rounds_ofdrw": [round(span.rate, 2) for span in theirs],
        "rounds_ours": [round(span.rate, 2) for span in ours],
        "ours_times_ofdrw": round(mine / median(span.rate for span in theirs), 2),
        "by_clock_ofdrw": round(median(span.rate_by_clock for span in theirs), 2),
        "by_clock_ours": round(median(span.rate_by_clock for span in ours), 2),
        "ours": percentiles([each for span in ours for each in span.seconds]),
        "document_bytes": len(work.document),
        "picture_bytes": len(work.seal.seal.picture.data),
        "sealed_bytes_ours": len(ours[-1].document),
        "sealed_bytes_ofdrw": len(theirs[-1].document),
    }


def _by_us(work: Work, span_seconds: float) -> Span:
    found: list[float] = []
    document = b""
    processor_start = time.thread_time()
    start = time.perf_counter()
    while not found or sum(found) < span_seconds:
        document = seal_document(work.document, work.seal, [work.place], datetime.now(UTC)).data
        after = time.perf_counter()
        found.append(after - start)
        start = after
    return Span(found, time.thread_time() - processor_start, document)


def _by_ofdrw(program: Program, work: Work, warm_sealings: int, span_seconds: float) -> Span:
    place = work.place
    asked = room().asked() | {"place": [place.page, place.x_mm, place.y_mm, place.width_mm, place.height_mm]}
    found = program.ask(
        "seal_many", document=work.document, seal=work.seal.seal.raw, mode="WholeProtected", generation=4,
        warm_sealings=warm_sealings, warm_seconds=MAX_WARM_SECONDS, seconds=span_seconds, **asked,
    )  # fmt: skip
    seconds = [each / 1e9 for each in found["nanoseconds"]]
    return Span(seconds, found["processor_nanoseconds"] / 1e9, base64.b64decode(found["document"]))


def _demand_valid(document: bytes, program: Program) -> None:
    """Speed counts only for documents that both sides call valid."""
    verdict = verify_document(document, room().evidence()).verdict
    if verdict is not Verdict.VALID:
        raise RuntimeError(f"a sealed document is {verdict.value} here")
    answer = program.ask("verify_ofd", document=document, generation=4)
    if answer["verdict"] != "VALID":
        raise RuntimeError(f"a sealed document is not valid for ofdrw: {answer['why']}")


def _work() -> Work:
    """Return the licence that `ofd_seal` seals too, and the seal of its authority."""
    licences = Licences()
    who = room().signer()
    seal = prepare_seal(sm2(), room().seal(), who.certificate, sm2().open_key(who.private_key))
    return Work(licences.build(1), licences.place, seal)
