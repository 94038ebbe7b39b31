"""The bus as a port: it appends, reads in order, assigns partitions, stores offsets, reports lag.

Everything else (decoding, inbox, attempts, parking) is one code above both transports.
The contract is C1 to C10 of ``tests/contract/bus``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

import pydantic_core

from chassis.clock import system_clock
from chassis.errors import Kind, declare

Headers = tuple[tuple[str, bytes | None], ...]

BUS_TOPIC_MISSING = declare(
    "BUS_TOPIC_MISSING",
    Kind.FAILED_PRECONDITION,
    "消息主题不存在：{topics}",
    "Topics missing on the bus, provision them first: {topics}",
)
BUS_GROUP_BEHIND = declare(
    "BUS_GROUP_BEHIND",
    Kind.FAILED_PRECONDITION,
    "消费组 {group} 在 {topic}/{partition} 的未读事件已被清除",
    "Group {group} lost unread events of {topic}/{partition} to retention: "
    "read position {position}, oldest kept {oldest}",
)


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to append. ``event_id`` lets a transport drop a repetition; ``at`` keeps milliseconds."""

    topic: str
    key: bytes
    headers: Headers
    body: bytes | None
    event_id: UUID | None = None
    at: datetime = field(default_factory=system_clock)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies in the log."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    headers: Headers
    body: bytes | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """Why one record cannot be appended now; ``behind`` when only an earlier one of its key is at fault."""

    cause: str
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Lag:
    """What a group has not read of one partition; ``behind`` when retention deleted part of it."""

    topic: str
    partition: int
    events: int
    oldest_unread_at: datetime | None
    behind: bool = False


BatchHandler = Callable[[Sequence[Record]], Awaitable[None]]


class BusProducer(Protocol):
    """The relay's side. Nothing else publishes."""

    def hold_to(self, cluster_id: str) -> None:
        """Append from now on only to the store of this id; until it is told, to the first that is met."""
        ...

    async def append(self, records: Sequence[NewRecord]) -> list[Refused | None]:
        """Return, once the others are durable, None or a refusal for each record, in order.

        After a refusal no later record of the same key in the call was appended.
        Raises PEER_UNAVAILABLE when the result is unknown; the call may then be repeated.
        """
        ...

    async def close(self) -> None:
        """Release the connections; running appends are given up."""
        ...


class BusConsumer(Protocol):
    """One member of a group."""

    async def run(self, stop: asyncio.Event) -> None:
        """Read until ``stop`` is set, then finish the running batch, commit it and leave the group."""
        ...


class Bus(Protocol):
    """One transport."""

    @property
    def transport(self) -> str:
        """The transport's name, for logs and test reports."""
        ...

    async def create_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Provision topics that do not exist; existing ones keep their partition count for ever."""
        ...

    async def require_topics(self, topics: Sequence[str]) -> None:
        """Do nothing when all topics exist. Raises BUS_TOPIC_MISSING naming every missing one."""
        ...

    async def cluster_id(self) -> str:
        """Return the id of the store behind the bus; another one means that its events are gone."""
        ...

    async def lag(self, group: str, topics: Sequence[str]) -> list[Lag]:
        """Return the lag of a group for each partition of the topics."""
        ...

    async def prune(self, keep_seconds: float) -> int:
        """Delete older records where the transport does not do so itself; return how many."""
        ...

    def producer(self) -> BusProducer:
        """Return a producer; it connects at its first append."""
        ...

    def consumer(self, group: str, topics: Sequence[str], handle: BatchHandler) -> BusConsumer:
        """Return a member of a group; ``handle`` gets batches, a raise means redelivery."""
        ...

    async def close(self) -> None:
        """Release what the bus itself holds."""
        ...


@dataclass(frozen=True, slots=True)
class BusConfig:
    """Which transport, where, and as whom. Kafka speaks TLS when ``tls_ca_file`` is set."""

    kind: Literal["kafka", "postgres"]
    client_id: str
    kafka_bootstrap: str | None = None
    postgres_dsn: str | None = None
    tls_ca_file: Path | None = None
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    group_instance_id: str | None = None
    """Kafka: a member's name that it keeps over restarts; with it a restart moves no partitions."""
    replication_factor: int = 1
    append_timeout_seconds: float = 15.0
    session_seconds: float = 10.0
    """Kafka: after so long without a heartbeat a member's partitions go to the others."""
    lease_seconds: float = 3.0
    poll_seconds: float = 1.0


def dump_headers(headers: Headers) -> str:
    """Return headers as ASCII JSON; any byte and null survive, ASCII values stay readable."""
    texts = [(name, None if value is None else value.decode("latin-1")) for name, value in headers]
    return pydantic_core.to_json(texts, ensure_ascii=True).decode()


def load_headers(text: str) -> Headers:
    """Return the headers that `dump_headers` wrote."""
    return tuple(
        (name, None if value is None else value.encode("latin-1")) for name, value in json.loads(text)
    )


def to_milliseconds(moment: datetime) -> int:
    """Return milliseconds since 1970, as Kafka stores a time."""
    return round(moment.timestamp() * 1000)


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the aware UTC time of Kafka's milliseconds."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


TOPIC_PARTITIONS = 8
"""Of every topic, for ever: more would move keys to other partitions and break their order."""

RECORD_LIMIT_BYTES = 1000 * 1024
"""Largest record, key and headers included: below Kafka's default request limit of 1 MiB with its framing."""


def sift(records: Sequence[NewRecord], topics: Container[str]) -> list[Refused | None]:
    """Return a refusal for each record that cannot be appended, and for every later one of its key."""
    outcomes = [_refusal(record, topics) for record in records]
    return _with_later_ones(records, outcomes) if any(outcomes) else outcomes


def _with_later_ones(
    records: Sequence[NewRecord], refusals: Sequence[Refused | None]
) -> list[Refused | None]:
    refused_keys: set[tuple[str, bytes]] = set()
    outcomes: list[Refused | None] = []
    for record, refusal in zip(records, refusals, strict=True):
        outcome = refusal
        if (record.topic, record.key) in refused_keys:
            outcome = Refused("an earlier event of this key is held", behind=True)
        elif outcome:
            refused_keys.add((record.topic, record.key))
        outcomes.append(outcome)
    return outcomes


def _refusal(record: NewRecord, topics: Container[str]) -> Refused | None:
    if record.topic not in topics:
        return Refused(BUS_TOPIC_MISSING.code)
    size = len(record.body or b"") + len(record.key)
    for name, value in record.headers:
        size += len(name) + len(value or b"")
    return Refused("RECORD_TOO_LARGE") if size > RECORD_LIMIT_BYTES else None
