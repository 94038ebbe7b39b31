"""The door of Prometheus: ``/metrics`` on a port of its own, over mutual TLS, never on the public door."""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chassis.rpc.tls import TlsFiles
from chassis.run import Part
from chassis.settings import ServiceSettings
from chassis.web.serve import bind, serve_web

MAX_CONNECTIONS = 20


def metrics_door(settings: ServiceSettings, tls: TlsFiles) -> Part | None:
    """Return the part that serves the metrics, None where the settings name no port.

    Whoever asks shows a certificate of our authority; a deployment publishes the port to nobody outside.
    """
    if settings.metrics_port is None:
        return None
    host, port = settings.metrics_host, settings.metrics_port
    app = Starlette(routes=[Route("/metrics", _metrics)])

    async def serve(stop: asyncio.Event) -> None:
        listener = bind(host, port, reuse_port=settings.share_ports)
        await serve_web(
            app,
            host,
            port,
            stop,
            tls=tls,
            client_certificates=True,
            max_connections=MAX_CONNECTIONS,
            grace_seconds=1,
            listener=listener,
        )

    return Part("metrics", serve)


async def _metrics(_: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
