"""The ways to a time-stamping authority: ours by mutual TLS inside, others' over the one way out."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from chassis.egress import Egress, EgressPolicy, Inside
from chassis.errors import PEER_UNAVAILABLE
from chassis.renewing_tls import RenewingContext
from chassis.rpc.channel import service
from chassis.rpc.tls import TlsFiles
from services.seal.clients.timestamps import TIMESTAMP_WRONG, StampingPlace

CONNECT_SECONDS, ANSWER_SECONDS = 2.0, 4.0
MAX_ANSWER_BYTES = 64 * 1024
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"
_HEADERS = {"content-type": _QUERY, "accept": _REPLY}


def stamping_places(
    listed: Sequence[str],
    tls: TlsFiles,
    loop: asyncio.AbstractEventLoop,
    *,
    networks: Sequence[str] = (),
    authority: Path | None = None,
) -> tuple[list[StampingPlace], Callable[[], None]]:
    """Return the authorities as a setting lists them, and what closes the connections.

    ``host:port`` is our own component; a URL is another's, which lies outside or in one of the `networks`, and
    whose TLS certificate may be of a further `authority` (PEM) besides those that the system knows.
    """
    own = [each for each in listed if "://" not in each]
    others = [each for each in listed if "://" in each]
    client = httpx.Client(
        verify=_mutual_tls(tls),
        trust_env=False,
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
    )
    known = ssl.create_default_context()
    if authority is not None:
        known.load_verify_locations(authority)
    egress = Egress(_policy(others, networks), trust=known)
    places = [
        StampingPlace(each, _inside(client, each) if each in own else _outside(egress, each, loop))
        for each in listed
    ]
    return places, client.close


def _inside(client: httpx.Client, address: str) -> Callable[[bytes], bytes]:
    """Return the way to our own component, whose certificate must name the service ``tsa``."""
    extensions = {"sni_hostname": service("tsa").host_name}

    def ask(query: bytes) -> bytes:
        try:
            answer = client.post(
                f"https://{address}/tsa", content=query, headers=_HEADERS, extensions=extensions
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
            raise PEER_UNAVAILABLE(peer="tsa") from problem
        return _body(answer)

    return ask


def _outside(egress: Egress, url: str, loop: asyncio.AbstractEventLoop) -> Callable[[bytes], bytes]:
    """Return the way to another's authority; asked in a thread, it goes through the process's event loop."""

    def ask(query: bytes) -> bytes:
        asked = asyncio.run_coroutine_threadsafe(
            egress.request("POST", url, content=query, headers=_HEADERS), loop
        )
        try:
            return _body(asked.result(ANSWER_SECONDS + CONNECT_SECONDS))
        except (TimeoutError, CancelledError) as problem:
            asked.cancel()
            raise PEER_UNAVAILABLE(peer="tsa") from problem

    return ask


def _body(answer: httpx.Response) -> bytes:
    if answer.status_code != httpx.codes.OK:
        raise PEER_UNAVAILABLE(peer="tsa")
    media_type = answer.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != _REPLY or len(answer.content) > MAX_ANSWER_BYTES:
        raise TIMESTAMP_WRONG(why="not a timestamp-reply")
    return answer.content


def _policy(urls: Sequence[str], networks: Sequence[str]) -> EgressPolicy:
    parts = [urlsplit(url) for url in urls]
    inside = tuple(ipaddress.ip_network(each) for each in networks)
    found = [(each.hostname or "", each.port or 443) for each in parts]
    return EgressPolicy(
        ports=frozenset(port for _, port in found),
        inside=tuple(Inside(host, port, inside) for host, port in found if inside),
        hosts=frozenset(host for host, _ in found),
        timeout_seconds=ANSWER_SECONDS,
        connect_seconds=CONNECT_SECONDS,
        max_answer_bytes=MAX_ANSWER_BYTES,
    )


def _mutual_tls(tls: TlsFiles) -> ssl.SSLContext:
    def make() -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(tls.authority))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(tls.certificate, tls.key)
        return context

    return RenewingContext.watching(tls.paths, make, server_side=False)
