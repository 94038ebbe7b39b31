"""Notify in memory: its messages, the send ledger, and a provider outside of every transaction."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Database
from events.notify import MessageFailed, MessageSent
from services.notify.domain.message import Message, MessageState, Outcome
from services.notify.domain.template import Channel
from services.notify.usecases.ports import Contents
from tests.simulator.database.engine import Session
from tests.simulator.services.stores import Store
from tests.simulator.world import World


class MemoryMessages(Store):
    """Implements the port Messages."""

    async def add(self, message: Message, contents: Contents) -> Message:
        if not await self.keep_new("message_of", (message.source_key, message.channel), message.message_id):
            known = await self.kept("message_of", (message.source_key, message.channel))
            return await self.kept("message", known)  # type: ignore[no-any-return]
        await self.keep("message", message.message_id, message)
        await self.keep("contents", message.message_id, contents)
        if message.state is MessageState.DELIVERED:
            self.publish_sent(message, message.created_at)
        return message

    async def claim_due(self, channel: Channel, now: datetime, limit: int) -> Sequence[Message]:
        async def claim(session: Session) -> list[Message]:
            found = []
            due = [
                (row["kept"].next_attempt_at, key)
                for key, row in session.rows("message")
                if row["kept"].channel is channel
                and row["kept"].next_attempt_at
                and row["kept"].next_attempt_at <= now
            ]
            for _, key in sorted(due):
                holder = session.server.holders.get(("message", key))
                if len(found) < limit and holder in (None, session):  # skip locked
                    await session.lock("message", key)
                    row = session.get("message", key)
                    assert row is not None
                    found.append(row["kept"])
            return found

        return await self.step(claim, "claim due")

    async def contents(self, message_id: UUID) -> Contents:
        return await self.kept("contents", message_id)  # type: ignore[no-any-return]

    async def save(self, message: Message) -> None:
        await self.keep("message", message.message_id, message)

    async def open_attempt(self, message: Message, provider: str, at: datetime) -> None:
        await self.keep("attempt", (message.message_id, message.attempts, provider), (at, None))

    async def close_attempt(self, message: Message, provider: str, outcome: Outcome, at: datetime) -> None:
        del at
        key = (message.message_id, message.attempts, provider)
        opened = await self.kept("attempt", key)
        if opened:
            await self.keep("attempt", key, (opened[0], outcome))

    async def doubtful(self, message_id: UUID) -> Sequence[str]:
        started: dict[str, datetime] = {}
        for (of, _, provider), (at, outcome) in await self.everything("attempt"):
            if of == message_id and outcome in (None, Outcome.UNKNOWN):
                started[provider] = max(at, started.get(provider, at))
        return sorted(started, key=lambda name: started[name], reverse=True)

    async def settle(self, message_id: UUID, provider: str, outcome: Outcome, at: datetime) -> None:
        del at
        for key, (started, known) in await self.everything("attempt"):
            if key[0] == message_id and key[2] == provider and known in (None, Outcome.UNKNOWN):
                await self.keep("attempt", key, (started, outcome))

    def publish_sent(self, message: Message, at: datetime) -> None:
        sent = MessageSent(attempts=message.attempts, sent_at=at, **_named(message))
        self.tx.publish(sent, 1)

    def publish_failed(self, message: Message, at: datetime) -> None:
        failed = MessageFailed(reason=message.state, failed_at=at, **_named(message))
        self.tx.publish(failed, 1)


def _named(message: Message) -> dict[str, Any]:
    return {
        "message_id": str(message.message_id),
        "template_code": message.template_code,
        "channel": message.channel,
        "person_id": message.person_id,
        "case_id": message.case_id,
    }


def messages_unit(db: Database) -> Any:
    """Return what opens one transaction over the messages."""

    @asynccontextmanager
    async def unit() -> AsyncIterator[MemoryMessages]:
        async with db.transaction() as tx:
            yield MemoryMessages(tx)

    return unit


class Gateway:
    """A provider of short messages that does not drop a repeat: who sends twice is seen to send twice."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.arrived: Counter[UUID] = Counter()

    async def send(self, message_id: UUID, contents: Contents) -> Outcome:
        """Take a message over; the answer may be lost on either way."""
        del contents
        await self.world.travel(self.name, "send", message_id)
        if self.world.hits("provider_deaf"):
            return Outcome.UNKNOWN
        self.arrived[message_id] += 1
        await asyncio.sleep(self.world.chance.uniform(0.05, 2.0))
        await self.world.travel(self.name, "taken")
        return Outcome.UNKNOWN if self.world.hits("provider_mute") else Outcome.TAKEN

    async def find(self, message_id: UUID) -> Outcome:
        """Say whether a message arrived."""
        await self.world.travel(self.name, "find", message_id)
        if self.world.hits("provider_deaf"):
            return Outcome.UNKNOWN
        return Outcome.TAKEN if self.arrived[message_id] else Outcome.NEVER_ARRIVED
