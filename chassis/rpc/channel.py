"""Calling a peer: mutual TLS, retry on UNAVAILABLE only, shaved deadlines, our faults back.

Every call carries the acting person's token and the trace, and never waits longer than whoever
waits for us.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import Message
from opentelemetry.trace import SpanKind

from chassis.errors import DEADLINE_PASSED, Fault
from chassis.process_metrics import CALLED_SECONDS
from chassis.rpc.call import current_call
from chassis.rpc.faults import MAX_MESSAGE_BYTES, from_error
from chassis.rpc.peer import Peer
from chassis.rpc.renewing import RenewingChannel
from chassis.rpc.server import MAX_METADATA_BYTES
from chassis.rpc.tls import TlsFiles
from chassis.telemetry import span
from chassis.traceparent import current_traceparent

CALL_LIMIT_SECONDS = 5.0
MARGIN_SECONDS = 0.1
"""Kept back at each hop, so that we can still answer when the callee could not."""

SERVICE_CONFIG = json.dumps(
    {
        # No "timeout" here: it fires early and the server does not see it (measured).
        "loadBalancingConfig": [{"round_robin": {}}],
        "healthCheckConfig": {"serviceName": ""},
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
    }
)

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)
Stub = TypeVar("Stub")


class PeerChannel:
    """A connection to one peer and the one way to call over it."""

    def __init__(
        self, channel: grpc.aio.Channel, peer: Peer, *, limit_seconds: float = CALL_LIMIT_SECONDS
    ) -> None:
        self.channel, self.peer, self._limit = channel, peer, limit_seconds

    async def call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Req, Res],
        request: Req,
        *,
        timeout_seconds: float | None = None,
    ) -> Res:
        """Return the answer of a unary method: ``await peer.call(stub.GetLicence, request)``.

        Raises the peer's fault, PEER_UNAVAILABLE, DEADLINE_PASSED or TOO_MANY_REQUESTS.
        """
        with self._measured():
            try:
                answer = await method(request, timeout=self._seconds(timeout_seconds), metadata=_headers())
            except grpc.aio.AioRpcError as error:
                raise from_error(error, str(self.peer)) from error
        return answer

    def stream(
        self,
        method: grpc.aio.UnaryStreamMultiCallable[Req, Res],
        request: Req,
        *,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[Res]:
        """Yield the answers of a server stream; it lasts ``timeout_seconds`` or as our own caller waits."""
        return self._answers(
            lambda: method(request, timeout=self._stream_seconds(timeout_seconds), metadata=_headers())
        )

    def exchange(
        self,
        method: grpc.aio.StreamStreamMultiCallable[Req, Res],
        requests: AsyncIterator[Req],
        *,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[Res]:
        """Yield the answers of a method that streams both ways."""
        return self._answers(
            lambda: method(requests, timeout=self._stream_seconds(timeout_seconds), metadata=_headers())
        )

    async def upload(
        self,
        method: grpc.aio.StreamUnaryMultiCallable[Req, Res],
        requests: AsyncIterator[Req],
        *,
        timeout_seconds: float | None = None,
    ) -> Res:
        """Return the one answer of a method that streams to the peer. Raises as `call`."""
        with self._measured():
            try:
                answer = await method(requests, timeout=self._seconds(timeout_seconds), metadata=_headers())
            except grpc.aio.AioRpcError as error:
                raise from_error(error, str(self.peer)) from error
        return answer

    async def close(self) -> None:
        """Close the connection after its running calls."""
        await self.channel.close(grace=1.0)

    async def _answers(self, start: Callable[[], Any]) -> AsyncIterator[Res]:
        """Begin the call with the first answer asked for, and cancel it when its reader goes away."""
        call = start()
        try:
            async for answer in call:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise from_error(error, str(self.peer)) from error
        finally:
            call.cancel()

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """Record the call as a span and its time by outcome."""
        began, status, name = time.perf_counter(), "CANCELLED", str(self.peer)
        try:
            with span(f"call {name}", kind=SpanKind.CLIENT, peer=name):
                yield
            status = "OK"
        except Fault as fault:
            status = fault.kind.name
            raise
        finally:
            CALLED_SECONDS.labels(name, status).observe(time.perf_counter() - began)

    def _seconds(self, wanted: float | None) -> float:
        limit = self._limit if wanted is None else wanted
        left = remaining_seconds()
        return limit if left is None else min(limit, left)

    def _stream_seconds(self, wanted: float | None) -> float | None:
        left = remaining_seconds()
        return min((each for each in (wanted, left) if each is not None), default=None)


def remaining_seconds() -> float | None:
    """Return what a callee may use of the current call's time; None when no one waits.

    Raises DEADLINE_PASSED when nothing useful is left.
    """
    call = current_call()
    left = call.deadline_remaining_seconds if call else None
    if left is None:
        return None
    if left <= MARGIN_SECONDS:
        raise DEADLINE_PASSED()
    return left - MARGIN_SECONDS


def open_channel(
    address: str, peer: Peer, tls: TlsFiles, *, limit_seconds: float = CALL_LIMIT_SECONDS
) -> PeerChannel:
    """Return a channel to ``peer`` at ``host:port``; it connects at the first call.

    Whoever answers there with another name in its certificate is refused. A renewed certificate of our own
    is shown from the next call on.
    """
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", SERVICE_CONFIG),
        ("grpc.enable_retries", 1),
        ("grpc.ssl_target_name_override", peer.host_name),
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 3_000),
    ]
    channel = RenewingChannel(tls, lambda credentials: grpc.aio.secure_channel(address, credentials, options))
    # All that stubs use of a channel; the rest of its interface nobody needs.
    return PeerChannel(cast("grpc.aio.Channel", channel), peer, limit_seconds=limit_seconds)


def service(name: str) -> Peer:
    """Return the peer that a service of ours is."""
    return Peer("service", name)


def _headers() -> list[tuple[str, str]]:
    call, traceparent = current_call(), current_traceparent()
    headers = [("traceparent", traceparent)] if traceparent else []
    if call and call.token:
        headers.append(("authorization", f"Bearer {call.token}"))
    return headers
