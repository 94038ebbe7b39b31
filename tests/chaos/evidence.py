"""What a run left behind, as plain data: read once from all databases and the bus, judged by `invariants`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer

from cli.local.layout import SERVICES
from tests.stacks.settling import consumed_events, rows


@dataclass(frozen=True)
class Published:
    """One row of an outbox."""

    service: str
    event_id: str
    topic: str
    key: str
    version: int
    type: str
    body: dict[str, Any]
    sent: bool

    @property
    def name(self) -> str:
        """The class of the event, e.g. ``PartDecided``."""
        return self.type.split(".")[1]


@dataclass(frozen=True)
class Carried:
    """One record of the bus, in the order of its partition."""

    topic: str
    partition: int
    offset: int
    key: str
    event_id: str
    version: int


@dataclass
class Evidence:
    """Everything the invariants speak about; lists are in the order of the stores."""

    cases: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Submitted cases only: case id → (case number, state)."""
    unarchived: list[str] = field(default_factory=list)
    receipts: dict[str, set[str]] = field(default_factory=dict)
    """What the applicants hold: case id → case numbers."""
    published: list[Published] = field(default_factory=list)
    seen: dict[str, list[str]] = field(default_factory=dict)
    """Inbox: service → event ids."""
    handled: dict[str, set[str]] = field(default_factory=dict)
    """Service → names of the events it consumes, as its card says."""
    dead: dict[str, int] = field(default_factory=dict)
    carried: list[Carried] = field(default_factory=list)
    bus_repeats: bool = False
    """Whether this transport may carry a record twice (Kafka: at least once)."""
    licences: list[tuple[str, str, str]] = field(default_factory=list)
    """(licence id, part id, status) of licences made from approvals."""
    ledger: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(signature id, licence id, outcome)."""
    messages: list[tuple[str, str, str, str]] = field(default_factory=list)
    """(message id, source key, channel, state)."""
    sent_texts: list[str] = field(default_factory=list)
    """Message ids that the provider took over."""

    def events(self, name: str) -> list[Published]:
        """Return the published events of one class."""
        return [each for each in self.published if each.name == name]

    def counts(self) -> dict[str, int]:
        """Return the numbers a report names."""
        ids = [each.event_id for each in self.carried]
        return {
            "cases": len(self.cases),
            "events": len(self.published),
            "carried": len(ids),
            "repeated_on_bus": len(ids) - len(set(ids)),
            "licences": len(self.licences),
            "messages": len(self.messages),
        }


async def read_evidence(dsn: Callable[[str], str], kafka_bootstrap: str | None = None) -> Evidence:
    """Read all databases; the bus is PostgreSQL's unless a Kafka address is given."""
    found, began = Evidence(bus_repeats=kafka_bootstrap is not None), time.time()
    for service in SERVICES:
        await _messaging(found, service, dsn(service))
    await _business(found, dsn)
    carried = await (_from_kafka(found, kafka_bootstrap) if kafka_bootstrap else _from_postgres(dsn("bus")))
    found.carried = until(began, found, carried)
    return found


def until(began: float, found: Evidence, carried: list[Carried]) -> list[Carried]:
    """Return what the bus carried without the events made since the outboxes were read: a PDF may follow late."""
    known = {each.event_id for each in found.published}
    return [each for each in carried if each.event_id in known or _made_at(each.event_id) < began]


def _made_at(event_id: str) -> float:
    """Return the time in an event's id, in seconds (UUID version 7: RFC 9562, 5.7)."""
    return (UUID(event_id).int >> 80) / 1000


async def _messaging(found: Evidence, service: str, dsn: str) -> None:
    log = await rows(
        dsn,
        """select event_id::text, topic, aggregate_id, version, type, convert_from(payload, 'UTF8') as body,
        published_at is not null as sent from event_log order by seq""",
    )
    found.published += [
        Published(service, *list(row)[:5], json.loads(row["body"]), row["sent"]) for row in log
    ]
    found.seen[service] = [
        row[0] for row in await rows(dsn, f"select event_id::text from inbox where consumer = '{service}'")
    ]
    parked = await rows(dsn, "select (select count(*) from dead_letter) + (select count(*) from parked_key)")
    found.dead[service] = parked[0][0]
    found.handled[service] = consumed_events(service)


async def _business(found: Evidence, dsn: Callable[[str], str]) -> None:
    submitted = "from service_case where submitted_at is not null"
    cases = await rows(dsn("intake"), f"select case_id, case_no, state, archived_at {submitted}")
    found.cases = {row["case_id"]: (row["case_no"], row["state"]) for row in cases}
    found.unarchived = [row["case_id"] for row in cases if row["archived_at"] is None]
    licences = "select licence_id::text, part_id, status from licence where origin = 'made'"
    found.licences = [tuple(row) for row in await rows(dsn("certs"), licences)]
    ledger = """select signature_id::text, coalesce(licence_id, item_id), outcome, coalesce(format, 'ofd')
        from seal_use left join seal_use_detail using (sequence) order by sequence"""
    found.ledger = [tuple(row) for row in await rows(dsn("seal"), ledger)]
    messages = "select message_id::text, source_key, channel, state from message"
    found.messages = [tuple(row) for row in await rows(dsn("notify"), messages)]
    taken = await rows(dsn("notify"), "select message_id::text from sandbox_sms")
    found.sent_texts = [row[0] for row in taken]


async def _from_postgres(dsn: str) -> list[Carried]:
    log = await rows(dsn, "select topic, part, off, key, headers from msg order by topic, part, off")
    return [
        _carried(row["topic"], row["part"], row["off"], row["key"], dict(json.loads(row["headers"])))
        for row in log
    ]


async def _from_kafka(found: Evidence, bootstrap: str) -> list[Carried]:
    topics = sorted({each.topic for each in found.published})
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(sorted(consumer.assignment()))
        carried: list[Carried] = []
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for place, batch in (await consumer.getmany(timeout_ms=500)).items():
                carried += [
                    _carried(place.topic, place.partition, each.offset, each.key, _texts(each.headers))
                    for each in batch
                ]
        return carried
    finally:
        await consumer.stop()


def _texts(headers: Any) -> dict[str, str]:
    return {name: value.decode() for name, value in headers}


def _carried(topic: str, partition: int, offset: int, key: bytes, headers: dict[str, str]) -> Carried:
    return Carried(
        topic, partition, offset, key.decode(), headers["ce_id"], int(headers["ce_aggregateversion"])
    )
