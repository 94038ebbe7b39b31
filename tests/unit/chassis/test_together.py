"""Calls that share statements: company under load, none when quiet, and nobody pays for another's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.together import Together

LULL = 0.005
whose: ContextVar[str] = ContextVar("whose", default="nobody's")


class Server:
    """Doubles numbers; refuses the round that holds a number in ``wrong``, is away while ``outage`` holds."""

    def __init__(self, *wrong: int, outage: bool = False, takes_seconds: float = 0.001) -> None:
        self.rounds: list[list[int]] = []
        self.contexts: list[str] = []
        self._wrong, self._outage, self._takes = wrong, outage, takes_seconds

    async def run(self, asks: Sequence[int]) -> list[int]:
        self.rounds.append(list(asks))
        self.contexts.append(whose.get())
        await asyncio.sleep(self._takes)
        if self._outage:
            raise PEER_UNAVAILABLE(peer="database")
        if set(asks) & set(self._wrong):
            raise ValueError(asks)
        return [2 * each for each in asks]


async def test_a_call_that_finds_nothing_under_way_goes_at_once_and_alone() -> None:
    server = Server()
    together = Together("double", server.run, lull_seconds=60)
    async with asyncio.timeout(5):
        assert [await together.ask(number) for number in range(3)] == [0, 2, 4]
    assert server.rounds == [[0], [1], [2]]


async def test_calls_that_come_meanwhile_share_the_next_round_in_their_order() -> None:
    server = Server()
    together = Together("double", server.run, lull_seconds=LULL)
    assert await asyncio.gather(*(together.ask(number) for number in range(20))) == [2 * n for n in range(20)]
    assert server.rounds == [list(range(20))]


async def test_a_round_is_bounded_and_the_rest_waits_for_the_next() -> None:
    server = Server()
    together = Together("double", server.run, lull_seconds=LULL, most=8)
    await asyncio.gather(*(together.ask(number) for number in range(20)))
    assert [len(each) for each in server.rounds] == [8, 8, 4]


async def _arriving(together: Together[int, int], every_seconds: float, count: int) -> list[int]:
    """Ask once, then again and again while the first round is under way and after it."""
    asks = [asyncio.create_task(together.ask(0))]
    for number in range(1, count):
        await asyncio.sleep(every_seconds)
        asks.append(asyncio.create_task(together.ask(number)))
    return list(await asyncio.gather(*asks))


async def test_a_round_waits_while_asks_keep_coming() -> None:
    server = Server(takes_seconds=0.05)
    together = Together("double", server.run, lull_seconds=0.1, longest_seconds=60)
    assert await _arriving(together, 0.01, 8) == [2 * number for number in range(8)]
    assert server.rounds == [[0], list(range(1, 8))]


async def test_asks_that_never_cease_are_answered_in_time_all_the_same() -> None:
    server = Server(takes_seconds=0.05)
    together = Together("double", server.run, lull_seconds=0.1, longest_seconds=0.05)
    assert await _arriving(together, 0.005, 60) == [2 * number for number in range(60)]
    assert len(server.rounds) > 2


async def test_a_full_round_waits_for_nobody() -> None:
    server = Server()
    together = Together("double", server.run, lull_seconds=60, longest_seconds=60, most=4)
    async with asyncio.timeout(5):
        await asyncio.gather(*(together.ask(number) for number in range(8)))
    assert [len(each) for each in server.rounds] == [4, 4]


async def test_a_wrong_ask_fails_alone() -> None:
    server = Server(7)
    together = Together("double", server.run, lull_seconds=LULL)
    answers = await asyncio.gather(*(together.ask(number) for number in range(10)), return_exceptions=True)
    assert isinstance(answers.pop(7), ValueError)
    assert answers == [2 * number for number in range(10) if number != 7]


async def test_an_outage_is_told_to_everybody_and_not_tried_again() -> None:
    server = Server(outage=True)
    together = Together("double", server.run, lull_seconds=LULL)
    answers = await asyncio.gather(*(together.ask(number) for number in range(10)), return_exceptions=True)
    assert {each.code for each in answers if isinstance(each, Fault)} == {"PEER_UNAVAILABLE"}
    assert len(server.rounds) == 1


async def test_a_caller_that_leaves_takes_nobody_along_and_the_next_ones_are_answered() -> None:
    server = Server()
    together = Together("double", server.run, lull_seconds=LULL)
    callers = [asyncio.create_task(together.ask(number)) for number in range(3)]
    await asyncio.sleep(0)
    callers[1].cancel()
    await asyncio.wait(callers)
    assert callers[1].cancelled()
    assert [callers[0].result(), callers[2].result()] == [0, 4]
    assert await together.ask(5) == 10


async def test_a_round_runs_in_no_callers_context() -> None:
    server = Server()
    together = Together("double", server.run, lull_seconds=LULL)
    whose.set("the first caller's")
    await together.ask(1)
    assert server.contexts == ["nobody's"]


async def test_too_few_answers_are_an_error_of_the_round() -> None:
    async def forgetful(asks: Sequence[int]) -> list[int]:
        return list(asks)[1:]

    together = Together("forget", forgetful, lull_seconds=LULL)
    async with asyncio.timeout(5):
        with pytest.raises(ValueError, match="shorter"):
            await together.ask(1)
