"""Every service is killed under load, in every order: nothing is lost, doubled or turned round.

``make chaos``; repeat failed runs alone with ``--seeds 4 --first-seed N``.
"""

from __future__ import annotations

import pytest

from cli.local.kafka import RunningKafka
from cli.local.state import Bus
from tests.chaos.outage import Outcome, run_seeds, workers
from tests.stacks.local import local_stack

SEEDS_ON_ONE_STACK = 4
"""Then a fresh one, so that a failure has few causes and the supervisor's growing pauses stay short."""
KAFKA_SEEDS = 2

pytestmark = [pytest.mark.chaos, pytest.mark.e2e]


@pytest.mark.timeout(3600)
async def test_killed_processes_lose_double_and_reorder_nothing(seeds: range) -> None:
    for first in range(seeds.start, seeds.stop, SEEDS_ON_ONE_STACK):
        await outages("postgres", range(first, min(first + SEEDS_ON_ONE_STACK, seeds.stop)))


@pytest.mark.kafka
@pytest.mark.timeout(600)
async def test_killed_processes_lose_double_and_reorder_nothing_on_kafka(
    seeds: range, private_kafka: RunningKafka
) -> None:
    await outages("kafka", range(seeds.start, seeds.start + KAFKA_SEEDS), private_kafka.bootstrap)


async def outages(bus: Bus, seeds: range, kafka_bootstrap: str | None = None) -> None:
    async with local_stack(bus, kafka_bootstrap) as stack, workers(stack, seeds.start) as people:
        outcome = await run_seeds(stack, people, seeds)
        print(f"\n{bus}: {outcome.report()}")
        assert_sound(outcome)


def assert_sound(outcome: Outcome) -> None:
    assert outcome.evidence.cases, "no case was handed in: this run proves nothing"
    assert outcome.problems == [], outcome.report()
