"""A TLS context that shows the renewed certificate at the next handshake, for whoever was given it once.

Servers and clients keep the context of their start for the process's life. This one hands each handshake
to a context made from the files as they are then; connections that stand go on as they were made.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from chassis.fresh import FreshFiles

Make = Callable[[], ssl.SSLContext]


class RenewingContext(ssl.SSLContext):
    """Stands for the newest good context; ask it for handshakes only, its own options mean nothing."""

    _files: FreshFiles[ssl.SSLContext]

    @classmethod
    def watching(cls, paths: Sequence[Path], make: Make, *, server_side: bool) -> RenewingContext:
        """Return a context that follows the files. Raises what ``make`` raises, OSError for missing files.

        Files that do not fit together, mid-replacement, change nothing: what was made before goes on.
        """
        made = cls(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
        made._files = FreshFiles(paths, make)
        return made

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """Begin a handshake, as asyncio and uvloop do it, with the files as they are now."""
        return self._files.look().wrap_bio(*arguments, **named)

    def wrap_socket(self, *arguments: Any, **named: Any) -> ssl.SSLSocket:
        """Begin a handshake on a socket with the files as they are now."""
        return self._files.look().wrap_socket(*arguments, **named)
