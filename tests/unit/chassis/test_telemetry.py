from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry, "_tracer", provider.get_tracer("test"))
    return exporter


def test_a_span_continues_the_received_trace_and_masks_what_it_carries(spans: InMemorySpanExporter) -> None:
    received = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with telemetry.traced("consume", received), telemetry.span("issue", case_id="c-19900000001"):
        assert telemetry.current_trace_id() == "0af7651916cd43dd8448eb211c80319c"
        assert (telemetry.current_traceparent() or "").startswith("00-0af7651916cd43dd8448eb211c80319c-")
    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert "19900000001" not in str(span.attributes["case_id"])


def test_an_error_marks_the_span_without_its_text(spans: InMemorySpanExporter) -> None:
    with pytest.raises(RuntimeError), telemetry.span("issue"):
        raise RuntimeError("11010519491231002X")
    assert "11010519491231002X" not in spans.get_finished_spans()[0].to_json()


def test_an_attribute_or_label_outside_the_closed_list_is_refused() -> None:
    with pytest.raises(ValueError, match="holder_name"), telemetry.span("issue", holder_name="王"):
        pass
    with pytest.raises(ValueError, match="case_id"):
        telemetry.counter("cases", "Cases", ["case_id"])
    with pytest.raises(ValueError, match="prefix"):
        telemetry.counter("tongban_cases", "Cases")


def test_metrics_carry_the_prefix() -> None:
    telemetry.counter("probe_calls", "Calls", ["outcome"]).labels("ok").inc()
    telemetry.histogram("probe_seconds", "Seconds").observe(0.1)
    from prometheus_client import generate_latest

    shown = generate_latest().decode()
    assert 'tongban_probe_calls_total{outcome="ok"} 1.0' in shown
    assert "tongban_probe_seconds_bucket" in shown


def test_a_process_without_exporter_still_has_trace_context() -> None:
    program = (
        "from chassis import telemetry as t\n"
        "assert t.set_up('intake', otlp_endpoint='http://127.0.0.1:1') in (True, False)\n"
        "with t.span('x'): assert t.current_traceparent()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_serving_code_never_loads_alembic_or_sqlalchemy() -> None:
    program = (
        "import sys, chassis.settings, chassis.schema, chassis.migrate, chassis.roles, chassis.run, chassis.fields\n"
        "assert not {'alembic', 'sqlalchemy'} & set(sys.modules), 'loaded'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
