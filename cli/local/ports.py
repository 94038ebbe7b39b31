"""Free TCP ports on the loopback interface."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

LOOPBACK = "127.0.0.1"

# Below Linux' ephemeral range (32768 and up), so that no outgoing connection of this machine
# takes a port between our look at it and the server's bind.
_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_open(host: str, port: int) -> bool:
    """Tell whether something accepts connections there now."""
    try:
        with socket.create_connection((host, port), timeout=1.0):
            return True
    except OSError:
        return False


def free_port() -> int:
    """Return a port nobody listens on and that no process of this user was given lately.

    Ports are handed out in turn: one that a stack keeps while it is down, or has not bound yet, comes up
    again only when all the others did.
    """
    while not is_free(port := _next()):
        pass
    return port


def _next() -> int:
    path = Path(tempfile.gettempdir()) / f"tongban-ports-{os.getuid()}"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        last = turn.read()
        port = int(last) + 1 if last.isdecimal() else random.choice(_RANGE)  # noqa: S311 - spreads, protects nothing
        port = port if port in _RANGE else _RANGE.start
        turn.seek(0)
        turn.write(str(port))
    return port
