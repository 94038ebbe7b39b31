"""Stacks that several fault tests share, one after the other: a start takes longer than most faults."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from cli.local.kafka import RunningKafka
from tests.chaos.ground import Ground, working
from tests.stacks.local import local_stack

Take = Callable[[int], Awaitable[Ground]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _shared_ground() -> AsyncIterator[Take]:
    """``await take(seed)``: the stack with the PostgreSQL bus; a fresh one after a fault that left damage."""
    async with AsyncExitStack() as stacks:
        present: list[Ground] = []

        async def take(seed: int) -> Ground:
            if not present or not present[-1].sound:
                await stacks.aclose()
                stack = await stacks.enter_async_context(local_stack())
                present.append(await stacks.enter_async_context(working(stack, seed)))
            ground = present[-1]
            ground.sound = False
            ground.calls.clear()
            return ground

        yield take


@pytest_asyncio.fixture(loop_scope="session")
async def ground(_shared_ground: Take, seeds: range) -> Ground:
    """A running stack with people logged in."""
    return await _shared_ground(seeds.start)


@pytest_asyncio.fixture(loop_scope="session")
async def kafka_ground(private_kafka: RunningKafka, seeds: range) -> AsyncIterator[Ground]:
    """A stack of one test on a broker of its own."""
    async with local_stack("kafka", private_kafka.bootstrap) as stack, working(stack, seeds.start) as found:
        yield found


@pytest.fixture
def kafka_broker(private_kafka: RunningKafka) -> RunningKafka:
    """The broker of ``kafka_ground``."""
    return private_kafka
