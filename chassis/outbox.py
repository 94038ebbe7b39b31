"""The outbox: an event becomes a row of ``event_log`` in the transaction that made it true."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg
import uuid_utils
from asyncpg.pgproto.pgproto import UUID  # a uuid.UUID that costs a tenth to make, to write and to send
from pydantic import TypeAdapter

from chassis.db import Pending, Transaction
from chassis.errors import ETAG_MISMATCH
from chassis.event import EVENT_TOO_LARGE, MAX_BODY_BYTES, Envelope

_COLUMNS = (
    *("event_id", "aggregate_type", "aggregate_id", "version", "type", "topic", "headers", "payload"),
    "shard",
)
COPY_FROM = 50
"""Events from which on a COPY is cheaper than an array per column."""
_INSERT = f"""
insert into event_log ({", ".join(_COLUMNS)})
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::jsonb[],
                     $8::bytea[], $9::smallint[])
"""  # noqa: S608 - constants


def shard_of(aggregate_id: str, shards: int) -> int:
    """Return the relay shard of an aggregate: a stable hash, the same in every process."""
    return zlib.crc32(aggregate_id.encode()) % shards


def outbox_writer(source: str, *, shards: int = 1) -> Callable[[Transaction], Awaitable[None]]:
    """Return the writer for ``Database.open(write_events=...)``.

    ``source`` is the CloudEvents source of the service, as ``//tongban/intake``; ``shards`` is the
    number of relay shards and must be the relay's.
    """

    async def write_events(tx: Transaction) -> None:
        """Write the transaction's events in one statement, in the order they were published.

        Raises EVENT_TOO_LARGE, or ETAG_MISMATCH when the aggregate already has that version.
        """
        now = tx.now()
        rows = [_row(pending, now, source, shards) for pending in tx.pending]
        try:
            if len(rows) >= COPY_FROM:
                await tx.connection.copy_records_to_table("event_log", records=rows, columns=_COLUMNS)
            else:
                await tx.execute(_INSERT, *(list(column) for column in zip(*rows, strict=True)))
        except asyncpg.UniqueViolationError as problem:
            raise ETAG_MISMATCH() from problem

    return write_events


def _row(pending: Pending, now: datetime, source: str, shards: int) -> tuple[object, ...]:
    event, version, traceparent = pending
    body = event.model_dump_json().encode()
    if len(body) > MAX_BODY_BYTES:
        raise EVENT_TOO_LARGE(limit_bytes=MAX_BODY_BYTES)
    key = event.aggregate_id
    event_id = UUID(uuid_utils.uuid7().bytes)  # as `new_event_id` makes one
    envelope = Envelope(event_id, event.TYPE, source, key, version, now, traceparent)
    headers = _json(envelope.texts())
    aggregate_type = event.TOPIC.split(".")[1]
    shard = shard_of(key, shards)
    return (event_id, aggregate_type, key, version, event.TYPE, event.TOPIC, headers, body, shard)


def _json(texts: dict[str, str]) -> str:
    return _TEXTS.dump_json(texts).decode()


_TEXTS = TypeAdapter(dict[str, str])
