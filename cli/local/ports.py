"""Free TCP ports on the loopback interface."""

from __future__ import annotations

import random
import socket

LOOPBACK = "127.0.0.1"

# Below Linux' ephemeral range (32768 and up), so that no outgoing connection of this machine
# takes a port between our look at it and the server's bind.
_RANGE = range(20_000, 32_000)
_handed_out: set[int] = set()


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
    """Return a port nobody listens on and that this process was not given before."""
    while True:
        port = random.choice(_RANGE)  # noqa: S311 - spreads load, protects nothing
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port
