"""How the parts of a running stack are: gRPC health with our own identity, bus lag, memory."""

from __future__ import annotations

import ast
import asyncio
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.bus import BusConfig, open_bus
from chassis.errors import Fault
from chassis.event import declared_events
from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.peer import Peer
from cli.local.authority import open_authority
from cli.local.credentials import bus_app_dsn
from cli.local.layout import Layout
from cli.local.postgres import EmbeddedPostgres
from cli.local.state import StackState

OPERATOR = Peer("operator", "local")
_PROBE_SECONDS = 3.0
_CONSUMES = re.compile(r"^Consumes:(.*?)(?=^\w+:|\Z)", re.MULTILINE | re.DOTALL)


async def serving(layout: Layout, state: StackState) -> dict[str, bool]:
    """Return for each service whether it answers a health check over mutual TLS and says SERVING."""
    answers = await asyncio.gather(*(_serves(layout, name, at.grpc) for name, at in state.services.items()))
    return dict(zip(state.services, answers, strict=True))


async def bus_lag(layout: Layout, state: StackState) -> dict[str, int] | None:
    """Return how many events each service has not read yet; None when the bus does not answer."""
    import events  # noqa: F401, PLC0415 - declares the events

    server = EmbeddedPostgres(layout.postgres)
    config = BusConfig(
        state.bus,
        "tongban-status",
        kafka_bootstrap=state.kafka_bootstrap,
        postgres_dsn=bus_app_dsn(layout, server.server_dsn) if server.pid else None,
    )
    try:
        bus = await open_bus(config)
    except (Fault, ValueError):
        return None
    try:
        return {
            name: sum(part.events for part in await bus.lag(name, consumed_topics(name)))
            for name in state.services
        }
    except Fault:
        return None
    finally:
        await bus.close()


def consumed_topics(service: str) -> tuple[str, ...]:
    """Return the topics whose events a service's card says it consumes."""
    found = find_spec(f"services.{service}")
    if found is None or found.origin is None:
        return ()
    card = ast.get_docstring(ast.parse(Path(found.origin).read_text())) or ""
    match = _CONSUMES.search(card)
    names = set(re.findall(r"\w+", match.group(1))) if match else set()
    return tuple(sorted({event.TOPIC for event in declared_events() if event.__name__ in names}))


async def _serves(layout: Layout, name: str, address: str) -> bool:
    identity = open_authority(layout.certificates).identity(OPERATOR)
    peer = open_channel(address, service_peer(name), identity, limit_seconds=_PROBE_SECONDS)
    try:
        stub: Any = health_pb2_grpc.HealthStub(peer.channel)
        answer = await peer.call(stub.Check, health_pb2.HealthCheckRequest())
    except (Fault, grpc.RpcError):
        return False
    finally:
        await peer.close()
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
