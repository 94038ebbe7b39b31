"""Time-stamp tokens per second of one core, from the bytes of a request to those of the answer; and where it goes.

Beside it stands the ceiling: bare SM2 signatures over as many bytes as a token's signed attributes have.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from services.seal.domain.suite import Suite
from services.seal.domain.timestamps import judge_token, read_request, read_response, write_request
from services.seal.domain.timestamps.reading import read_token
from tests.load.measured import Measured, percentiles
from tests.unit.seal.sealing_room import sm2, suites
from tests.unit.seal.stamping_room import p256, stamper, stamping_authority, trust_of

TSA_TOKEN = ("tsa_token",)
_SPAN_SECONDS = 10.0
Note = Callable[[str], None]


async def tsa_token(_names: tuple[str, ...], seconds: float, note: Note) -> AsyncIterator[Measured]:
    """Measure what our authority answers in one thread, SM2 with SM3."""
    note("tsa_token")
    yield await asyncio.to_thread(_measure, min(seconds, _SPAN_SECONDS))


def _measure(seconds: float) -> Measured:
    authority = stamping_authority()
    query = write_request(sm2(), sm2().digest(b"a signature value"), 1 << 100)
    spans, cpu = _repeat(lambda: authority.answer(query), seconds)
    token = read_response(authority.answer(query)).token
    key = sm2().open_key(stamper().private_key)
    signed = read_token(token).attributes_set
    signing, signing_cpu = _repeat(lambda: key.sign(signed), 1.0)
    reading, _ = _repeat(lambda: read_request(query, suites()), 0.5)
    trust = trust_of()
    judging, judging_cpu = _repeat(lambda: judge_token(token, b"a signature value", trust), 1.0)
    return Measured(
        "tsa_token",
        round(len(spans) / cpu, 1),
        "tokens/s of one core (SM2-SM3)",
        **percentiles(spans),
        limit_name="SM2 signatures",
        limit_value=round(len(signing) / signing_cpu, 1),
        rows=len(spans),
        detail={
            "rows": "requests answered",
            "answer_bytes": len(authority.answer(query)),
            "second_suite_per_second": _rate(p256()),
            "checks_of_a_token_per_second": round(len(judging) / judging_cpu, 1),
            "of_which_ms": {
                "SM2 signature": _ms(_middle(signing)),
                "reading the request": _ms(_middle(reading)),
            },
        },
    )


def _rate(suite: Suite) -> float:
    authority, query = stamping_authority(), write_request(suite, suite.digest(b"x"), 1)
    spans, cpu = _repeat(lambda: authority.answer(query), 1.0)
    return round(len(spans) / cpu, 1)


def _repeat(work: Callable[[], object], seconds: float) -> tuple[list[float], float]:
    """Return how long each run took, and the processor seconds of all; the first counts not."""
    work()
    spans: list[float] = []
    until, cpu = time.perf_counter() + seconds, time.process_time()
    while time.perf_counter() < until:
        began = time.perf_counter()
        work()
        spans.append(time.perf_counter() - began)
    return spans, time.process_time() - cpu


def _middle(spans: list[float]) -> float:
    return sorted(spans)[len(spans) // 2]


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 3)
