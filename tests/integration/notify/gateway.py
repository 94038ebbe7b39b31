"""A short-message gateway for tests: HTTPS on this machine, with the faults a test chooses."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from pydantic import SecretStr

from chassis.egress import Egress, EgressPolicy, Inside
from cli.local.authority import Authority
from services.notify.clients.sms import SEND_SECONDS, Gateway, SmsProvider

TOKEN = "a-token-of-this-test"
SILENCE_SECONDS = SEND_SECONDS + 2


@dataclass
class FakeGateway:
    """Takes a message once per key, and remembers every acceptance with its moment."""

    fails: float = 0.0
    """Share of the calls that are answered 503."""
    breaks: float = 0.0
    """Share of the calls that are answered 500, half of them after the message was taken."""
    silent: float = 0.0
    """Share of the calls whose message is taken and whose answer never comes in time."""
    slow_seconds: float = 0.0
    asked_nothing: bool = False
    """Questions are not answered either."""
    chance: random.Random = field(default_factory=lambda: random.Random(11))
    accepted: dict[str, list[float]] = field(default_factory=dict)
    calls: int = 0
    questions: int = 0

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer one request (ASGI)."""
        headers = dict(scope["headers"])
        if headers.get(b"authorization") != f"Bearer {TOKEN}".encode():
            status, body = 401, {}
        elif scope["method"] == "GET":
            status, body = await self._question(scope["path"].rpartition("/")[2])
        else:
            content = b""
            while (part := await receive())["type"] == "http.request":
                content += part["body"]
                if not part.get("more_body"):
                    break
            status, body = await self._take(json.loads(content), headers[b"idempotency-key"].decode())
        await send({"type": "http.response.start", "status": status, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    async def _question(self, message_id: str) -> tuple[int, dict[str, str]]:
        self.questions += 1
        if self.asked_nothing:
            await asyncio.sleep(SILENCE_SECONDS)
        return (200, {"state": "taken"}) if message_id in self.accepted else (404, {})

    async def _take(self, content: dict[str, str], key: str) -> tuple[int, dict[str, str]]:
        assert content["message_id"] == key
        self.calls += 1
        if self.chance.random() < self.fails:
            return 503, {}
        if self.chance.random() < self.breaks:
            if self.chance.random() < 1 / 2:
                self._accept(key)
            return 500, {}
        if self.slow_seconds:
            await asyncio.sleep(self.slow_seconds)
        self._accept(key)
        if self.chance.random() < self.silent:
            await asyncio.sleep(SILENCE_SECONDS)
        return 202, {}

    def _accept(self, key: str) -> None:
        if key not in self.accepted:  # the key makes a repeat harmless within one gateway
            self.accepted[key] = [time.time()]


@asynccontextmanager
async def serving(gateway: FakeGateway, authority: Authority) -> AsyncIterator[int]:
    """Yield the port of a gateway on this machine."""
    files = authority.leaf("gateway", "gateway", authority.local_names)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        gateway,  # type: ignore[arg-type]
        ssl_certfile=str(files.certificate),
        ssl_keyfile=str(files.key),
        lifespan="off",
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


def provider(name: str, port: int, authority_file: str) -> SmsProvider:
    """Return the product's own provider before a gateway on this machine."""
    loopback = (ipaddress.ip_network("127.0.0.0/8"),)
    policy = EgressPolicy(
        inside=(Inside("127.0.0.1", port, loopback),),
        timeout_seconds=SEND_SECONDS,
        connect_seconds=SEND_SECONDS / 2,
    )
    egress = Egress(policy, trust=ssl.create_default_context(cafile=authority_file))
    return SmsProvider(Gateway(name, f"https://127.0.0.1:{port}/sms", SecretStr(TOKEN)), egress)
