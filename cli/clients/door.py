"""One HTTP door: requests out, answers or faults back."""

from __future__ import annotations

import ssl
from typing import Any, Self

import httpx

from cli.clients.problems import answer_of, content_of, unreachable

TIMEOUT_SECONDS = 20.0


class Door:
    """An HTTP service at ``http(s)://host:port``; use it as an async context manager."""

    def __init__(self, name: str, address: str, tls: ssl.SSLContext | None = None) -> None:
        self._name = name
        self._client = httpx.AsyncClient(
            base_url=address, timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls or True
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def ask(self, method: str, path: str, **given: Any) -> Any:
        """Return the JSON of an answer. Raises its fault, PEER_UNAVAILABLE when there is none."""
        return answer_of(await self._send(method, path, given))

    async def fetch(self, method: str, path: str, **given: Any) -> bytes:
        """Return the bytes of an answer. Raises its fault, PEER_UNAVAILABLE when there is none."""
        return content_of(await self._send(method, path, given))

    async def _send(self, method: str, path: str, given: dict[str, Any]) -> httpx.Response:
        try:
            return await self._client.request(method, path, **given)
        except httpx.HTTPError as problem:
            raise unreachable(self._name, problem) from problem
