"""P14: while one part stands still, or is dead, the others answer, events queue, and no call hangs.

A stopped process (SIGSTOP) is worse than a dead one: its connections stay open and nothing comes back.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import pytest

from tests.chaos.freezing import frozen
from tests.chaos.ground import CALLER_SECONDS, MARGIN_SECONDS, Ground, tell
from tests.chaos.probes import Probes
from tests.stacks.local import SERVICES

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.promise("P14"),
    pytest.mark.timeout(900),
]
STILL_SECONDS = (3.5, 5.0)
"""Longer than the lease of a partition on the PostgreSQL bus; the seed chooses within."""
LONG_SECONDS = CALLER_SECONDS + 6.0
"""Past every deadline; only in long runs, every third seed."""
ANSWER_SECONDS = 3.0
"""How long a probe waits: what does not need the stopped part answers far sooner."""


@pytest.mark.parametrize("victim", SERVICES)
async def test_a_stopped_service_holds_nobody_up(
    ground: Ground, victim: str, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    for seed in seeds if len(seeds) > 2 else seeds[:1]:
        rng = random.Random(f"{victim}/{seed}")
        still = LONG_SECONDS if seed % 3 == 0 else rng.uniform(*STILL_SECONDS)
        async with Probes(ground.stack, ANSWER_SECONDS) as probes, ground.under_load(seed):
            await asyncio.sleep(rng.uniform(0.3, 1.0))
            async with frozen(ground.stack.state.processes[victim].pid):
                slowest = await probes.others_answer(victim, still)
            began = time.monotonic()
            await probes.answers(victim)
            back = time.monotonic() - began
        verdict = await ground.verdict()
        told = tell(
            f"stopped_service {victim}", seed, ground, verdict, still=still, back=back, others_slowest=slowest
        )
        record_property(
            "measured", f"{victim} stopped {still:.1f} s: others ≤ {slowest * 1000:.0f} ms, back {back:.2f} s"
        )
        verdict.assert_sound(told)
        assert ground.calls.longest_seconds < CALLER_SECONDS + MARGIN_SECONDS, told


async def test_a_stopped_database_makes_every_door_say_so_in_time(
    ground: Ground, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    seed = seeds.start
    still = random.Random(f"postgres/{seed}").uniform(4.0, 6.0)
    async with ground.under_load(seed):
        await asyncio.sleep(0.5)
        async with frozen(ground.stack.state.processes["postgres"].pid):
            await asyncio.sleep(still)
    verdict = await ground.verdict()
    told = tell("stopped_database", seed, ground, verdict, still=still)
    record_property(
        "measured", f"postgres stopped {still:.1f} s: settled {verdict.settled_seconds:.1f} s after"
    )
    verdict.assert_sound(told)
    assert ground.calls.longest_seconds < CALLER_SECONDS + MARGIN_SECONDS, told
