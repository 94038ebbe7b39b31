"""Spans and metrics: names and labels from closed lists. The trace itself travels by ``chassis.traceparent``.

No personal data: a span attribute or a metric label that is not listed here is refused where it is
written, and listed ones are redacted by shape all the same.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

from chassis.redaction import redact_text
from chassis.traceparent import current_traceparent, traced

__all__ = [
    "counter",
    "current_trace_id",
    "current_traceparent",
    "gauge",
    "histogram",
    "set_up",
    "span",
    "traced",
]

ATTRIBUTES = frozenset(
    [
        "application_id",
        "attempt",
        "batch_size",
        "bundle_id",
        "case_id",
        "consumer",
        "delivery_id",
        "event_id",
        "event_type",
        "item_code",
        "licence_id",
        "message_id",
        "method",
        "order_id",
        "part",
        "peer",
        "reason",
        "request_id",
        "route",
        "seal_id",
        "shard",
        "signature_id",
        "status",
        "terminal_id",
        "topic",
        "version",
    ]
)
"""What a span may carry: our own ids and technical facts."""
LABELS = frozenset(
    [
        "channel",
        "consumer",
        "county",
        "department",
        "direction",
        "event_type",
        "item_code",
        "kind",
        "level",
        "method",
        "outcome",
        "peer",
        "pool",
        "provider",
        "reason",
        "route",
        "service",
        "shard",
        "state",
        "status",
        "topic",
    ]
)
"""What a metric may be split by: short closed lists, never an id of a person, case or licence."""
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_METRIC = re.compile(r"[a-z][a-z0-9_]*[a-z0-9]")
_tracer = trace.get_tracer("tongban")


def set_up(service: str, *, otlp_endpoint: str | None = None) -> bool:
    """Install the tracer provider of this process; return whether spans are exported.

    They are when an endpoint is given and the OTLP exporter package is installed; otherwise trace
    context still travels through calls, events and log lines.
    """
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the SDK costs 80 ms; tests and jobs do without
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": f"tongban-{service}"}))
    exporter = otlp_endpoint and _has("opentelemetry.exporter.otlp.proto.grpc")
    if exporter:
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        module = importlib.import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        provider.add_span_processor(BatchSpanProcessor(module.OTLPSpanExporter(endpoint=otlp_endpoint)))
    trace.set_tracer_provider(provider)
    return bool(exporter)


def _has(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def current_trace_id() -> str | None:
    """Return the current trace id, 32 hex digits, None outside any span."""
    found = trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else None


@contextmanager
def span(name: str, **ids: object) -> Iterator[None]:
    """Record the block as a span; an error marks it without its text.

    Raises ValueError for an attribute outside ATTRIBUTES.
    """
    _refuse_unlisted("span attribute", ids, ATTRIBUTES)
    attributes = {key: redact_text(str(value)) for key, value in ids.items() if value is not None}
    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except BaseException as problem:
            current.set_status(trace.Status(trace.StatusCode.ERROR, type(problem).__name__))
            raise


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """Declare ``tongban_<name>_total`` at module level."""
    return Counter(_metric(name, labels), text, labels)


def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare ``tongban_<name>`` at module level."""
    return Gauge(_metric(name, labels), text, labels)


def histogram(
    name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS
) -> Histogram:
    """Declare ``tongban_<name>`` at module level; the default buckets are seconds from 2 ms to 30 s."""
    return Histogram(_metric(name, labels), text, labels, buckets=buckets)


def _metric(name: str, labels: Sequence[str]) -> str:
    _refuse_unlisted("metric label", labels, LABELS)
    if not _METRIC.fullmatch(name) or name.startswith("tongban"):
        message = f"metric {name!r} is not snake case without the prefix"
        raise ValueError(message)
    return f"tongban_{name}"


def _refuse_unlisted(what: str, given: Iterable[str], allowed: frozenset[str]) -> None:
    unlisted = sorted(set(given) - allowed)
    if unlisted:
        message = f"{what} {', '.join(unlisted)} is not in the closed list of chassis.telemetry"
        raise ValueError(message)
