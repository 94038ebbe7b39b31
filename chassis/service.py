"""What every service process is made of, put together once: database, bus, relay, consumer, doors.

A service's ``app.py`` gives its settings and a function that builds what is its own from a
``Runtime``; the order of start and drain is the same everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter

from chassis import logs, telemetry
from chassis.auth import PublishedKeys, TokenVerifier
from chassis.bus import Bus, BusConfig, open_bus
from chassis.clock import Clock, system_clock
from chassis.collecting import spare_what_stays
from chassis.db import Database
from chassis.event import topics
from chassis.fields import FieldCipher
from chassis.inbox import Consumer, Handler, Limits
from chassis.keyring import LiveKeyring
from chassis.limits import Budget, RateLimits
from chassis.measuring import Looked, Measure, measuring
from chassis.messaging_metrics import announce
from chassis.metrics_door import metrics_door
from chassis.outbox import outbox_writer
from chassis.readiness import Readiness
from chassis.relay import Relay
from chassis.requests import CLEANUP_ROWS, forget_expired
from chassis.rpc.admission import admission
from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.guard import Admit
from chassis.rpc.server import RpcServer, ServerLimits
from chassis.rpc.server import serve as serve_rpc
from chassis.rpc.suspended import SuspendedCallers
from chassis.rpc.tls import TlsFiles
from chassis.run import Part, run
from chassis.schema import check_schema
from chassis.settings import ServiceSettings
from chassis.watch import watching
from chassis.web import WebOptions, bind, serve_web, web_app
from chassis.worker import repeating

TOKEN_ISSUER = "tongban-intake"  # noqa: S105 - a name
HOUSEKEEPING_SECONDS = 300.0
NOTICE_SECONDS = 0.5
"""Between saying NOT_SERVING and going away; none where a successor listens on the same port already."""


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
    measures: Sequence[Measure] = ()
    """Set the service's own gauges, each in a transaction."""
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    """How often a peer may call a method, by ``/package.Service/Method``; needs the table of windows."""
    verifier: TokenVerifier | None = None
    """In place of the one made from the ``token_keys`` file."""


Build = Callable[[Runtime], Awaitable[Made]]


async def serve_service(settings: ServiceSettings, build: Build, *, clock: Clock = system_clock) -> int:
    """Run one service process until it is told to stop; return its exit status."""
    service = settings.service()
    logs.configure(service, level=settings.log_level, log_format=settings.log_format)
    tls = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority)
    telemetry.set_up(service, otlp_endpoint=settings.otlp_endpoint, tls=tls, ratio=settings.trace_ratio)
    announce(service)
    try:
        async with open_runtime(settings, clock=clock) as runtime:
            made = await build(runtime)
            parts = _parts(runtime, made)
            spare_what_stays()
            return await run(parts, ready=runtime.readiness)
    finally:
        await asyncio.to_thread(telemetry.shut_down)


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
            cipher=FieldCipher(LiveKeyring(settings.field_keys), service=service),
            readiness=Readiness(
                *("database", "bus", "rpc", "web"),
                ready_file=settings.ready_file,
                beside_another=settings.share_ports,
            ),
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
        tls_ca_file=settings.tls_authority if settings.kafka_tls else None,
        tls_cert_file=settings.tls_certificate,
        tls_key_file=settings.tls_key,
        group_instance_id=settings.kafka_member_id,
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
        consumer = Consumer(
            service,
            runtime.database,
            made.handlers,
            runtime.bus,
            limits=Limits(measure_seconds=settings.measure_seconds),
        )
        parts.append(Part("consumer", consumer.run))
    looked = Looked(settings, runtime.database, runtime.readiness, runtime.clock, made.measures)
    shown = metrics_door(settings, runtime.tls)
    parts = [*([shown] if shown else []), measuring(looked), *parts]
    return [*parts, _housekeeping(runtime), *made.workers, _doors(_rpc(runtime, made), _web(runtime, made))]


def _housekeeping(runtime: Runtime) -> Part:
    """Return the part that forgets stored answers past their retention."""

    async def forget() -> bool:
        async with runtime.database.transaction() as tx:
            return await forget_expired(tx) == CLEANUP_ROWS

    return repeating("housekeeping", forget, every_seconds=HOUSEKEEPING_SECONDS)


def _doors(*doors: Part) -> Part:
    """Return the doors as one part: they are drained together, so that none says no for long while another ends."""

    async def serve(stop: asyncio.Event) -> None:
        serving = [asyncio.ensure_future(door.run(stop)) for door in doors]
        try:
            await asyncio.wait(serving, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await asyncio.wait(serving)
            for door in serving:
                if door.done():
                    door.result()
        finally:
            for door in serving:
                door.cancel()
            await asyncio.gather(*serving, return_exceptions=True)

    return Part("doors", serve)


def _rpc(runtime: Runtime, made: Made) -> Part:
    settings = runtime.settings
    verifier = made.verifier or TokenVerifier(
        PublishedKeys(settings.token_keys), TOKEN_ISSUER, now=runtime.clock
    )
    limits = ServerLimits(reuse_port=settings.share_ports)
    server = RpcServer(
        runtime.tls,
        verifier=verifier,
        limits=limits,
        admit=_admit(runtime, made),
        suspended=SuspendedCallers(settings.suspended_file()),
    )
    for add_to_server, servicer in made.servicers:
        server.register(add_to_server, servicer)

    async def serve(stop: asyncio.Event) -> None:
        address = f"{settings.grpc_host}:{settings.grpc_port}"
        notice = 0.0 if settings.share_ports else NOTICE_SECONDS
        await serve_rpc(server, address, stop, ready=runtime.readiness, notice_seconds=notice)

    return Part("rpc", serve)


def _admit(runtime: Runtime, made: Made) -> Admit | None:
    if not made.budgets:
        return None
    key = runtime.cipher.blind_index("hash key", field="rate_window.key")
    return admission(RateLimits(runtime.database, key), made.budgets)


def _web(runtime: Runtime, made: Made) -> Part:
    settings = runtime.settings
    tls = None
    if settings.http_certificate and settings.http_key:
        tls = TlsFiles(settings.http_certificate, settings.http_key, settings.tls_authority)
    local = settings.environment == "development"
    options = WebOptions(behind_tls=not local, show_documentation=True, show_metrics=local)
    app = web_app(f"tongban {runtime.service}", missing=runtime.readiness.missing, options=options)
    for router in made.routers:
        app.include_router(router)

    async def serve(stop: asyncio.Event) -> None:
        listener = bind(settings.http_host, settings.http_port, reuse_port=settings.share_ports)
        runtime.readiness.set("web", holds=True)
        await serve_web(
            app,
            settings.http_host,
            settings.http_port,
            stop,
            tls=tls,
            listener=listener,
            trusted_proxies=settings.http_trusted_proxies,
        )

    return Part("web", serve)
