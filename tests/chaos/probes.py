"""One call per service that needs no other part than the database: what must answer while another is stopped."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Self

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chassis.errors import Fault, Kind
from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.channel import service as service_peer
from cli.local.authority import open_authority
from cli.local.health import OPERATOR
from tests.stacks.local import SERVICES, LocalStack

BACK_SECONDS = 15.0
_PAUSE_SECONDS = 0.1


class Probes:
    """Open connections to every service's gRPC door; use it as an async context manager."""

    def __init__(self, stack: LocalStack, limit_seconds: float) -> None:
        self._limit = limit_seconds
        identity = open_authority(stack.layout.certificates).identity(OPERATOR)
        self._peers: dict[str, PeerChannel] = {
            name: open_channel(at.grpc, service_peer(name), identity, limit_seconds=limit_seconds)
            for name, at in stack.state.services.items()
        }

    async def __aenter__(self) -> Self:
        for name in self._peers:
            await self.ask(name)
        return self

    async def __aexit__(self, *_: object) -> None:
        for peer in self._peers.values():
            await peer.close()

    async def ask(self, service: str) -> float:
        """Return the seconds until the service said SERVING. Raises what the call met."""
        began = time.monotonic()
        peer = self._peers[service]
        stub: Any = health_pb2_grpc.HealthStub(peer.channel)
        answer = await peer.call(stub.Check, health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, service
        return time.monotonic() - began

    async def others_answer(self, stopped: str, seconds: float) -> float:
        """Ask all others for so long, and the stopped one once; return the slowest answer in seconds.

        The call to the stopped one must end at its deadline, by that name or as unavailable.
        """
        ends, slowest = time.monotonic() + seconds, 0.0
        hanging = asyncio.create_task(self._ends_in_time(stopped))
        while time.monotonic() < ends or not hanging.done():
            for name in SERVICES:
                if name != stopped:
                    slowest = max(slowest, await self.ask(name))
            await asyncio.sleep(_PAUSE_SECONDS)
        await hanging
        return slowest

    async def answers(self, service: str) -> None:
        """Wait until a service answers again. Raises TimeoutError."""
        async with asyncio.timeout(BACK_SECONDS):
            while True:
                try:
                    await self.ask(service)
                except (Fault, AssertionError):
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    return

    async def _ends_in_time(self, stopped: str) -> None:
        began = time.monotonic()
        with pytest.raises(Fault) as met:
            await self.ask(stopped)
        assert met.value.kind in {Kind.DEADLINE_EXCEEDED, Kind.UNAVAILABLE}, f"{stopped}: {met.value.code}"
        assert time.monotonic() - began < self._limit + 1.0
