"""Spans on their way to an OpenTelemetry collector: OTLP over gRPC, in batches, from a thread of its own."""

from __future__ import annotations

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from chassis.rpc.tls import TlsFiles, channel_credentials

ANSWER_SECONDS = 2.0
"""For one batch with its retries; spans of a collector that is away are dropped, the service goes on."""


def exporting(endpoint: str, tls: TlsFiles | None) -> BatchSpanProcessor:
    """Return the processor that sends spans to ``http[s]://host:port``.

    Over https it shows and trusts what ``tls`` holds, or trusts the machine's authorities without it.
    """
    secure = endpoint.startswith("https://")
    exporter = OTLPSpanExporter(
        endpoint=endpoint,
        insecure=not secure,
        credentials=channel_credentials(tls) if secure and tls else None,
        timeout=ANSWER_SECONDS,
    )
    return BatchSpanProcessor(exporter)
