"""Records no outbox would write, one kind for each line of F8, and records sent once more."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from typing import Any

from chassis.bus import Bus, NewRecord
from chassis.clock import system_clock
from chassis.errors import Fault
from chassis.event import Envelope, new_event_id
from tests.history.checker import Injected

KINDS = ("json", "null", "nullheader", "notutf8", "subject", "type", "large")
FATES = {"type": "ignored", "large": "applied"}
FOLLOWERS = 2
LARGE_BYTES = 901 * 1024


def poison(kind: str, topic: str, nonce: str) -> tuple[list[NewRecord], list[Injected]]:
    """Return a culprit with two good records of its key behind it, and what must become of them."""
    key = f"x-{kind}-{nonce}"
    records, fates = [], []
    for version in range(1, FOLLOWERS + 2):
        envelope = Envelope(
            new_event_id(), "intake.Stepped.v1", "//tongban/intake", key, version, system_clock()
        )
        headers: dict[str, bytes | None] = dict(envelope.headers())
        body: bytes | None = json.dumps({"counter_id": key, "nonce": f"raw-{nonce}"}).encode()
        fate = "applied"
        if version == 1:
            body, fate = _spoil(kind, key, headers, body), FATES.get(kind, "parked")
        records.append(NewRecord(topic, key.encode(), tuple(headers.items()), body, envelope.event_id))
        fates.append(Injected(str(envelope.event_id), key, version, fate))
    return records, fates


def _spoil(kind: str, key: str, headers: dict[str, bytes | None], body: bytes | None) -> bytes | None:
    if kind == "json":
        return b'{"counter_id": '
    if kind == "null":
        return None
    if kind == "nullheader":
        headers["ce_id"] = None
    if kind == "notutf8":
        headers["ce_time"] = b"\xff\xfe"
    if kind == "subject":
        headers["ce_subject"] = b"somebody else"
    if kind == "type":
        headers["ce_type"] = b"intake.NeverHeardOf.v1"
    if kind == "large":
        return json.dumps({"counter_id": key, "nonce": "raw-large", "pad": "x" * LARGE_BYTES}).encode()
    return body


def again(rows: Sequence[Any], chance: random.Random) -> list[NewRecord]:
    """Return published events as records to be delivered late, once more and in any order.

    Without their ids, which the PostgreSQL bus would know.
    """
    records = []
    for row in rows:
        headers = tuple((name, value.encode()) for name, value in json.loads(row["headers"]).items())
        records.append(NewRecord(row["topic"], row["aggregate_id"].encode(), headers, row["payload"]))
    chance.shuffle(records)
    return records


async def append(bus: Bus, records: Sequence[NewRecord], seconds: float = 60) -> None:
    """Append although the bus may be away for a while."""
    producer = bus.producer()
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await producer.append(records)
                except Fault:
                    await asyncio.sleep(0.2)
                else:
                    return
    finally:
        await producer.close()
