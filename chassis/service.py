"""What every service process is made of, put together once: database, bus, relay, consumer, doors.

A service's ``app.py`` gives its settings and a function that builds what is its own from a
``Runtime``; the order of start and drain is the same everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from chassis import logs, telemetry
from chassis.auth import TokenVerifier, read_jwks
from chassis.bus import Bus, BusConfig, open_bus
from chassis.clock import Clock, system_clock
from chassis.db import Database
from chassis.event import topics
from chassis.fields import FieldCipher
from chassis.inbox import Consumer, Handler
from chassis.keyring import read_keyring
from chassis.outbox import outbox_writer
from chassis.readiness import Readiness
from chassis.relay import Relay
from chassis.requests import CLEANUP_ROWS, forget_expired
from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.server import RpcServer
from chassis.rpc.server import serve as serve_rpc
from chassis.rpc.tls import TlsFiles
from chassis.run import Part, run
from chassis.schema import check_schema
from chassis.settings import ServiceSettings
from chassis.watch import watching
from chassis.web import WebOptions, bind, serve_web, web_app
from chassis.worker import repeating

TOKEN_ISSUER = "tongban-intake"  # noqa: S105 - a name
HOUSEKEEPING_SECONDS = 300.0


@dataclass(slots=True)
class Runtime:
    """What a service builds its own parts from."""

    service: str
    settings: ServiceSettings
    database: Database
    bus: Bus
    tls: TlsFiles
    cipher: FieldCipher
    readiness: Readiness
    clock: Clock
    _channels: list[PeerChannel] = field(default_factory=list)

    def peer(self, name: str) -> PeerChannel:
        """Return a channel to another service of ours; closed with the process."""
        address = getattr(self.settings, f"{name}_address")
        channel = open_channel(address, service_peer(name), self.tls)
        self._channels.append(channel)
        return channel

    async def close_channels(self) -> None:
        """Close the channels to peers."""
        for channel in self._channels:
            await channel.close()


@dataclass(frozen=True, slots=True)
class Made:
    """What is a service's own: event handlers, servicers, routes, workers."""

    handlers: Sequence[Handler[Any, Any]] = ()
    servicers: Sequence[tuple[Callable[[Any, Any], None], object]] = ()
    routers: Sequence[APIRouter] = ()
    workers: Sequence[Part] = ()
    verifier: TokenVerifier | None = None
    """In place of the one made from the ``token_keys`` file."""


Build = Callable[[Runtime], Awaitable[Made]]


async def serve_service(settings: ServiceSettings, build: Build, *, clock: Clock = system_clock) -> int:
    """Run one service process until it is told to stop; return its exit status."""
    service = settings.service()
    logs.configure(service, level=settings.log_level, log_format=settings.log_format)
    telemetry.set_up(service, otlp_endpoint=settings.otlp_endpoint)
    async with open_runtime(settings, clock=clock) as runtime:
        made = await build(runtime)
        return await run(_parts(runtime, made), ready=runtime.readiness)


@asynccontextmanager
async def open_runtime(settings: ServiceSettings, *, clock: Clock = system_clock) -> AsyncIterator[Runtime]:
    """Open pool and bus, check the schema; everything is closed at the end of the block.

    Raises SCHEMA_OUTDATED, SCHEMA_TOO_NEW, PEER_UNAVAILABLE.
    """
    service = settings.service()
    database = await Database.open(
        settings.database_dsn.get_secret_value(),
        now=clock,
        write_events=outbox_writer(f"//tongban/{service}", shards=settings.relay_shards),
        min_size=settings.pool_min_size,
        max_size=settings.pool_max_size,
    )
    async with AsyncExitStack() as opened:
        opened.push_async_callback(database.close)
        async with database.transaction() as tx:
            await check_schema(tx, service)
        bus = await open_bus(_bus_config(service, settings))
        opened.push_async_callback(bus.close)
        runtime = Runtime(
            service=service,
            settings=settings,
            database=database,
            bus=bus,
            tls=TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority),
            cipher=FieldCipher(read_keyring(settings.field_keys), service=service),
            readiness=Readiness("database", "bus", "rpc", "web", ready_file=settings.ready_file),
            clock=clock,
        )
        opened.push_async_callback(runtime.close_channels)
        yield runtime


def _bus_config(service: str, settings: ServiceSettings) -> BusConfig:
    return BusConfig(
        kind=settings.bus,
        client_id=service,
        kafka_bootstrap=settings.kafka_bootstrap,
        postgres_dsn=settings.bus_dsn.get_secret_value() if settings.bus_dsn else None,
    )


def _parts(runtime: Runtime, made: Made) -> list[Part]:
    """Return the parts in the order of their start: the relay first, the doors last."""
    settings, service = runtime.settings, runtime.service
    dsn = settings.database_dsn.get_secret_value()
    relay = Relay(
        service,
        dsn,
        runtime.bus,
        committed=runtime.database.committed,
        shards=settings.relay_shards,
    )
    needed = {topic for topic in topics() if topic.startswith(f"{service}.")}
    needed |= {handler.event.TOPIC for handler in made.handlers}
    parts = [watching(dsn, runtime.bus, sorted(needed), runtime.readiness), Part("relay", relay.run)]
    if made.handlers:
        consumer = Consumer(service, runtime.database, made.handlers, runtime.bus)
        parts.append(Part("consumer", consumer.run))
    return [*parts, _housekeeping(runtime), *made.workers, _rpc(runtime, made), _web(runtime, made)]


def _housekeeping(runtime: Runtime) -> Part:
    """Return the part that forgets stored answers past their retention."""

    async def forget() -> bool:
        async with runtime.database.transaction() as tx:
            return await forget_expired(tx) == CLEANUP_ROWS

    return repeating("housekeeping", forget, every_seconds=HOUSEKEEPING_SECONDS)


def _rpc(runtime: Runtime, made: Made) -> Part:
    settings = runtime.settings
    verifier = made.verifier or TokenVerifier(read_jwks(settings.token_keys), TOKEN_ISSUER, now=runtime.clock)
    server = RpcServer(runtime.tls, verifier=verifier)
    for add_to_server, servicer in made.servicers:
        server.register(add_to_server, servicer)

    async def serve(stop: asyncio.Event) -> None:
        address = f"{settings.grpc_host}:{settings.grpc_port}"
        await serve_rpc(server, address, stop, ready=runtime.readiness)

    return Part("rpc", serve)


def _web(runtime: Runtime, made: Made) -> Part:
    settings = runtime.settings
    local = settings.environment == "development"
    options = WebOptions(behind_tls=not local, show_documentation=True)
    app = web_app(f"tongban {runtime.service}", missing=runtime.readiness.missing, options=options)
    for router in made.routers:
        app.include_router(router)

    async def serve(stop: asyncio.Event) -> None:
        listener = bind(settings.http_host, settings.http_port)
        runtime.readiness.set("web", holds=True)
        await serve_web(app, settings.http_host, settings.http_port, stop, listener=listener)

    return Part("web", serve)
