"""The client for hosts outside, over a transport that connects only to the address that was checked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping

import httpx

from chassis.egress.checking import (
    EGRESS_FAILED,
    EgressPolicy,
    Resolve,
    Target,
    check_url,
    parts_of,
    resolve_host,
)
from chassis.errors import Fault, Kind, declare

EGRESS_ANSWER_TOO_LARGE = declare(
    "EGRESS_ANSWER_TOO_LARGE",
    Kind.UNAVAILABLE,
    "外部系统的应答超过 {limit_bytes} 字节",
    "The outside system answered with more than {limit_bytes} bytes",
)

_NO_REUSE = httpx.Limits(max_connections=50, max_keepalive_connections=0)
"""A kept connection was proved for one name; another host at the same address must prove its own."""


class EgressTransport(httpx.AsyncBaseTransport):
    """Connects only where `check_url` says; for `egress_client` and libraries that take a transport."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolve: Resolve = resolve_host,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._policy, self._resolve = policy, resolve
        context = trust or ssl.create_default_context()
        self._inner = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=_NO_REUSE)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request to the pinned address. Raises EGRESS_REFUSED, EGRESS_FAILED."""
        target = await check_url(str(request.url), self._policy, self._resolve)
        pinned = httpx.Request(
            request.method,
            request.url.copy_with(host=target.address),
            headers=_headers(request, target),
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": target.host},
        )
        try:
            response = await self._inner.handle_async_request(pinned)
        except (httpx.TransportError, OSError) as problem:
            raise EGRESS_FAILED() from problem
        response.request = request
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Bounded(response.stream, self._policy.max_answer_bytes)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Bounded(httpx.AsyncByteStream):
    """A body that ends in a fault where it grows too long; counted as it comes over the wire."""

    def __init__(self, inner: httpx.AsyncByteStream, limit_bytes: int) -> None:
        self._inner, self._limit_bytes = inner, limit_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for part in self._inner:
            taken += len(part)
            if taken > self._limit_bytes:
                raise EGRESS_ANSWER_TOO_LARGE(limit_bytes=self._limit_bytes)
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()


class Egress:
    """The one client for hosts outside; redirects are answers, never followed, and no proxy is read."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolve: Resolve = resolve_host,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._policy = policy
        self._client = httpx.AsyncClient(
            transport=EgressTransport(policy, resolve=resolve, trust=trust),
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(policy.timeout_seconds, connect=policy.connect_seconds),
            headers={"accept-encoding": "identity"},  # so that the size limit is the size
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the whole answer, read within the limits; any status, also a redirect.

        Raises EGRESS_REFUSED, EGRESS_FAILED, EGRESS_ANSWER_TOO_LARGE.
        """
        parts_of(url)  # as it is written, before a second parser reads it
        try:
            async with asyncio.timeout(self._policy.timeout_seconds):
                return await self._client.request(method, url, content=content, headers=headers)
        except Fault:
            raise
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ValueError) as problem:
            raise EGRESS_FAILED() from problem

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _headers(request: httpx.Request, target: Target) -> list[tuple[bytes, bytes]]:
    usual = 443 if target.tls else 80
    name = f"[{target.host}]" if ":" in target.host else target.host
    host = name if target.port == usual else f"{name}:{target.port}"
    kept = [(key, value) for key, value in request.headers.raw if key.lower() != b"host"]
    return [(b"Host", host.encode()), *kept]
