"""Events and their envelope, alone and against the CloudEvents SDK."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.event import (
    EVENT_MALFORMED,
    Envelope,
    Event,
    declared_event,
    new_event_id,
    read_envelope,
)

UTF8 = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ENVELOPES = st.builds(
    Envelope,
    event_id=st.uuids(),
    type=UTF8,
    source=UTF8,
    subject=UTF8,
    version=st.integers(0, 2**63 - 1),
    time=st.datetimes(timezones=st.just(UTC)),
    traceparent=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
)


def example() -> Envelope:
    return Envelope(
        uuid.UUID("0198f7a0-0000-7000-8000-000000000001"),
        "intake.CaseAccepted.v1",
        "//tongban/intake",
        "case-1",
        7,
        datetime(2026, 11, 22, 8, 30, 15, 123456, tzinfo=UTC),
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


@given(ENVELOPES)
def test_an_envelope_survives_its_headers(envelope: Envelope) -> None:
    assert read_envelope(envelope.headers()) == envelope


def test_the_time_leaves_as_utc_whatever_its_zone() -> None:
    there = example().time.astimezone(timezone(timedelta(hours=8)))
    shifted = Envelope(
        *(there if name == "time" else getattr(example(), name) for name in Envelope.__slots__)
    )
    assert dict(shifted.headers())["ce_time"] == b"2026-11-22T08:30:15.123456Z"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_id", None),
        ("ce_id", b"17"),
        ("ce_specversion", b"0.3"),
        ("ce_time", b"yesterday"),
        ("ce_time", b"\xff\xfe"),
        ("ce_aggregateversion", b"one"),
    ],
)
def test_a_wrong_attribute_makes_the_record_malformed(name: str, value: bytes | None) -> None:
    headers = [(key, value if key == name else kept) for key, kept in example().headers()]
    with pytest.raises(Fault) as refusal:
        read_envelope(headers)
    assert refusal.value.reason is EVENT_MALFORMED


@pytest.mark.parametrize(
    "name", ["ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_aggregateversion"]
)
def test_a_missing_attribute_makes_the_record_malformed(name: str) -> None:
    with pytest.raises(Fault) as refusal:
        read_envelope([pair for pair in example().headers() if pair[0] != name])
    assert refusal.value.reason is EVENT_MALFORMED


def test_the_cloudevents_sdk_reads_our_headers() -> None:
    message = KafkaMessage(headers=dict(example().headers()), key=b"case-1", value=b'{"case_id":"case-1"}')
    event = from_binary(message, JSONFormat(), CloudEvent)
    assert event.get_id() == str(example().event_id)
    assert event.get_type() == "intake.CaseAccepted.v1"
    assert event.get_source() == "//tongban/intake"
    assert event.get_subject() == "case-1"
    assert event.get_time() == example().time
    assert event.get_specversion() == "1.0"
    assert event.get_datacontenttype() == "application/json"
    assert str(event.get_extension("aggregateversion")) == "7"
    assert event.get_data() == {"case_id": "case-1"}


def test_we_read_what_the_cloudevents_sdk_writes() -> None:
    ours = example()
    attributes = {
        "id": str(ours.event_id),
        "type": ours.type,
        "source": ours.source,
        "subject": ours.subject,
        "time": ours.time,
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "aggregateversion": "7",
        "partitionkey": "case-1",
    }
    message = to_binary(CloudEvent(attributes, {"case_id": "case-1"}), JSONFormat())
    read = read_envelope(message.headers.items())
    assert read == Envelope(
        *(None if name == "traceparent" else getattr(ours, name) for name in Envelope.__slots__)
    )
    assert message.key == "case-1"
    assert json.loads(message.value) == {"case_id": "case-1"}


def test_event_ids_are_uuid_7_and_grow() -> None:
    ids = [new_event_id() for _ in range(100)]
    assert {event_id.version for event_id in ids} == {7}
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    "topic", ["intake.case", "case.v1", "Intake.case.v1", "other.case.v1", "intake.case.v1.x"]
)
def test_a_topic_names_service_aggregate_and_version(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        declared_event(topic, "case_id")


def test_the_key_must_be_a_field() -> None:
    class Odd(Event):
        thing_id: str

    with pytest.raises(ValueError, match="no field"):
        declared_event("intake.odd.v1", "other_id")(Odd)


def test_readers_ignore_fields_they_do_not_know() -> None:
    class Thing(Event):
        thing_id: str

    assert Thing.model_validate_json(b'{"thing_id": "1", "new_in_v1_1": true}') == Thing(thing_id="1")
