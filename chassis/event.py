"""Events: declared once by their producer, carried in a CloudEvents 1.0 binary envelope.

An event is a frozen pydantic class in ``events/<service>.py``. Its body is JSON, its envelope is
headers (CloudEvents Kafka protocol binding, binary mode), written by hand because the SDK costs
sixty times as much per message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import ClassVar, TypeVar, cast
from uuid import UUID

import uuid_utils.compat
from pydantic import BaseModel, ConfigDict

from chassis.errors import Kind, declare

MAX_BODY_BYTES = 900 * 1024
"""Largest event body, checked when the outbox row is written: Kafka's default limit is 1 MiB."""

EVENT_TOO_LARGE = declare(
    "EVENT_TOO_LARGE", Kind.INTERNAL, "事件内容超过 {limit_bytes} 字节", "Event body over {limit_bytes} bytes"
)
EVENT_MALFORMED = declare(
    "EVENT_MALFORMED", Kind.INTERNAL, "事件无法读取：{cause}", "The event cannot be read: {cause}"
)

_TOPIC = re.compile(r"(intake|certs|seal|notify)\.[a-z]+\.v[0-9]+")
_catalogue: dict[str, type[Event]] = {}
_mirrors: set[str] = set()


class Event(BaseModel):
    """Something that happened to one aggregate. References only, never personal data."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]
    TOPIC: ClassVar[str]
    KEY_FIELD: ClassVar[str]
    PUBLIC: ClassVar[bool]

    @property
    def aggregate_id(self) -> str:
        """The aggregate's id: the Kafka key, so that all its events keep their order."""
        return str(getattr(self, self.KEY_FIELD))


E = TypeVar("E", bound=Event)
T = TypeVar("T")


def declared_event(topic: str, key: str, *, public: bool = False) -> Callable[[type[E]], type[E]]:
    """Declare an event class: its topic, the field that is its key, and whether outsiders may rely on it.

    The CloudEvents type is ``<service>.<ClassName>.<topic version>``.
    """
    if not _TOPIC.fullmatch(topic):
        message = f"topic {topic!r} is not <service>.<aggregate>.v<n>"
        raise ValueError(message)
    service, _, version = topic.split(".")

    def record(cls: type[E]) -> type[E]:
        cls.TYPE = f"{service}.{cls.__name__}.{version}"
        cls.TOPIC, cls.KEY_FIELD, cls.PUBLIC = topic, key, public
        if cls.TYPE in _catalogue or key not in cls.model_fields:
            message = f"event {cls.TYPE} is declared twice or has no field {key!r}"
            raise ValueError(message)
        _catalogue[cls.TYPE] = cls
        return cls

    return record


@cache
def mirrored(event: type[E], topic: str) -> type[E]:
    """Return an event as it comes from another deployment: on a topic of its own, under the type it was sent with.

    What comes in must never go out again, so it is not on the topic of our own events.
    """
    if not _TOPIC.fullmatch(topic) or topic == event.TOPIC:
        message = f"topic {topic!r} is not <service>.<aggregate>.v<n>, or the event's own"
        raise ValueError(message)
    _mirrors.add(topic)
    return cast("type[E]", type(event.__name__, (event,), {"TOPIC": topic, "__module__": event.__module__}))


def declared_events() -> tuple[type[Event], ...]:
    """Return every event class imported so far, sorted by type."""
    return tuple(_catalogue[name] for name in sorted(_catalogue))


def topics() -> tuple[str, ...]:
    """Return the topics of every event class imported so far, those of mirrors among them, sorted."""
    return tuple(sorted({cls.TOPIC for cls in _catalogue.values()} | _mirrors))


@dataclass(frozen=True, slots=True)
class Envelope:
    """What travels with a body: CloudEvents attributes, the aggregate's version, the trace."""

    event_id: UUID
    type: str
    source: str
    subject: str
    version: int
    time: datetime
    traceparent: str | None = None

    def texts(self) -> dict[str, str]:
        """Return the Kafka headers as texts."""
        found = {
            "ce_specversion": "1.0",
            "ce_id": str(self.event_id),
            "ce_type": self.type,
            "ce_source": self.source,
            "ce_subject": self.subject,
            "ce_time": _written(self.time),
            "ce_aggregateversion": str(self.version),
            "content-type": "application/json",
        }
        if self.traceparent:
            found["traceparent"] = self.traceparent
        return found

    def headers(self) -> list[tuple[str, bytes]]:
        """Return the Kafka headers; values are UTF-8 and never null."""
        return [(name, value.encode()) for name, value in self.texts().items()]


@lru_cache(maxsize=64)  # the events of one transaction are of one moment
def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def new_event_id() -> UUID:
    """Return a UUIDv7: ordered by time, unique across processes."""
    return uuid_utils.compat.uuid7()


def read_envelope(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Return the envelope of a received record.

    Raises EVENT_MALFORMED for a missing, null, non-UTF-8 or unparsable attribute.
    """
    found = dict(headers)

    def read(name: str, parse: Callable[[str], T]) -> T:
        try:
            return parse((found[name] or b"").decode())
        except (
            KeyError,
            ValueError,
        ) as problem:  # named, not quoted: causes are grouped, values may be anything
            raise EVENT_MALFORMED(cause=f"header {name}") from problem

    if read("ce_specversion", str) != "1.0":
        raise EVENT_MALFORMED(cause="header ce_specversion")
    return Envelope(
        read("ce_id", UUID),
        read("ce_type", str),
        read("ce_source", str),
        read("ce_subject", str),
        read("ce_aggregateversion", int),
        read("ce_time", datetime.fromisoformat),
        read("traceparent", str) if "traceparent" in found else None,
    )
