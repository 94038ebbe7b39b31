"""A received record and what this service does with its type."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID

from chassis.bus.port import Record, dump_headers
from chassis.db import Transaction
from chassis.errors import Fault
from chassis.event import EVENT_MALFORMED, Envelope, Event, read_envelope

E = TypeVar("E", bound=Event)
P = TypeVar("P")
Place = tuple[str, str]
"""Topic and key: what keeps its order."""


@dataclass(frozen=True)
class Handler(Generic[E, P]):
    """What one service does when it hears of one kind of event.

    ``apply`` runs inside the transaction that also records the event as seen; its effects must all be
    in that transaction. ``prepare`` runs before it, outside, for what must be fetched from a peer; it
    may run again for the same event. ``ordered`` skips versions of the aggregate not newer than seen.
    """

    event: type[E]
    apply: Callable[[Transaction, E, Envelope, P | None], Awaitable[None]]
    prepare: Callable[[E], Awaitable[P]] | None = None
    ordered: bool = False


Handlers = Mapping[str, Handler[Any, Any]]


@dataclass(slots=True)
class Delivery:
    """One record, decoded as far as it can be; ``cause`` says why it cannot."""

    record: Record
    place: Place
    event_id: UUID
    type: str | None = None
    envelope: Envelope | None = None
    event: Event | None = None
    handler: Handler[Any, Any] | None = None
    cause: str | None = None
    prepared: Any = None
    is_prepared: bool = field(default=False)


def decode(record: Record, handlers: Handlers) -> Delivery:
    """Return the delivery of a record; never raises, an unreadable record is marked with its cause.

    The body of a type without a handler is not read.
    """
    place = (record.topic, _text(record.key))
    try:
        envelope = read_envelope(record.headers)
    except Fault as problem:
        return Delivery(record, place, _content_id(record), cause=problem.en)
    delivery = Delivery(record, place, envelope.event_id, _text(envelope.type.encode()), envelope)
    delivery.handler = handlers.get(envelope.type)
    if delivery.handler is None:
        return delivery
    try:
        if envelope.subject.encode() != record.key:
            raise EVENT_MALFORMED(cause="ce_subject is not the key")
        delivery.event = delivery.handler.event.model_validate_json(record.body or b"")
    except Fault as problem:
        delivery.cause = problem.en
    except ValueError:
        delivery.cause = EVENT_MALFORMED(cause=f"body of {envelope.type}").en
    return delivery


def _content_id(record: Record) -> UUID:
    """Return a stable id for a record that carries none, so that its repetition is known again."""
    digest = hashlib.sha256()
    for part in (
        record.topic.encode(),
        record.key or b"",
        dump_headers(record.headers).encode(),
        record.body or b"",
    ):
        digest.update(len(part).to_bytes(8) + part)
    return UUID(bytes=digest.digest()[:16])


def _text(value: bytes | None) -> str:
    """Return bytes from outside as text that PostgreSQL takes: no NUL, nothing undecodable."""
    return (value or b"").decode("utf-8", "backslashreplace").replace("\x00", "\\x00")
