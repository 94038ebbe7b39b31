"""The process that has the parsers loaded and forks one process for each file; it never looks at one itself.

``python -m services.intake.clients.inspection.server`` with a Unix socket as standard input: each message on
it brings one connection. There a file comes in: its media type, a line end, its bytes to the end. Back go a
line end once a process has it, then a line with verdict and length, and what to keep in so many bytes. The
verdict is ``ok`` or a reason code, length -1 the file as it is. With standard input the server ends.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import socket
import sys
from contextlib import suppress

from PIL import JpegImagePlugin, PngImagePlugin  # noqa: F401 - loaded before memory is bounded

from chassis.errors import PEER_UNAVAILABLE, Fault
from services.intake.clients.inspection.reasons import FILE_TOO_COMPLEX, LIMITS
from services.intake.clients.inspection.rules import inspect

_PAGE_BYTES = resource.getpagesize()
_STOPPED_BY_PARENT = (signal.SIGINT, signal.SIGTERM)
"""Signals to a whole group: the service still takes files while it drains, so it alone ends this process."""


def main() -> int:
    """Fork for each connection until standard input ends; return the exit status."""
    for each in _STOPPED_BY_PARENT:
        signal.signal(each, signal.SIG_IGN)
    gc.freeze()  # so that a collection in a fork copies no pages
    with socket.socket(fileno=os.dup(0)) as control:
        while True:
            _, (*passed,), _, _ = socket.recv_fds(control, 1, 1)
            if not passed:
                break
            _fork_for(socket.socket(fileno=passed[0]), control)
            _bury(os.WNOHANG)
    _bury(0)
    return 0


def _fork_for(connection: socket.socket, control: socket.socket) -> None:
    with connection:
        try:
            child = os.fork()
        except OSError:
            with suppress(OSError):
                connection.sendall(f"\n{PEER_UNAVAILABLE.code} 0\n".encode())
            return
        if child:
            return
        status = 1
        try:
            connection.sendall(b"\n")
            control.close()
            os.close(0)
            _bound()
            _judge(connection)
            status = 0
        finally:
            os._exit(status)  # nothing of the server's is run to its end here


def _bury(options: int) -> None:
    """Take note of children that ended, so that none stays behind."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def _bound() -> None:
    """Give this process little memory and time, and nothing to write to."""
    for each in _STOPPED_BY_PARENT:
        signal.signal(each, signal.SIG_DFL)
    signal.alarm(LIMITS.wall_seconds)
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        used = int(file.read().split()[0]) * _PAGE_BYTES
    bounds = {
        resource.RLIMIT_AS: used + LIMITS.memory_bytes,
        resource.RLIMIT_CPU: LIMITS.cpu_seconds,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for resource_kind, bound in bounds.items():
        resource.setrlimit(resource_kind, (bound, bound))


def _judge(connection: socket.socket) -> None:
    with connection.makefile("rb") as source:
        media_type = source.readline().decode("ascii").strip()
        content = source.read()
    try:
        kept = inspect(content, media_type)
        verdict = "ok"
    except Fault as fault:
        kept, verdict = b"", fault.code
    except (MemoryError, RecursionError):
        kept, verdict = b"", FILE_TOO_COMPLEX.code
    unchanged = kept is content
    connection.sendall(f"{verdict} {-1 if unchanged else len(kept)}\n".encode())
    if not unchanged:
        connection.sendall(kept)


if __name__ == "__main__":
    sys.exit(main())
