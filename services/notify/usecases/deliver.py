"""Deliver what is due: claim, ask or send, record. Each step commits before the next begins."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from chassis.clock import Clock
from services.notify.domain.message import Message, MessageState, Outcome
from services.notify.domain.routing import Routing
from services.notify.domain.template import Channel
from services.notify.usecases.ports import Contents, Provider, UnitOfWork

BATCH = 32
"""Messages that one transaction claims at most."""


@dataclass(frozen=True, slots=True)
class Carriage:
    """What carries the messages of one channel: providers by name, and which goes first."""

    channel: Channel
    providers: Mapping[str, Provider]
    routing: Routing
    longest_call: timedelta = timedelta(seconds=8.5)
    """Of one provider, asking included; no call begins that the lease of its message does not cover."""


@dataclass(frozen=True, slots=True)
class _Claimed:
    message: Message
    contents: Contents
    doubtful: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: Outcome
    provider: str | None = None
    """Whose entry in the send ledger is still open."""


async def deliver_due(unit: UnitOfWork, carriage: Carriage, clock: Clock) -> int:
    """Attempt every message of a channel that is due, up to `BATCH`, and return how many there were.

    1. Claim them under a lease.
    2. Ask each provider of whose earlier call nothing is known. Only one that never had the message, or
       refused it, lets it be sent again, to whomever.
    3. Send: the call stands in the send ledger before the provider hears of it. A provider that surely
       did not take the message leaves it to the next one at once.
    4. Record the answer; MessageSent or MessageFailed leaves with it.

    A crash after 3 repeats 2 when the lease ends, and then finds the message taken: no second send.
    """
    claimed = await _claim(unit, carriage.channel, clock, BATCH)
    await asyncio.gather(*(_attempt(unit, carriage, clock, each) for each in claimed))
    return len(claimed)


class Flow:
    """Keeps up to ``limit`` messages of one channel on their way: one that waits for its answer holds up no other."""

    def __init__(
        self, unit: UnitOfWork, carriage: Carriage, clock: Clock, limit: int, freed: Callable[[], None]
    ) -> None:
        self._unit, self._carriage, self._clock = unit, carriage, clock
        self._limit, self._freed = limit, freed
        self._on_way = set[asyncio.Task[None]]()
        self._full = False
        self._problem: BaseException | None = None

    async def step(self) -> bool:
        """Set out with what is due, as `deliver_due` does; return whether more may be waiting.

        Raises what an earlier attempt raised: its message comes again when its lease ends. ``freed``
        is called when there is room again after there was none.
        """
        if self._problem is not None:
            problem, self._problem = self._problem, None
            raise problem
        wanted = min(BATCH, self._limit - len(self._on_way))
        self._full = wanted == 0
        if self._full:
            return False
        claimed = await _claim(self._unit, self._carriage.channel, self._clock, wanted)
        for each in claimed:
            task = asyncio.create_task(_attempt(self._unit, self._carriage, self._clock, each))
            self._on_way.add(task)
            task.add_done_callback(self._ended)
        return len(claimed) == wanted

    async def finish(self) -> None:
        """Wait until nothing is on its way any more."""
        while self._on_way:
            await asyncio.wait(self._on_way)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._on_way.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._problem = task.exception()
        if self._full:
            self._freed()


async def _claim(unit: UnitOfWork, channel: Channel, clock: Clock, limit: int) -> list[_Claimed]:
    now = clock()
    claimed = list[_Claimed]()
    async with unit() as messages:
        for found in await messages.claim_due(channel, now, limit):
            message = found.started(now)
            doubtful = await messages.doubtful(message.message_id) if found.attempts else ()
            if message.state is MessageState.EXPIRED:
                messages.publish_failed(message, now)
            else:
                claimed.append(_Claimed(message, await messages.contents(message.message_id), doubtful))
            await messages.save(message)
    return claimed


async def _attempt(unit: UnitOfWork, carriage: Carriage, clock: Clock, claimed: _Claimed) -> None:
    message = claimed.message
    outcome = await _ask(unit, carriage, clock, claimed)
    answer = _Answer(outcome) if outcome else await _hand_over(unit, carriage, clock, claimed)
    now = clock()
    answered = message.answered(answer.outcome, now)
    async with unit() as messages:
        if answer.provider is not None:
            await messages.close_attempt(message, answer.provider, answer.outcome, now)
        if answered.state is MessageState.SENT:
            messages.publish_sent(answered, now)
        elif answered.state.final:
            messages.publish_failed(answered, now)
        await messages.save(answered)


async def _ask(unit: UnitOfWork, carriage: Carriage, clock: Clock, claimed: _Claimed) -> Outcome | None:
    """Return what became of earlier calls; None when nothing of the message is with anybody."""
    message_id = claimed.message.message_id
    for name in claimed.doubtful:
        provider = carriage.providers.get(name)
        found = await provider.find(message_id) if provider else Outcome.UNKNOWN
        if not found.settled:
            return Outcome.UNKNOWN
        async with unit() as messages:
            await messages.settle(message_id, name, found, clock())
        if found is not Outcome.NEVER_ARRIVED:
            return found
    return None


async def _hand_over(unit: UnitOfWork, carriage: Carriage, clock: Clock, claimed: _Claimed) -> _Answer:
    message, answer = claimed.message, _Answer(Outcome.REFUSED_FOR_NOW)
    for name in carriage.routing.order(clock(), first=claimed.doubtful):
        now = clock()
        if message.next_attempt_at is not None and now + carriage.longest_call > message.next_attempt_at:
            break  # somebody else may hold it by the time this call ends
        async with unit() as messages:
            if answer.provider is not None:
                await messages.close_attempt(message, answer.provider, answer.outcome, now)
            await messages.open_attempt(message, name, now)
        answer = _Answer(await _call(carriage, clock, name, claimed), name)
        if answer.outcome is not Outcome.REFUSED_FOR_NOW:
            break
    return answer


async def _call(carriage: Carriage, clock: Clock, name: str, claimed: _Claimed) -> Outcome:
    """Send over one provider; one that gave no answer is asked at once, though only for a sure one.

    "Never arrived" may be said too early, while the call is still on its way: that waits for the next attempt.
    """
    provider, began = carriage.providers[name], time.monotonic()
    outcome = await provider.send(claimed.message.message_id, claimed.contents)
    failed = outcome in (Outcome.UNKNOWN, Outcome.REFUSED_FOR_NOW)
    carriage.routing.noted(name, clock(), failed=failed, seconds=time.monotonic() - began)
    if outcome.settled:
        return outcome
    found = await provider.find(claimed.message.message_id)
    return outcome if found is Outcome.NEVER_ARRIVED else found
