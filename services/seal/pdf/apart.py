"""Examining PDFs in a process of its own: a parser that is overcome takes nothing with it but the document.

pyHanko takes most of a second to load and a fork costs more than reading a small document, so one process loads it
and a child of that answers one document after the other (`__main__`). The kernel bounds what each document may take;
what comes back is JSON. A process that died is started anew.
"""

from __future__ import annotations

import atexit
import contextlib
import queue
import select
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Self

from chassis.errors import PEER_UNAVAILABLE
from services.seal.pdf.facts import PdfFacts, read_facts
from services.seal.pdf.opening import LIMITS, TOO_COMPLEX

WALL_SECONDS = 10.0
START_SECONDS = 20.0
AT_ONCE = 2
ANSWER_BYTES = 64 << 20
_HEAD = struct.Struct(">I")
READY, EXAMINE, ADMIT = b"ready", b"E", b"A"


class Examiner:
    """A process that examines one document after the other; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def examine(self, document: bytes) -> PdfFacts:
        """Return what the document says; one that takes too much time or memory is TOO_COMPLEX.

        Raises:
            PEER_UNAVAILABLE: No process can be had.
        """
        return self._ask(EXAMINE, document)

    def admit(self, document: bytes) -> PdfFacts:
        """Return the page sizes of a document that may be sealed, else the problem. Raises PEER_UNAVAILABLE."""
        return self._ask(ADMIT, document)

    def _ask(self, task: bytes, document: bytes) -> PdfFacts:
        if len(document) > LIMITS.document_bytes:
            return PdfFacts(TOO_COMPLEX, "document_bytes")
        with self._lock:
            process = self._started()
            try:
                _send(process, task + document)
                answer = _receive(process, WALL_SECONDS)
                return read_facts(answer) if answer else PdfFacts(TOO_COMPLEX, "time or memory")
            except (OSError, EOFError, TimeoutError, ValueError, KeyError, TypeError):
                self._stop()
                return PdfFacts(TOO_COMPLEX, "time or memory")

    def close(self) -> None:
        """End the process; the next document starts another."""
        with self._lock:
            self._stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.seal.pdf"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": ":".join(sys.path), "LANG": "C.UTF-8"},
            )
            self._process = process
            _receive(process, START_SECONDS)
        except (OSError, EOFError, TimeoutError) as problem:
            self._stop()
            raise PEER_UNAVAILABLE(peer="pdf examiner") from problem
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        process.wait()


@lru_cache(maxsize=1)
def _pool() -> queue.LifoQueue[Examiner]:
    """Return the examiners of this process, ended with it; the one used last is taken first."""
    places: queue.LifoQueue[Examiner] = queue.LifoQueue()
    for _ in range(AT_ONCE):
        made = Examiner()
        atexit.register(made.close)
        places.put(made)
    return places


def _with_one(ask: Callable[[Examiner], PdfFacts]) -> PdfFacts:
    one = _pool().get()
    try:
        return ask(one)
    finally:
        _pool().put(one)


def examine_apart(document: bytes) -> PdfFacts:
    """Return what the document says, read in one of this process's examiners. Raises PEER_UNAVAILABLE."""
    return _with_one(lambda one: one.examine(document))


def admit_apart(document: bytes) -> PdfFacts:
    """Return the pages of a document that may be sealed, else the problem; in an examiner. Raises PEER_UNAVAILABLE."""
    return _with_one(lambda one: one.admit(document))


def _send(process: subprocess.Popen[bytes], document: bytes) -> None:
    if process.stdin is None:
        raise EOFError
    process.stdin.write(_HEAD.pack(len(document)))
    process.stdin.write(document)
    process.stdin.flush()


def _receive(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    (length,) = _HEAD.unpack(_exactly(process, _HEAD.size, deadline))
    if length > ANSWER_BYTES:
        raise EOFError
    return _exactly(process, length, deadline)


def _exactly(process: subprocess.Popen[bytes], count: int, deadline: float) -> bytes:
    """Return `count` bytes. Raises TimeoutError after the deadline, EOFError where the process ended."""
    if process.stdout is None:
        raise EOFError
    parts: list[bytes] = []
    while count:
        ready, _, _ = select.select([process.stdout], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError
        part = process.stdout.read1(min(count, 1 << 20))  # type: ignore[attr-defined]
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
