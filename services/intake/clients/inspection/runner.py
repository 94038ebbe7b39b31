"""One process per file: a parser that is overcome takes nothing with it but the file."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from chassis.errors import PEER_UNAVAILABLE
from chassis.logs import get_logger
from services.intake.clients.inspection.reasons import BY_CODE, FILE_TOO_COMPLEX, LIMITS

SECONDS = LIMITS.wall_seconds + 12.0
"""How long a verdict is waited for. Its process ends itself before; a new server has parsers to load first."""
TRIES = 3
"""Of one file, while servers go away."""
AT_ONCE = 2
COMMAND = (sys.executable, "-m", "services.intake.clients.inspection.server")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file that may come in."""

    content: bytes
    """What to keep: of an image, the image without its metadata."""
    media_type: str


class ParserProcesses:
    """The server that forks a process per file; started anew when it is gone."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._lock = Lock()
        self._server: Server | None = None

    def start(self) -> None:
        """Start the server unless it runs; without this the first file does. Raises PEER_UNAVAILABLE."""
        self._running()

    async def inspect_file(self, content: bytes, media_type: str) -> Inspected:
        """Return what to keep of a file of a known type.

        Raises FILE_BROKEN_INSIDE, FILE_TOO_COMPLEX (also when the process ran out of memory or time),
        FILE_ACTIVE, FILE_UNSAFE_NAMES, and PEER_UNAVAILABLE when no process can be had.
        """
        if len(content) > LIMITS.packed_bytes:
            raise FILE_TOO_COMPLEX()
        async with self._places:
            # In a thread: the event loop's own pipes to a child were seen closed under a loaded service.
            verdict, kept = await asyncio.to_thread(self._ask, content, media_type)
        if verdict == PEER_UNAVAILABLE.code:
            raise PEER_UNAVAILABLE(peer="inspection")
        if verdict == "ok":
            return Inspected(content if kept is None else kept, media_type)
        reason = BY_CODE.get(verdict)
        if reason is None:
            log.warning("inspection_ended", media_type=media_type)
            raise FILE_TOO_COMPLEX()
        raise reason()

    def _ask(self, content: bytes, media_type: str) -> tuple[str, bytes | None]:
        """Return verdict and what to keep, None for the file as it is; no verdict of a process that fell."""
        for _ in range(TRIES):
            server = self._running()
            try:
                answer = server.ask(content, media_type)
            except TimeoutError as problem:
                self._lose(server)
                raise PEER_UNAVAILABLE(peer="inspection") from problem
            if answer:
                return _read(answer[1:])
            self._lose(server)
        raise PEER_UNAVAILABLE(peer="inspection")

    def _lose(self, server: Server) -> None:
        """Have the next file start another server; whoever else had this one finds it replaced already."""
        with self._lock:
            if self._server is server:
                log.error("inspection_server_lost")
                self._server = None
                server.end()

    def _running(self) -> Server:
        with self._lock:
            if self._server is None or not self._server.is_alive():
                self._server = Server()
            return self._server


class Server:
    """One server; `end` ends it, as does the end of whoever holds this."""

    def __init__(self) -> None:
        self.control, theirs = socket.socketpair()
        with theirs:
            try:
                self.process = subprocess.Popen(  # noqa: S603 - our own module
                    COMMAND,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={"PYTHONPATH": ":".join(sys.path), "LANG": "C.UTF-8"},
                )
            except OSError as problem:
                self.control.close()
                raise PEER_UNAVAILABLE(peer="inspection") from problem
        self.end = weakref.finalize(self, _end, self.process, self.control)

    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process.poll() is None

    def ask(self, content: bytes, media_type: str) -> bytes:
        """Return what came back until the end, nothing when the server took no notice.

        Raises TimeoutError after a time in which any process of a server at work would have ended.
        """
        parts: list[bytes] = []
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(SECONDS)
            try:
                socket.send_fds(self.control, [b"f"], [theirs.fileno()])
                theirs.close()
                _send(ours, media_type.encode() + b"\n" + content)
                while part := ours.recv(1 << 16):
                    parts.append(part)
            except TimeoutError:
                raise
            except OSError:
                log.debug("inspection_cut_off")
        return b"".join(parts)


def _send(target: socket.socket, message: bytes) -> None:
    with suppress(BrokenPipeError):  # a process that fell has perhaps said that it took the file
        target.sendall(message)
        target.shutdown(socket.SHUT_WR)


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    """End a server: files that it forked for end within their own bounds."""
    control.close()
    process.kill()
    process.wait()


def _read(answer: bytes) -> tuple[str, bytes | None]:
    head, _, kept = answer.partition(b"\n")
    verdict, _, length = head.decode("ascii", "replace").partition(" ")
    if length == "-1":
        return verdict, None
    return (verdict, kept) if length == str(len(kept)) else ("", b"")
