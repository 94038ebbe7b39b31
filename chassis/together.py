"""Calls that come while a statement is under way share the next one: group commit, and group reading.

A call that finds nothing under way goes at once, so waiting for company costs a quiet system nothing. Under
load a round trip, and a flush of the log to disk, serves as many calls as came meanwhile; what a round costs
beside its asks is paid less often, so it pays to wait until no more are on their way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from chassis.failures import is_outage
from chassis.telemetry import step

MOST_AT_A_TIME = 64
"""Asks in one round; those beyond it wait for the next."""
LULL_SECONDS = 0.001
"""Without a further ask for so long, nobody else is waited for."""
LONGEST_SECONDS = 0.02
"""How long after a round the next begins at the latest when asks are waiting: they wait on top of one another."""

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Together(Generic[Ask, Answer]):
    """Collects asks into rounds, one at a time. ``run`` answers a round in the order of its asks, or not at all.

    A round that fails for another reason than an outage is run again ask by ask: nobody gets an error for
    somebody else's sake. ``name`` stands in each caller's trace.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]],
        *,
        lull_seconds: float = LULL_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
        most: int = MOST_AT_A_TIME,
    ) -> None:
        self._name, self._run, self._most = name, run, most
        self._lull, self._longest = lull_seconds, longest_seconds
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._rounds: asyncio.Task[None] | None = None

    async def ask(self, ask: Ask) -> Answer:
        """Return the answer to one ask. Raises what ``run`` raises.

        A caller that is cancelled leaves; its ask, once in a round, is carried out all the same.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answer))
        if self._rounds is None:
            # In no caller's context: rounds are everybody's, and must not end with one caller's trace.
            self._rounds = asyncio.get_running_loop().create_task(self._keep_going(), context=Context())
        with step(self._name):
            return await answer

    async def _keep_going(self) -> None:
        """Run rounds while asks are waiting."""
        try:
            while self._waiting:
                ends = asyncio.get_running_loop().time() + self._longest
                await self._answer(self._next_round())
                await self._gather(ends)
        finally:
            self._rounds = None

    async def _gather(self, ends: float) -> None:
        """Wait while asks keep coming, until a round is full or the time is up; not at all where nobody waits."""
        loop, before = asyncio.get_running_loop(), 0
        while before < len(self._waiting) < self._most and loop.time() < ends:
            before = len(self._waiting)
            await asyncio.sleep(self._lull)

    def _next_round(self) -> list[tuple[Ask, asyncio.Future[Answer]]]:
        taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        return [(ask, answer) for ask, answer in taken if not answer.done()]

    async def _answer(self, round_: list[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        try:
            found = await self._run([ask for ask, _ in round_]) if round_ else ()
            for (_, answer), each in zip(round_, found, strict=True):
                if not answer.done():
                    answer.set_result(each)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the callers get it
            if len(round_) == 1 or is_outage(problem):
                _fail(round_, problem)
                return
            for alone in round_:
                await self._answer([alone])
        except BaseException:  # the process ends: nobody may wait for ever
            for _, answer in (*round_, *self._waiting):
                answer.cancel()
            self._waiting.clear()
            raise


def _fail(round_: Sequence[tuple[Ask, asyncio.Future[Answer]]], problem: Exception) -> None:
    for _, answer in round_:
        if not answer.done():
            answer.set_exception(problem)
