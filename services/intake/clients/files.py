"""The port ``Inspector``: parsers in processes of their own, and the scanner of the settings."""

from __future__ import annotations

from chassis.scanner import NoScanner, Scanner
from services.intake.clients.inspection.kinds import media_type_of
from services.intake.clients.inspection.runner import ParserProcesses


class FileInspector:
    """Inspects in a process per file, scans where a scanner is configured."""

    def __init__(self, scanner: Scanner | None = None) -> None:
        self._scanner = scanner or NoScanner()
        self._parsers = ParserProcesses()

    def start(self) -> None:
        """Have the parsers loaded before the first file comes. Raises PEER_UNAVAILABLE."""
        self._parsers.start()

    def media_type_of(self, content: bytes, file_name: str) -> str:
        """Return the type. Raises UPLOAD_TYPE_UNKNOWN."""
        return media_type_of(content, file_name)

    async def inspect(self, content: bytes, media_type: str) -> bytes:
        """Return what to keep of it. Raises what `ParserProcesses.inspect_file` raises."""
        return (await self._parsers.inspect_file(content, media_type)).content

    async def scan(self, content: bytes) -> str:
        """Return "clean" or "unscanned". Raises FILE_INFECTED, PEER_UNAVAILABLE."""
        return (await self._scanner.scan(content)).value
