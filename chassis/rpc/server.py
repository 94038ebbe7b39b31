"""A gRPC server: mutual TLS, guarded methods, health, reflection, limits, and a drain that loses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from chassis.auth import TokenVerifier
from chassis.logs import get_logger
from chassis.process_metrics import QUEUE_LIMIT
from chassis.readiness import Readiness
from chassis.rpc.access import Method, methods_of
from chassis.rpc.faults import MAX_MESSAGE_BYTES
from chassis.rpc.guard import Admit, Guard
from chassis.rpc.suspended import SuspendedCallers
from chassis.rpc.tls import TlsFiles, server_credentials

log = get_logger(__name__)

MAX_METADATA_BYTES = 64 * 1024

Handlers: TypeAlias = "dict[str, grpc.RpcMethodHandler[Any, Any]]"


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of one server; times in seconds, sizes in bytes."""

    default_deadline_seconds: float = 10.0
    stream_deadline_seconds: float = 3600.0
    max_message_bytes: int = MAX_MESSAGE_BYTES
    max_concurrent_calls: int = 500
    """More calls at a time, health watches included, are refused with RESOURCE_EXHAUSTED."""
    max_connection_age_seconds: float = 300.0
    connection_age_grace_seconds: float = 30.0
    reuse_port: bool = False
    """Several processes may listen on the port; the kernel spreads connections over them."""


class RpcServer:
    """One server of one process; register servicers, start, and drain at the end."""

    def __init__(
        self,
        tls: TlsFiles,
        *,
        verifier: TokenVerifier | None = None,
        admit: Admit | None = None,
        limits: ServerLimits | None = None,
        suspended: SuspendedCallers | None = None,
        reflect: bool = True,
    ) -> None:
        self._tls, self._reflect = tls, reflect
        self._limits = limits or ServerLimits()
        self._guard = Guard(
            verifier,
            admit,
            self._limits.default_deadline_seconds,
            self._limits.stream_deadline_seconds,
            suspended,
        )
        self._services: dict[str, Handlers] = {}
        self._methods: list[Method] = []
        self._health = health.aio.HealthServicer()
        self._server: grpc.aio.Server | None = None

    @property
    def methods(self) -> tuple[Method, ...]:
        """The methods registered so far, with their access rules."""
        return tuple(self._methods)

    def register(self, add_to_server: Callable[[Any, Any], None], servicer: object) -> None:
        """Take a servicer in: ``register(add_LicenceServiceServicer_to_server, servicer)``.

        Raises ValueError for a method without access option, TypeError for a handler of wrong shape.
        """
        add_to_server(servicer, _Registrar(self._take))

    async def start(self, address: str, *, serving: bool = True) -> int:
        """Listen on ``host:port`` (port 0: any free one), serve, and return the port."""
        QUEUE_LIMIT.labels("rpc").set(self._limits.max_concurrent_calls)
        server = self._server = grpc.aio.server(
            options=_options(self._limits), maximum_concurrent_rpcs=self._limits.max_concurrent_calls
        )
        taking: Any = _Registrar(partial(_add, server))
        for name, handlers in self._services.items():
            _add(server, name, handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, taking)
        if self._reflect:
            names = (*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflecting = reflection.aio.ReflectionServicer(names)
            add_reflection: Any = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
            add_reflection(reflecting, taking)
        port = int(server.add_secure_port(address, server_credentials(self._tls)))
        await server.start()
        await self.set_serving(serving=serving)
        log.info("rpc_listening", port=port, services=sorted(self._services))
        return port

    async def set_serving(self, *, serving: bool) -> None:
        """Say in the health service whether calls can succeed, for each service and overall."""
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for name in ("", *self._services):
            await self._health.set(name, status)

    async def drain(self, *, notice_seconds: float = 0.5, grace_seconds: float = 10.0) -> None:
        """Report NOT_SERVING, give clients time to notice, finish running calls, stop.

        Calls still running after the grace are cancelled.
        """
        if self._server is None:
            return
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(notice_seconds)
        await self._server.stop(grace_seconds)
        self._server = None

    def _take(self, service: str, handlers: Handlers) -> None:
        methods = methods_of(service)
        self._services[service] = {
            name: self._guard.wrap(methods[name], handler) for name, handler in handlers.items()
        }
        self._methods.extend(methods.values())


async def serve(
    server: RpcServer,
    address: str,
    stop: asyncio.Event,
    *,
    notice_seconds: float = 0.5,
    grace_seconds: float = 10.0,
    ready: Readiness | None = None,
) -> None:
    """Serve until ``stop`` is set, then drain.

    Listening is the condition ``rpc`` of ``ready``; the health service says what ``ready`` says.
    """
    await server.start(address, serving=ready is None)
    if ready is not None:
        ready.set("rpc", holds=True)
    following = asyncio.create_task(_follow(server, ready), name="rpc-health")
    try:
        await stop.wait()
    finally:
        following.cancel()
        await server.drain(notice_seconds=notice_seconds, grace_seconds=grace_seconds)


async def _follow(server: RpcServer, ready: Readiness | None) -> None:
    if ready is None:
        return
    changed = asyncio.Event()
    ready.on_change(lambda _: changed.set())
    while True:
        await changed.wait()
        changed.clear()
        await server.set_serving(serving=ready.ready)


class _Registrar:
    """Stands in for a server while generated code registers a servicer, and hands the handlers on."""

    def __init__(self, take: Callable[[str, Handlers], None]) -> None:
        self._take = take

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """Ignore: the same handlers come by name as well."""

    def add_registered_method_handlers(self, service: str, handlers: Handlers) -> None:
        """Take the handlers of one service."""
        self._take(service, handlers)


def _add(server: grpc.aio.Server, service: str, handlers: Handlers) -> None:
    # As generic handlers only: for each method that is registered, gRPC keeps a task waiting, and it goes through
    # all of them for every call that comes: with the many methods of certs, a tenth of a look-up.
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))


def _options(limits: ServerLimits) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_send_message_length", limits.max_message_bytes),
        ("grpc.max_metadata_size", MAX_METADATA_BYTES),
        ("grpc.absolute_max_metadata_size", 2 * MAX_METADATA_BYTES),
        ("grpc.max_connection_age_ms", int(limits.max_connection_age_seconds * 1000)),
        ("grpc.max_connection_age_grace_ms", int(limits.connection_age_grace_seconds * 1000)),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),  # else a quiet caller's pings end its connection
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
        ("grpc.so_reuseport", int(limits.reuse_port)),
    ]
