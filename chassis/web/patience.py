"""How long a client may take to say what it wants: for its headers, between pieces of its body, for all of it.

Without it a thousand connections that send a byte a minute keep everybody else out (slow loris).
"""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Message, Receive
from uvicorn.protocols.http.h11_impl import H11Protocol

from chassis.errors import Kind, declare
from chassis.telemetry import counter
from chassis.web.client import showing_client

HEADER_SECONDS = 10.0
GAP_SECONDS = 10.0
BODY_SECONDS = 60.0
"""Enough for 7 MiB over a mobile network; the calls made for a request have a deadline of their own."""

BODY_TOO_SLOW = declare(
    "BODY_TOO_SLOW",
    Kind.INVALID_ARGUMENT,
    "上传过慢，请检查网络后重试",
    "The body came too slowly; try again",
)
MAX_HEADER_BYTES = 16 * 1024
HEADERS_TOO_LARGE = declare(
    "HEADERS_TOO_LARGE",
    Kind.INVALID_ARGUMENT,
    "请求头超过 {limit_bytes} 字节",
    "Headers of more than {limit_bytes} bytes",
)
CUT_OFF = counter("http_slow_clients", "Connections cut off because their headers did not come", ())


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with an end to waiting for headers, on a new connection and a kept one."""

    header_seconds = HEADER_SECONDS
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait; from here on it is known who shows a certificate."""
        super().connection_made(transport)
        self.app = showing_client(self.app, transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait no more once a request is whole; begin again with the first bytes of the next."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.header_seconds, self._give_up)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        busy = self.cycle is not None and not self.cycle.response_complete
        if not busy and not self.transport.is_closing():
            CUT_OFF.inc()
            self.transport.abort()


class PatientBody:
    """``receive`` of ASGI with an end to waiting, until the body is whole."""

    def __init__(
        self, receive: Receive, *, gap_seconds: float = GAP_SECONDS, body_seconds: float = BODY_SECONDS
    ) -> None:
        self._receive, self._gap_seconds = receive, gap_seconds
        self._ends_at = asyncio.get_running_loop().time() + body_seconds
        self._whole = False

    async def __call__(self) -> Message:
        """Return the next message. Raises BODY_TOO_SLOW."""
        if self._whole:  # what is waited for now is the client's leaving
            return await self._receive()
        left = self._ends_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(min(self._gap_seconds, left)):
                message = await self._receive()
        except TimeoutError as problem:
            self._whole = True
            raise BODY_TOO_SLOW() from problem
        self._whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message
