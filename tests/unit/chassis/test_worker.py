"""Repeated work: again while there is more, woken at once, patient with outages only."""

from __future__ import annotations

import asyncio

import pytest

from chassis.errors import PEER_UNAVAILABLE
from chassis.worker import repeating


class Steps:
    """Answers of a step, one after the other; then stops the worker."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers, self.calls, self.stop = list(answers), 0, asyncio.Event()

    async def __call__(self) -> bool:
        self.calls += 1
        if not self.answers:
            self.stop.set()
            return False
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_it_goes_on_at_once_while_there_is_more():
    steps = Steps(True, True, True)
    async with asyncio.timeout(2):
        await repeating("work", steps, every_seconds=60).run(steps.stop)
    assert steps.calls == 4


async def test_a_wake_ends_the_wait():
    woken = asyncio.Event()
    steps = Steps(False)
    running = asyncio.create_task(repeating("work", steps, every_seconds=60, woken=woken).run(steps.stop))
    while steps.calls < 1:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    woken.set()
    async with asyncio.timeout(2):
        await running
    assert steps.calls == 2


async def test_an_outage_is_waited_out():
    steps = Steps(PEER_UNAVAILABLE(peer="database"), True)
    async with asyncio.timeout(2):
        await repeating("work", steps, every_seconds=0.01).run(steps.stop)
    assert steps.calls == 3


async def test_any_other_error_ends_the_part():
    steps = Steps(KeyError("bug"))
    with pytest.raises(KeyError):
        await repeating("work", steps, every_seconds=0.01).run(steps.stop)


async def test_a_worker_cut_off_while_it_waits_leaves_no_task_behind():
    before = asyncio.all_tasks()
    working = asyncio.create_task(repeating("work", Steps(False), every_seconds=60).run(asyncio.Event()))
    await asyncio.sleep(0.05)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
