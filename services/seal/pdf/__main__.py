"""``python -m services.seal.pdf``: takes documents on stdin, answers with their facts on stdout.

Every message is its length in four bytes and the bytes; a request starts with its task. This process loads the
parser and forks; the child answers, its memory, processor time and time by the wall bounded by the kernel for each
document. A child that a document overcame is replaced and that document's answer is empty; one that came near a
bound, or has answered many, is replaced too.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import struct
import sys
from typing import BinaryIO

from services.seal.pdf.admission import admit
from services.seal.pdf.apart import ADMIT, READY
from services.seal.pdf.facts import write_facts
from services.seal.pdf.opening import TOO_COMPLEX
from services.seal.pdf.reading import examine

CPU_SECONDS = 1.6
"""For each document, whatever its size: with what is done outside of this process, a verification stays below two."""
WALL_SECONDS = 8.0
MEMORY_BYTES = 200 << 20
"""Beyond what the loaded parser takes."""
DOCUMENTS = 500
_HEAD = struct.Struct(">I")
_ENDED, _RENEW = 0, 3


def main() -> int:
    """Serve until stdin ends; return the exit status."""
    source = os.fdopen(
        sys.stdin.fileno(), "rb", buffering=0, closefd=False
    )  # a child takes over from another
    target = sys.stdout.buffer
    gc.freeze()  # children share what is loaded
    _write(target, READY)
    while True:
        child = os.fork()
        if child == 0:
            _child(source, target)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == _ENDED:
            return 0
        if code != _RENEW:
            _write(target, b"")


def _child(source: BinaryIO, target: BinaryIO) -> None:
    """Answer documents and end, without running anything that belongs to the parent."""
    code = 1
    try:
        _bound_memory()
        for each in (signal.SIGPROF, signal.SIGALRM):
            signal.signal(each, signal.SIG_DFL)
        code = _serve(source, target)
    finally:
        os._exit(code)


def _serve(source: BinaryIO, target: BinaryIO) -> int:
    for _ in range(DOCUMENTS):
        head = _exactly(source, _HEAD.size)
        if not head:
            return _ENDED
        request = _exactly(source, _HEAD.unpack(head)[0])
        _bound_time(CPU_SECONDS, WALL_SECONDS)
        facts = admit(request[1:]) if request[:1] == ADMIT else examine(request[1:])
        answer = write_facts(facts)
        _bound_time(0, 0)
        _write(target, answer)
        if facts.problem == TOO_COMPLEX:
            return _RENEW
    return _RENEW


def _exactly(source: BinaryIO, count: int) -> bytes:
    """Return `count` bytes, fewer only where the source ended."""
    found = bytearray()
    while len(found) < count and (part := source.read(count - len(found))):
        found += part
    return bytes(found)


def _write(target: BinaryIO, answer: bytes) -> None:
    target.write(_HEAD.pack(len(answer)) + answer)
    target.flush()


def _bound_memory() -> None:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _bound_time(cpu_seconds: float, wall_seconds: float) -> None:
    """Let the kernel end this process when either is used up; 0 for no bound."""
    signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
    signal.setitimer(signal.ITIMER_REAL, wall_seconds)


if __name__ == "__main__":
    sys.exit(main())
