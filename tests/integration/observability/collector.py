"""The other end of OTLP: a gRPC server with mutual TLS that keeps the spans it is sent."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as wire
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

from chassis.rpc.tls import TlsFiles


@dataclass(frozen=True)
class Received:
    """One span as it came: ids in hex, attributes as text."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    attributes: dict[str, str]
    linked: tuple[str, ...]
    failed: str


@dataclass
class Collector(service.TraceServiceServicer):
    """Keeps spans, and every request as the bytes that came."""

    spans: list[Received] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    port: int = 0

    def Export(
        self, request: wire.ExportTraceServiceRequest, context: Any
    ) -> wire.ExportTraceServiceResponse:
        self.raw.append(request.SerializeToString())
        for resource in request.resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_received(named["service.name"], span) for span in scope.spans]
        return wire.ExportTraceServiceResponse()


def _received(name: str, span: Any) -> Received:
    return Received(
        name.removeprefix("tongban-"),
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        {each.key: each.value.string_value for each in span.attributes},
        tuple(link.trace_id.hex() for link in span.links),
        span.status.message if span.status.code == 2 else "",
    )


@contextmanager
def collecting(tls: TlsFiles) -> Iterator[Collector]:
    """Run a collector on a loopback port; only clients of the same authority are let in."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(4))
    service.add_TraceServiceServicer_to_server(collector, server)
    credentials = grpc.ssl_server_credentials(
        [(tls.key.read_bytes(), tls.certificate.read_bytes())], tls.authority.read_bytes(), True
    )
    collector.port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        yield collector
    finally:
        server.stop(1).wait()
