"""The process that ``tests.load.sealing`` measures: reads a request per line, answers with a line of JSON."""

from __future__ import annotations

import cProfile
import itertools
import json
import pstats
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from services.seal.domain.sealing import seal_document
from services.seal.domain.verification import verify_document
from tests.load.measured import percentiles
from tests.load.sealing_documents import Licences
from tests.unit.seal.sealing_room import NOW, evidence, seal_in_use, sm2

POOL = 200  # documents verified in turn, all different
PROFILED = 150
_PARTS = (
    ("render: font subset", ("chassis/fonts/",), ()),
    ("render: page", ("certs/domain/ofd/layout.py", "certs/domain/metadata.py", "standards/"), ()),
    ("render: XML", ("certs/domain/ofd/markup.py", "xml/sax/saxutils.py"), ()),
    ("render: ZIP", ("certs/domain/ofd/",), ()),
    ("render: the licence", ("certs/domain/",), ()),
    ("the bench's own licence", ("sealing_documents.py", "dataclasses.py"), ()),
    ("SM2", ("libcrypto.py",), ("sign", "verify", "__enter__", "__exit__")),
    ("SM3", ("libcrypto.py",), ("digest",)),
    (
        "XML",
        tuple(f"seal/domain/ofd/{name}.py" for name in ("markup", "layout", "editing", "signature_file")),
        (),
    ),
    ("ZIP", ("seal/domain/ofd/package.py", "seal/domain/ofd/writer.py"), ()),
    ("DER", ("domain/der.py", "structures/reading.py", "structures/writing.py"), ()),
    ("certificates and verdict", ("certificates/", "seal/domain/verification/"), ()),
)


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = JOBS[request["name"]](request["amount"])
        sys.stdout.write(f"> {json.dumps(answer)}\n")
        sys.stdout.flush()


def sm2_sign(seconds: float) -> dict[str, Any]:
    """Sign 256-byte messages."""
    key, message = seal_in_use().key, bytes(256)
    return {"rate": _rate(lambda: key.sign(message), seconds)[0]}


def sm2_verify(seconds: float) -> dict[str, Any]:
    """Verify one signature again and again, nothing remembered but the decoded key."""
    key, message, suite = seal_in_use().key, bytes(256), sm2()
    public_key, signature = key.public_key, key.sign(message)
    assert suite.verify(public_key, signature, message)
    return {"rate": _rate(lambda: suite.verify(public_key, signature, message), seconds)[0]}


def ofd_seal(seconds: float) -> dict[str, Any]:
    """Render a licence as certs does, seal it whole, package it; every document is another."""
    licences, seal = Licences(), seal_in_use()
    numbers = itertools.count()

    def one() -> bytes:
        return seal_document(licences.build(next(numbers)), seal, [licences.place], NOW).data

    rate, took = _rate(one, seconds)
    rendered, _ = _rate(lambda: licences.build(next(numbers)), seconds / 4)
    ready = itertools.cycle([licences.build(next(numbers)) for _ in range(POOL)])
    alone, _ = _rate(lambda: seal_document(next(ready), seal, [licences.place], NOW), seconds / 4)
    return _described(rate, took) | {
        "document_bytes": len(one()),
        "build": "services.certs.domain.ofd.render; a font subset of its own for every licence",
        "render_alone": rendered,
        "seal_and_package_alone": alone,
        "share_of_time": _shares(one),
    }


def ofd_verify(seconds: float) -> dict[str, Any]:
    """Verify sealed documents fully: thirteen checks with anchors, CRLs and the register's state."""
    licences, seal, known = Licences(), seal_in_use(), evidence()
    pool = [seal_document(licences.build(n), seal, [licences.place], NOW).data for n in range(POOL)]
    assert verify_document(pool[0], known).verdict.value == "VALID"
    turn = itertools.cycle(pool)

    def one() -> object:
        return verify_document(next(turn), known)

    rate, took = _rate(one, seconds)
    kept = "certificates, CRLs and the seal's own signature are judged once and remembered by their bytes"
    return _described(rate, took) | {"remembered": kept, "share_of_time": _shares(one)}


JOBS: dict[str, Callable[[float], dict[str, Any]]] = {
    "sm2_sign": sm2_sign,
    "sm2_verify": sm2_verify,
    "ofd_seal": ofd_seal,
    "ofd_verify": ofd_verify,
}


def _rate(work: Callable[[], object], seconds: float) -> tuple[float, list[float]]:
    """Return runs per CPU second and the CPU time of each, after a short warm-up."""
    for _ in range(20):
        work()
    took: list[float] = []
    began = last = time.process_time()
    while last - began < seconds:
        work()
        now = time.process_time()
        took.append(now - last)
        last = now
    return round(len(took) / (last - began), 1), took


def _described(rate: float, took: list[float]) -> dict[str, Any]:
    return {"rate": rate, "count": len(took), **percentiles(took)}


def _shares(work: Callable[[], object]) -> dict[str, float]:
    """Return where the time goes, in shares of a profiled run (calls into C count with their caller)."""
    profile = cProfile.Profile(builtins=False)
    profile.enable()
    for _ in range(PROFILED):
        work()
    profile.disable()
    stats: Any = pstats.Stats(profile)
    found: dict[str, float] = {}
    for (path, _, function), (_, _, own, _, _) in stats.stats.items():
        part = next(_named(path, function), "rest")
        found[part] = found.get(part, 0.0) + own
    whole = sum(found.values())
    return {part: round(share / whole, 3) for part, share in sorted(found.items(), key=lambda item: -item[1])}


def _named(path: str, function: str) -> Iterator[str]:
    for part, places, functions in _PARTS:
        if any(place in path for place in places) and (not functions or function in functions):
            yield part


if __name__ == "__main__":
    main()
