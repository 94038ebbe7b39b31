"""F1: the relay is killed at each step of its work; the bus holds every event, each key's in order.

10 kills over 500 events a seed: ``--seeds 20`` makes it 200 kills over one log of 10,000.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.integration.messaging.conftest import BOTH
from tests.integration.messaging.killed_relay import STEPS, run_relay
from tests.integration.messaging.rig import Rig, running
from tests.integration.messaging.test_faults import report

pytestmark = [pytest.mark.promise("P4"), pytest.mark.timeout(600)]
KILLS_PER_SEED, EVENTS_PER_SEED = 10, 500
KEYS = 40
UNSENT = "select count(*) from event_log where published_at is null"


@BOTH
async def test_f1_a_relay_killed_at_any_step_loses_nothing_and_keeps_each_keys_order(
    rig: Rig, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["tests.integration.messaging.killed_relay"])
    chance, began = random.Random(seeds.start), time.monotonic()
    versions: Counter[str] = Counter()
    kills: Counter[str] = Counter()
    for number in range(KILLS_PER_SEED * len(seeds)):
        await write(rig, chance, versions, number, len(seeds))
        step = STEPS[number % len(STEPS)]
        process = forks.Process(target=run_relay, args=(rig.writer_dsn, rig.config, step, number))
        process.start()
        await asyncio.to_thread(process.join, 60)
        assert process.exitcode == -signal.SIGKILL, f"{step}: {process.exitcode}"
        process.close()
        kills[step] += 1
    assert await rig.writer.pool.fetchval(UNSENT) > 0, "a killed relay left nothing to the next one"
    async with running(rig.relay(poll_seconds=0.1)), asyncio.timeout(60):
        while await rig.writer.pool.fetchval(UNSENT):
            await asyncio.sleep(0.05)
    found = report(await rig.log(), await rig.all_moves())
    seconds = time.monotonic() - began
    record_property("measured", f"{kills.total()} kills, {found['sent']} events, {seconds:.0f} s: {found}")
    assert found["sent"] == EVENTS_PER_SEED * len(seeds)
    assert found["missing"] == found["inversions"] == 0
    assert min(kills.values()) == KILLS_PER_SEED * len(seeds) // len(STEPS)


async def write(rig: Rig, chance: random.Random, versions: Counter[str], number: int, seeds: int) -> None:
    """Commit the events that a kill needs: enough that a batch is always there, all of them by the last."""
    count = EVENTS_PER_SEED // KILLS_PER_SEED + (200 if not number else 0)
    count = min(count, EVENTS_PER_SEED * seeds - versions.total())
    async with rig.writer.transaction() as tx:
        for _ in range(count):
            key = f"k{chance.randrange(KEYS)}"
            versions[key] += 1
            tx.publish(rig.event(counter_id=key, number=versions[key]), versions[key])
