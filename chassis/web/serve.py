"""Serving an application: uvicorn inside our process, under our signals, on a port others may share."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.logs import get_logger
from chassis.process_metrics import QUEUE_LIMIT
from chassis.renewing_tls import RenewingContext
from chassis.rpc.tls import TlsFiles
from chassis.web.patience import MAX_HEADER_BYTES, PatientProtocol

log = get_logger(__name__)

BACKLOG = 2048
KEEP_SECONDS = 30
"""How long an idle connection is kept: longer than our own clients keep theirs (httpx: 5 s), so that a request and
our close do not cross on the way."""
GOODBYE_SECONDS = 1.0
"""How long kept connections are still answered, and told that this was the last answer, before they are closed."""


class _Server(uvicorn.Server):
    """uvicorn without signal handlers: the process has one place for signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Return a listening socket (port 0: any free one); with ``reuse_port`` several processes may share it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


async def serve_web(
    app: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    *,
    tls: TlsFiles | None = None,
    client_certificates: bool = False,
    reuse_port: bool = False,
    trusted_proxies: str | None = None,
    max_connections: int = 1000,
    grace_seconds: int = 10,
    listener: socket.socket | None = None,
) -> None:
    """Serve until ``stop`` is set, then finish running requests within the grace.

    ``trusted_proxies`` (addresses, comma separated) are the only ones whose ``X-Forwarded-*`` count.
    ``listener`` takes the place of host and port.
    """
    if not client_certificates:
        QUEUE_LIMIT.labels("http").set(max_connections)
    config = uvicorn.Config(
        _saying_goodbye(app, stop),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=trusted_proxies is not None,
        forwarded_allow_ips=trusted_proxies or "",
        limit_concurrency=max_connections,
        timeout_keep_alive=KEEP_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
        ws="none",
        http=PatientProtocol,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
    )
    config.load()
    if tls is not None:
        config.ssl = _renewing(tls, client_certificates=client_certificates)
    server = _Server(config)
    waiting = asyncio.create_task(_end(server, stop), name="web-stop")
    with listener or bind(host, port, reuse_port=reuse_port) as bound:
        log.info("web_listening", port=bound.getsockname()[1], tls=tls is not None)
        try:
            await server.serve([bound])
        finally:
            waiting.cancel()


async def _end(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    await asyncio.sleep(0)  # what came in before the stop is taken up first
    for listening in getattr(server, "servers", ()):
        listening.close()
    if server.server_state.connections:
        await asyncio.sleep(GOODBYE_SECONDS)
    server.should_exit = True


def _saying_goodbye(app: ASGIApp, stop: asyncio.Event) -> ASGIApp:
    """Return the application whose answers end their connections once the stop is set."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and stop.is_set():
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, sending)

    return answering


def _renewing(tls: TlsFiles, *, client_certificates: bool) -> ssl.SSLContext:
    """Return a context by which new connections see renewed files."""
    paths = tls.paths if client_certificates else tls.paths[:2]
    return RenewingContext.watching(
        paths, lambda: _tls_context(tls, client_certificates=client_certificates), server_side=True
    )


def _tls_context(tls: TlsFiles, *, client_certificates: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    if client_certificates:
        context.load_verify_locations(tls.authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
