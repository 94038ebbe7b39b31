"""A channel that shows the renewed certificate without being opened again by its users.

Stubs keep what they made of a channel for the process's life, while gRPC's credentials are fixed when
a channel opens. So stubs are made on this one, which hands each call to the channel of the day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc

from chassis.fresh import LOOK_EVERY_SECONDS, FreshFiles
from chassis.logs import get_logger
from chassis.rpc.tls import TlsFiles, channel_credentials

log = get_logger(__name__)

OLD_CALLS_SECONDS = 330.0
"""Calls that run when a certificate is renewed may go on so long: as a server keeps any connection."""

OpenWith = Callable[[grpc.ChannelCredentials], grpc.aio.Channel]


class RenewingChannel:
    """What stubs need of a channel; calls go out with the certificate that the files hold now."""

    def __init__(
        self, tls: TlsFiles, open_with: OpenWith, *, look_every_seconds: float = LOOK_EVERY_SECONDS
    ) -> None:
        """Open the first channel. Raises ValueError, OSError for certificate files that cannot be used."""
        self._files = FreshFiles(
            tls.paths, lambda: channel_credentials(tls), look_every_seconds=look_every_seconds
        )
        self._open_with = open_with
        self._shown = self._files.current()
        self._channel = open_with(self._shown)
        self._closing: set[asyncio.Task[None]] = set()

    def now(self) -> grpc.aio.Channel:
        """Return the channel for a new call; after a renewal the one before ends with its last call."""
        newest = self._files.current()
        if newest is not self._shown:
            before, self._shown = self._channel, newest
            self._channel = self._open_with(newest)
            closing = asyncio.get_running_loop().create_task(before.close(grace=OLD_CALLS_SECONDS))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            log.info("certificate_renewed", side="client")
        return self._channel

    def unary_unary(self, *arguments: Any, **named: Any) -> Callable[..., Any]:
        """Return the callable of a method."""
        return self._method("unary_unary", *arguments, **named)

    def unary_stream(self, *arguments: Any, **named: Any) -> Callable[..., Any]:
        """Return the callable of a method."""
        return self._method("unary_stream", *arguments, **named)

    def stream_unary(self, *arguments: Any, **named: Any) -> Callable[..., Any]:
        """Return the callable of a method."""
        return self._method("stream_unary", *arguments, **named)

    def stream_stream(self, *arguments: Any, **named: Any) -> Callable[..., Any]:
        """Return the callable of a method."""
        return self._method("stream_stream", *arguments, **named)

    async def close(self, grace: float | None = None) -> None:
        """Close this channel and the ones before."""
        for closing in self._closing:
            closing.cancel()
        await asyncio.gather(self._channel.close(grace), *self._closing, return_exceptions=True)

    def _method(self, shape: str, *arguments: Any, **named: Any) -> Callable[..., Any]:
        made: tuple[grpc.aio.Channel, Callable[..., Any]] | None = None

        def call(*given: Any, **with_names: Any) -> Any:
            nonlocal made
            channel = self.now()
            if made is None or made[0] is not channel:
                made = channel, getattr(channel, shape)(*arguments, **named)
            return made[1](*given, **with_names)

        return call
