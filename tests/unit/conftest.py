"""Unit tests touch no network: a socket that connects or listens fails the test."""

from __future__ import annotations

import socket

import pytest


@pytest.fixture(autouse=True)
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connect and bind of every socket; the event loop's own pair needs neither."""

    def refused(self: socket.socket, *_: object) -> None:
        pytest.fail("a unit test opened a socket: it belongs in tests/integration or tests/contract")

    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, refused)
