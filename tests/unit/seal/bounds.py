"""What a hostile input may cost, and the sealed document that hostile inputs start from. Not a test module."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chassis.errors import Fault, Kind
from services.seal.domain.sealing import Protect, seal_document
from services.seal.domain.verification import Verdict, verify_document
from tests.unit.seal.sealing_room import NOW, PLACE, evidence, ofd_files, pack, seal_in_use, unpack

MOST_SECONDS = 2.0
MOST_GROWTH_MIB = 300.0
DOCUMENT = seal_document(pack(ofd_files()), seal_in_use(), [PLACE], NOW, mode=Protect.CONTINUE).data
FILES = unpack(DOCUMENT)


@contextmanager
def bounded() -> Iterator[None]:
    """Hold the time of one input, and the growth of the process."""
    before, began = _peak_mib(), time.process_time()
    yield
    assert time.process_time() - began < MOST_SECONDS
    assert _peak_mib() - before < MOST_GROWTH_MIB


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def answered(document: bytes) -> None:
    with bounded():
        report = verify_document(document, evidence())
    assert report.verdict in Verdict
    for signature in report.signatures:
        assert len(signature.checks) == 13


def refused_or_done(action: Callable[[], object]) -> None:
    with bounded():
        fault = _fault(action)
    assert fault is None or fault.kind in {Kind.INVALID_ARGUMENT, Kind.FAILED_PRECONDITION}


def _fault(action: Callable[[], object]) -> Fault | None:
    try:
        action()
    except Fault as fault:
        return fault
    return None
