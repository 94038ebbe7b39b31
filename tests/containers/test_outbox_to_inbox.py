"""Outbox → Kafka → inbox on the two containers, while each of them is killed under load and started again."""

from __future__ import annotations

import asyncio

import pytest

from chassis.errors import Fault, Kind
from tests.containers.servers import KafkaContainer, KillableContainer, PostgresContainer
from tests.integration.messaging.rig import Rig, running
from tests.integration.messaging.test_faults import assert_each_once

pytestmark = [
    pytest.mark.containers,
    pytest.mark.kafka,
    pytest.mark.chaos,
]
_PASSING = {Kind.UNAVAILABLE, Kind.ABORTED, Kind.DEADLINE_EXCEEDED}


async def test_committed_events_take_effect_once_and_in_order(rig: Rig) -> None:
    async with running(rig.relay(), rig.consumer()):
        for number in range(100):
            await rig.move(f"k{number % 5}")
        effects = await rig.settled(100)
    assert_each_once(effects, await rig.all_moves())


@pytest.mark.promise("P2")
async def test_a_kafka_container_killed_under_load_loses_nothing(
    rig: Rig, kafka_container: KafkaContainer
) -> None:
    await _survives(rig, kafka_container)


@pytest.mark.promise("P2")
async def test_a_postgres_container_killed_under_load_loses_nothing_that_was_committed(
    rig: Rig, postgres_container: PostgresContainer
) -> None:
    await _survives(rig, postgres_container)


async def _survives(rig: Rig, victim: KillableContainer) -> None:
    done, confirmed = asyncio.Event(), []

    async def load() -> None:
        number = 0
        while not done.is_set():
            key = f"k{number % 10}"
            try:
                confirmed.append((key, await rig.move(key)))
            except Fault as problem:
                if problem.kind not in _PASSING:
                    raise
            number += 1
            await asyncio.sleep(0.01)

    async with running(rig.relay(), rig.consumer()):
        loading = asyncio.create_task(load())
        await asyncio.sleep(1.5)
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(victim.restart)
        await asyncio.sleep(1.5)
        done.set()
        await loading
        moves = await rig.all_moves()
        effects = await rig.settled(len(moves), 120)
    assert set(confirmed) <= {(key, version) for _, key, version in moves}
    assert_each_once(effects, moves)
