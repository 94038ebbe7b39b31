"""Spans and metrics: names and labels from closed lists. The trace itself travels by ``chassis.traceparent``.

No personal data: a span attribute or a metric label that is not listed here is refused where it is
written, and listed ones are redacted by shape all the same.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.trace import Link, SpanKind
from prometheus_client import Counter, Gauge, Histogram

from chassis.redaction import redact_text
from chassis.rpc.tls import TlsFiles
from chassis.traceparent import current_traceparent, span_context, traced

__all__ = [
    "counter",
    "current_trace_id",
    "current_traceparent",
    "declared_metrics",
    "describe_span",
    "gauge",
    "histogram",
    "set_up",
    "shut_down",
    "span",
    "step",
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
        "budget",
        "channel",
        "consumer",
        "county",
        "department",
        "direction",
        "event_type",
        "item_code",
        "kind",
        "licence_type",
        "level",
        "method",
        "outcome",
        "peer",
        "pool",
        "provider",
        "reason",
        "registry",
        "route",
        "service",
        "shard",
        "source",
        "state",
        "status",
        "topic",
        "witness",
    ]
)
"""What a metric may be split by: short closed lists, never an id of a person, case or licence."""
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

SHUT_DOWN_SECONDS = 3.0
"""What the last spans of a process may cost it; below the rest of the container engine's patience."""
MAX_LINKS = 128

_METRIC = re.compile(r"[a-z][a-z0-9_]*[a-z0-9]")
_tracer = trace.get_tracer("tongban")


class Metric(NamedTuple):
    """A declared metric, as Prometheus sees it."""

    name: str
    kind: str
    text: str
    labels: tuple[str, ...]


_declared: list[Metric] = []
_SAMPLED = frozenset("13579bdf")
"""Last digit of a ``traceparent`` whose lowest flag is set."""


def set_up(
    service: str, *, otlp_endpoint: str | None = None, tls: TlsFiles | None = None, ratio: float = 1.0
) -> bool:
    """Install the tracer provider of this process; return whether spans are exported.

    They go by OTLP over gRPC to ``http[s]://host:port``, over mutual TLS with ``tls`` when it is https;
    of the traces that begin here the share ``ratio`` is recorded. Without an endpoint nothing is
    recorded, and trace context still travels through calls, events and log lines.
    """
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - the SDK costs 80 ms; tests and jobs do without
    from opentelemetry.sdk.trace import TracerProvider, sampling  # noqa: PLC0415

    share = sampling.ParentBased(sampling.TraceIdRatioBased(ratio)) if otlp_endpoint else sampling.ALWAYS_OFF
    resource = Resource.create({"service.name": f"tongban-{service}"})
    provider = TracerProvider(resource=resource, sampler=share, shutdown_on_exit=False)
    if otlp_endpoint:
        from chassis.otlp import exporting  # noqa: PLC0415 - loads the exporter and its protobuf classes

        provider.add_span_processor(exporting(otlp_endpoint, tls))
    trace.set_tracer_provider(provider)
    return bool(otlp_endpoint)


def shut_down(within_seconds: float = SHUT_DOWN_SECONDS) -> None:
    """Send the spans that wait; give them up when the collector does not take them in time. Blocks."""
    end: Any = getattr(trace.get_tracer_provider(), "shutdown", None)
    if end is None:
        return
    ending = threading.Thread(target=end, name="spans-end", daemon=True)
    ending.start()
    ending.join(within_seconds)


def current_trace_id() -> str | None:
    """Return the current trace id, 32 hex digits, None outside any span."""
    found = trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else None


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    behind: Iterable[str | None] = (),
    **ids: object,
) -> Iterator[None]:
    """Record the block as a span; an error marks it without its text.

    ``behind`` are the ``traceparent`` of other traces that led to it, of which 128 are kept as links.
    Raises ValueError for an attribute outside ATTRIBUTES.
    """
    sampled = [each for each in dict.fromkeys(behind) if each and each[-1] in _SAMPLED][:MAX_LINKS]
    links = [Link(context) for context in map(span_context, sampled) if context]
    current = _tracer.start_span(name, kind=kind, attributes=_attributes(ids), links=links)
    with trace.use_span(current, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as problem:
            current.set_status(trace.Status(trace.StatusCode.ERROR, type(problem).__name__))
            raise


@contextmanager
def step(name: str, **ids: object) -> Iterator[None]:
    """Record the block as a span where a recorded trace is under way; begin none of its own.

    Raises ValueError for an attribute outside ATTRIBUTES.
    """
    if not trace.get_current_span().is_recording():
        yield
        return
    with span(name, kind=SpanKind.INTERNAL, behind=(), **ids):
        yield


def describe_span(name: str | None = None, **ids: object) -> None:
    """Give the current span a better name and more attributes. Raises ValueError for an unlisted one."""
    current = trace.get_current_span()
    if not current.is_recording():
        return
    if name:
        current.update_name(name)
    current.set_attributes(_attributes(ids))


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """Declare ``tongban_<name>_total`` at module level."""
    return Counter(_metric("counter", name, text, labels), text, labels)


def gauge(name: str, text: str, labels: Sequence[str] = (), *, known: bool = True) -> Gauge:
    """Declare ``tongban_<name>`` at module level; not a number until it is set unless 0 is ``known``."""
    made = Gauge(_metric("gauge", name, text, labels), text, labels)
    if not known:
        made.set(math.nan)
    return made


def histogram(
    name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float] = SECONDS
) -> Histogram:
    """Declare ``tongban_<name>`` at module level; the default buckets are seconds from 2 ms to 30 s."""
    return Histogram(_metric("histogram", name, text, labels), text, labels, buckets=buckets)


def declared_metrics() -> tuple[Metric, ...]:
    """Return every metric declared by the modules imported so far, by name as it is exported."""
    return tuple(sorted(_declared))


def _attributes(ids: dict[str, object]) -> dict[str, str]:
    _refuse_unlisted("span attribute", ids, ATTRIBUTES)
    return {key: redact_text(str(value)) for key, value in ids.items() if value is not None}


def _metric(kind: str, name: str, text: str, labels: Sequence[str]) -> str:
    _refuse_unlisted("metric label", labels, LABELS)
    if not _METRIC.fullmatch(name) or name.startswith("tongban"):
        message = f"metric {name!r} is not snake case without the prefix"
        raise ValueError(message)
    exported = f"tongban_{name}_total" if kind == "counter" else f"tongban_{name}"
    _declared.append(Metric(exported, kind, text, tuple(labels)))
    return f"tongban_{name}"


def _refuse_unlisted(what: str, given: Iterable[str], allowed: frozenset[str]) -> None:
    unlisted = sorted(set(given) - allowed)
    if unlisted:
        message = f"{what} {', '.join(unlisted)} is not in the closed list of chassis.telemetry"
        raise ValueError(message)
