"""The port ``Inspector``: the chassis' inspection, and the scanner of the settings."""

from __future__ import annotations

from chassis.inspection.kinds import media_type_of
from chassis.inspection.runner import inspect_file
from chassis.scanner import NoScanner, Scanner


class FileInspector:
    """Inspects in a process per file, scans where a scanner is configured."""

    def __init__(self, scanner: Scanner | None = None) -> None:
        self._scanner = scanner or NoScanner()

    def media_type_of(self, content: bytes, file_name: str) -> str:
        """Return the type. Raises UPLOAD_TYPE_UNKNOWN."""
        return media_type_of(content, file_name)

    async def inspect(self, content: bytes, media_type: str) -> bytes:
        """Return what to keep of it. Raises what `inspect_file` raises."""
        return (await inspect_file(content, media_type)).content

    async def scan(self, content: bytes) -> str:
        """Return "clean" or "unscanned". Raises FILE_INFECTED, PEER_UNAVAILABLE."""
        return (await self._scanner.scan(content)).value
