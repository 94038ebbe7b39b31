"""Spans reach a collector over OTLP; one trace follows a case through all four services."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

import pytest

from chassis.telemetry import ATTRIBUTES
from tests.integration.observability.collector import Received
from tests.integration.observability.conftest import Watched

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
FLUSH_SECONDS = 15.0


async def by_trace(watched: Watched) -> dict[str, list[Received]]:
    """Return the spans by trace once the exporters have sent what the demo left."""
    deadline, before = time.monotonic() + FLUSH_SECONDS, -1
    while time.monotonic() < deadline and not _complete(watched):
        await asyncio.sleep(0.5)
    while before != len(watched.collector.spans) and time.monotonic() < deadline + FLUSH_SECONDS:
        before = len(watched.collector.spans)
        await asyncio.sleep(2)
    traces: dict[str, list[Received]] = defaultdict(list)
    for span in watched.collector.spans:
        traces[span.trace_id].append(span)
    return traces


def _complete(watched: Watched) -> bool:
    return any(span.name == "consume certs.LicenceIssued.v1" for span in watched.collector.spans)


async def test_one_trace_goes_from_the_decision_over_licence_and_seal_to_the_message(
    watched: Watched,
) -> None:
    traces = await by_trace(watched)
    whole = [
        spans
        for spans in traces.values()
        if {s.service for s in spans} >= {"intake", "certs", "seal", "notify"}
    ]
    assert whole, {len({s.service for s in spans}) for spans in traces.values()}
    names = {span.name for spans in whole for span in spans}
    assert {
        "consume intake.PartDecided.v1",
        "consume certs.LicenceMade.v1",
        "consume seal.DocumentSealed.v1",
    } <= names
    for spans in whole:  # connected: every parent is in the trace, but for the one it began under
        known = {span.span_id for span in spans}
        roots = [span for span in spans if span.parent_id not in known]
        assert len({root.parent_id for root in roots}) == 1, [root.name for root in roots]


async def test_every_kind_of_work_is_a_span(watched: Watched) -> None:
    spans = [span for each in (await by_trace(watched)).values() for span in each]
    kinds = {(span.name.split()[0].split("/")[0], span.kind) for span in spans}
    assert {("call", CLIENT), ("consume", CONSUMER), ("relay", PRODUCER), ("transaction", 1)} <= kinds
    assert any(span.kind == SERVER and span.name.startswith("POST /") for span in spans)
    assert any(span.kind == SERVER and span.name.startswith("/tongban.certs.v1.") for span in spans)
    published = [span for span in spans if span.name == "relay publish"]
    assert any(span.linked for span in published)


async def test_no_span_holds_a_personal_value_or_an_attribute_that_is_not_listed(watched: Watched) -> None:
    traces = await by_trace(watched)
    assert sum(map(len, traces.values())) > 100
    citizen = watched.citizen
    sent = b"".join(watched.collector.raw)
    for value in (citizen.name, citizen.id_number, citizen.phone, citizen.address):
        assert value.encode() not in sent
    named = {name for spans in traces.values() for span in spans for name in span.attributes}
    assert named <= ATTRIBUTES


async def test_a_failed_call_is_marked_by_its_reason_code_only(watched: Watched) -> None:
    failed = {span.failed for spans in (await by_trace(watched)).values() for span in spans if span.failed}
    assert all(reason.replace("_", "").isalnum() for reason in failed), failed
