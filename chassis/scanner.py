"""The malware scanner: a port, and clamd's INSTREAM protocol behind it.

A file is usable only once it was scanned wherever a scanner is configured: when the scanner cannot be
asked, the upload is refused and the citizen tries again. Without one, files are recorded as unscanned.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from chassis.errors import PEER_UNAVAILABLE, Kind, declare
from chassis.logs import get_logger
from chassis.telemetry import counter

FILE_INFECTED = declare(
    "FILE_INFECTED",
    Kind.INVALID_ARGUMENT,
    "文件被安全扫描拒绝",
    "The malware scanner refused the file",
)
SCANS = counter("malware_scans", "Scanned files by result", ("outcome",))
_CHUNK_BYTES = 64 * 1024

log = get_logger(__name__)


class Scanned(StrEnum):
    """What a scanner said of a file that may come in."""

    CLEAN = "clean"
    UNSCANNED = "unscanned"


class Scanner(Protocol):
    """Looks for malware."""

    async def scan(self, content: bytes) -> Scanned:
        """Return what is known. Raises FILE_INFECTED, PEER_UNAVAILABLE when it cannot be known."""
        ...


class NoScanner:
    """Where none is configured: every file is recorded as unscanned."""

    async def scan(self, content: bytes) -> Scanned:
        """Return UNSCANNED."""
        del content
        SCANS.labels("unscanned").inc()
        return Scanned.UNSCANNED


@dataclass(frozen=True, slots=True)
class Clamd:
    """ClamAV's daemon at ``host:port`` or at the path of its socket; only a setting gives the address."""

    address: str
    timeout_seconds: float = 15.0

    async def scan(self, content: bytes) -> Scanned:
        """Return CLEAN. Raises FILE_INFECTED, PEER_UNAVAILABLE for anything but a plain answer."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                answer = await self._ask(content)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as problem:
            SCANS.labels("failed").inc()
            raise PEER_UNAVAILABLE(peer="clamd") from problem
        if answer == b"stream: OK":
            SCANS.labels("clean").inc()
            return Scanned.CLEAN
        if answer.startswith(b"stream: ") and answer.endswith(b" FOUND"):
            SCANS.labels("infected").inc()
            log.warning("malware_found", signature=answer[8:-6].decode("utf-8", "replace")[:120])
            raise FILE_INFECTED()
        SCANS.labels("failed").inc()
        log.error("scan_failed", answer=answer[:120].decode("utf-8", "replace"))
        raise PEER_UNAVAILABLE(peer="clamd")

    async def _ask(self, content: bytes) -> bytes:
        reader, writer = await self._connect()
        try:
            writer.write(b"zINSTREAM\0")
            for start in range(0, len(content), _CHUNK_BYTES):
                piece = content[start : start + _CHUNK_BYTES]
                writer.write(len(piece).to_bytes(4, "big") + piece)
                await writer.drain()
            writer.write(bytes(4))
            await writer.drain()
            return (await reader.readuntil(b"\0"))[:-1]
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.address.startswith("/"):
            return await asyncio.open_unix_connection(self.address)
        host, _, port = self.address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))


def open_scanner(address: str | None) -> Scanner:
    """Return the scanner of a setting: clamd's address, or none."""
    return Clamd(address) if address else NoScanner()
