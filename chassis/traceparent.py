"""One trace through every door: continue the caller's W3C trace context, or begin one.

Works with and without a configured telemetry SDK: without one the trace id still exists, is logged,
and is passed on.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("tongban")


@contextmanager
def traced(name: str, traceparent: str | None, kind: SpanKind = SpanKind.SERVER) -> Iterator[str]:
    """Run the block in a span below ``traceparent``; yield the trace id, 32 hexadecimal digits.

    An error marks the span by its type only: texts of errors may quote what was in hand.
    """
    above = _W3C.extract({"traceparent": traceparent} if traceparent else {})
    span = _tracer.start_span(name, context=above, kind=kind)
    if not span.get_span_context().is_valid:
        span = _unrecorded()
    trace_id = trace.format_trace_id(span.get_span_context().trace_id)
    with (
        trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False),
        structlog.contextvars.bound_contextvars(trace_id=trace_id),
    ):
        try:
            yield trace_id
        except BaseException as problem:
            mark_failed(type(problem).__name__)
            raise


def mark_failed(reason: str) -> None:
    """Mark the current span as failed, for a reason code or the name of an error's type."""
    trace.get_current_span().set_status(Status(StatusCode.ERROR, reason))


def span_context(traceparent: str | None) -> SpanContext | None:
    """Return the span that a ``traceparent`` names, None without one."""
    if not traceparent:
        return None
    found = trace.get_current_span(_W3C.extract({"traceparent": traceparent})).get_span_context()
    return found if found.is_valid else None


def current_traceparent() -> str | None:
    """Return the ``traceparent`` to send with a call or event made now, or None outside a trace."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


def _unrecorded() -> Span:
    context = SpanContext(secrets.randbits(128), secrets.randbits(64), False, TraceFlags(0))
    return NonRecordingSpan(context)
