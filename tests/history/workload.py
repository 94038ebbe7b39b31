"""What the two services of the history do: one steps aggregates, the other chains what it hears of them.

The chain of an aggregate is ``sha256(chain before + event id + version)``: two histories of effects end
in the same chain only if they are the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar
from uuid import UUID

from chassis.db import Database, Transaction
from chassis.event import Envelope, Event
from chassis.inbox import Handler
from chassis.messaging_schema import MESSAGING_V1

WRITER_TABLES = (
    *MESSAGING_V1,
    "create table counter (key text primary key, version bigint not null)",
)
READER_TABLES = (
    *MESSAGING_V1,
    "create table state (key text primary key, applied bigint not null, version bigint not null, chain bytea not null)",
    # Without a unique constraint on purpose: a second effect must show.
    "create table effect (key text, nth bigint, event_id uuid, version bigint, nonce text)",
)
_STEP = """
insert into counter as c (key, version) select k, 1 from unnest($1::text[]) k order by k
on conflict (key) do update set version = c.version + 1 returning key, version
"""
# The aggregate's row is locked while its effect is numbered, so ``nth`` is the order of the effects.
_CHAIN = """
with s as (
  insert into state as s (key, applied, version, chain) values ($1, 1, $2, sha256($3))
  on conflict (key) do update set applied = s.applied + 1, version = $2, chain = sha256(s.chain || $3)
  returning applied)
insert into effect (key, nth, event_id, version, nonce) select $1, applied, $4, $2, $5 from s
"""


class RolledBackError(Exception):
    """Raised by the writer itself: this transaction must leave no trace."""


def stepped(topic: str) -> type[Event]:
    """Return the event of one run's topic; not declared, so that no catalogue meets it."""

    class Stepped(Event):
        TYPE: ClassVar[str] = "intake.Stepped.v1"
        TOPIC: ClassVar[str] = topic
        KEY_FIELD: ClassVar[str] = "counter_id"
        PUBLIC: ClassVar[bool] = False

        counter_id: str
        nonce: str
        note: str = ""

    return Stepped


async def step(
    db: Database,
    event: type[Event],
    keys: Sequence[str],
    nonce: str,
    *,
    note: str = "",
    pause_seconds: float = 0.0,
    rolls_back: bool = False,
    committed: Callable[[], None] = lambda: None,
) -> None:
    """Step aggregates in one transaction, each with its event. Raises RolledBackError when told to."""
    async with db.transaction() as tx:
        for row in await tx.fetch(_STEP, sorted(keys)):
            tx.publish(event(counter_id=row["key"], nonce=nonce, note=note), row["version"])
        if pause_seconds:
            await asyncio.sleep(pause_seconds)
        if rolls_back:
            raise RolledBackError
        tx.after_commit(committed)


def choose_keys(chance: random.Random, keys: int) -> list[str]:
    """Return one to nine aggregates; low numbers are hot."""
    return sorted({f"k{int(keys * chance.random() ** 2)}" for _ in range(chance.randint(1, 9))})


def link(event_id: UUID, version: int) -> bytes:
    """Return what one effect adds to a chain."""
    return event_id.bytes + version.to_bytes(8)


def chain_of(events: Sequence[tuple[UUID, int]]) -> str:
    """Return the chain, in hexadecimal, of an aggregate that heard of these events in this order."""
    chain = b""
    for event_id, version in events:
        chain = hashlib.sha256(chain + link(event_id, version)).digest()
    return chain.hex()


def chaining_handler(
    event: type[Event], healed: Path, passing: Callable[[], None], *, ordered: bool
) -> Handler[Event, object]:
    """Return the handler; it fails for notes ``bug`` and ``kill`` until the file ``healed`` is there."""

    async def chain(tx: Transaction, event: Event, envelope: Envelope, _: object) -> None:
        note = event.note  # type: ignore[attr-defined]
        if note and not healed.exists():
            if note == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if note == "bug":
                raise ValueError("a handler's own fault")
        nonce = event.nonce  # type: ignore[attr-defined]
        added = link(envelope.event_id, envelope.version)
        await tx.execute(_CHAIN, event.aggregate_id, envelope.version, added, envelope.event_id, nonce)
        passing()

    return Handler(event, chain, ordered=ordered)
