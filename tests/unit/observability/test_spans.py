"""Spans carry our own ids and technical facts: no text of an error, no path, and the trace that events began in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry, traceparent
from chassis.db import Transaction
from chassis.web import WebOptions, web_app
from events.notify import MessageSent

NUMBER = "11010519491231002X"
BEGAN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(traceparent, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


def test_an_error_marks_the_entering_span_by_its_type_only(spans: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError), traceparent.traced("consume", BEGAN):
        raise RuntimeError(NUMBER)
    (span,) = spans.get_finished_spans()
    assert span.status.description == "RuntimeError"
    assert NUMBER not in span.to_json()


def test_an_event_keeps_the_trace_in_which_it_was_published_until_it_is_written() -> None:
    event = MessageSent(
        message_id="m", template_code="t", channel="sms", person_id=None, case_id=None, attempts=1,
        sent_at=datetime(2026, 11, 23, tzinfo=UTC),
    )  # fmt: skip
    connection: Any = None
    tx = Transaction(connection, lambda: datetime(2026, 11, 23, tzinfo=UTC))
    with traceparent.traced("consume", BEGAN):
        tx.publish(event, 1)
    assert (tx.pending[0].traceparent or "").startswith(BEGAN[:35])


async def test_a_request_leaves_one_span_with_its_route_and_without_path_or_query(
    spans: InMemorySpanExporter,
) -> None:
    app = web_app("test")

    @app.get("/cases/{case_id}")
    async def read(case_id: str) -> str:
        return case_id

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.get(f"/cases/{NUMBER}", params={"of": NUMBER})).status_code == 200
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /cases/{case_id}"
    assert span.attributes == {"route": "/cases/{case_id}", "status": "200"}
    assert NUMBER not in span.to_json()


def test_a_batch_is_linked_to_the_traces_that_it_carries(spans: InMemorySpanExporter) -> None:
    with telemetry.span("relay publish", behind=[BEGAN, BEGAN, None, BEGAN[:-1] + "0"], batch_size=4):
        pass
    (span,) = spans.get_finished_spans()
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [BEGAN[3:35]]


def test_a_step_begins_no_trace_of_its_own(spans: InMemorySpanExporter) -> None:
    with telemetry.step("transaction"):
        pass
    with traceparent.traced("consume", BEGAN), telemetry.step("transaction"):
        pass
    assert [span.name for span in spans.get_finished_spans()] == ["transaction", "consume"]


async def test_a_public_door_shows_no_metrics() -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(web_app("test")), base_url="http://test"
    ) as client:
        assert (await client.get("/metrics")).status_code == 404
    assert WebOptions().show_metrics is False
