"""Deliver what is due: claim, ask or send, record. Each step commits before the next begins."""

from __future__ import annotations

import asyncio

from chassis.clock import Clock
from services.notify.domain.message import Message, MessageState, Outcome
from services.notify.usecases.ports import Contents, Provider, UnitOfWork

BATCH = 32
"""Messages one worker holds at a time; bounded by the lease of a message."""


async def deliver_due(unit: UnitOfWork, provider: Provider, clock: Clock) -> int:
    """Attempt every message that is due, up to `BATCH`, and return how many there were.

    1. Claim: the attempt stands in the send ledger before the provider hears of it.
    2. Ask first where an earlier attempt ended without an answer; send only what never arrived.
    3. Record the answer; MessageSent or MessageFailed leaves with it.

    A crash after 2 repeats 2 when the lease ends, and then finds the message taken: no second send.
    """
    claimed = await _claim(unit, provider.name, clock)
    await asyncio.gather(*(_attempt(unit, provider, clock, *each) for each in claimed))
    return len(claimed)


async def _claim(unit: UnitOfWork, provider: str, clock: Clock) -> list[tuple[Message, Contents, bool]]:
    now = clock()
    claimed = list[tuple[Message, Contents, bool]]()
    async with unit() as messages:
        for found in await messages.claim_due(now, BATCH):
            message = found.started(now)
            if message.state is MessageState.EXPIRED:
                messages.publish_failed(message, now)
            else:
                await messages.open_attempt(message, provider, now)
                claimed.append((message, await messages.contents(message.message_id), found.attempts > 0))
            await messages.save(message)
    return claimed


async def _attempt(
    unit: UnitOfWork, provider: Provider, clock: Clock, message: Message, contents: Contents, ask_first: bool
) -> None:
    outcome = await provider.find(message.message_id) if ask_first else Outcome.UNKNOWN
    if outcome is not Outcome.TAKEN:
        outcome = await provider.send(message.message_id, contents.phone or "", contents.text)
    now = clock()
    answered = message.answered(outcome, now)
    async with unit() as messages:
        await messages.close_attempt(message, outcome, now)
        if answered.state is MessageState.SENT:
            messages.publish_sent(answered, now)
        elif answered.state.final:
            messages.publish_failed(answered, now)
        await messages.save(answered)
