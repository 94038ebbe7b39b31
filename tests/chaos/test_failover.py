"""The primary database dies for good; its synchronous standby takes over: no acknowledged case is lost (P15)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.local.layout import SERVICES, Layout
from cli.local.state import StackState
from tests.chaos.freezing import family, gone
from tests.chaos.ground import Ground, tell, working
from tests.chaos.probes import Probes
from tests.chaos.standby import Standby
from tests.stacks.shaped import Shape, shaped_stack

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.e2e,
    pytest.mark.promise("P15"),
    pytest.mark.timeout(1800),
]


async def test_a_standby_takes_over_without_losing_an_acknowledged_case(
    seeds: range, record_property: Callable[[str, object], None]
) -> None:
    for seed in seeds if len(seeds) > 2 else seeds[:1]:
        await fail_over(seed, record_property)


async def fail_over(seed: int, record_property: Callable[[str, object], None]) -> None:
    with tempfile.TemporaryDirectory(prefix="tbsock") as sockets:
        Path(sockets).chmod(0o755)

        def shape(_layout: Layout, _state: StackState) -> Shape:
            return Shape(postgres_hosts=["", sockets], revive_postgres=False)

        async with shaped_stack(shape) as stack:
            standby = Standby(stack.layout, Path(sockets))
            try:
                await standby.start()
                async with working(stack, seed) as ground:
                    gap, pids = await _under_load(ground, standby, seed)
                    verdict = await ground.verdict()
                    told = tell("failover", seed, ground, verdict, writing_again=gap)
                    record_property(
                        "measured", f"RPO 0, writing again {gap:.1f} s after kill -9 of the primary"
                    )
                    verdict.assert_sound(told)
                    now = {name: stack.state.processes[name].pid for name in SERVICES}
                    assert now == pids, f"a service was restarted instead of reconnecting: {told}"
            finally:
                standby.stop()


async def _under_load(ground: Ground, standby: Standby, seed: int) -> tuple[float, dict[str, int]]:
    stack = ground.stack
    pids = {name: stack.state.processes[name].pid for name in SERVICES}
    async with Probes(stack, 3.0) as probes, ground.under_load(seed):
        await asyncio.sleep(random.Random(f"failover/{seed}").uniform(1.5, 3.0))
        began = time.monotonic()
        primary = stack.state.processes["postgres"].pid
        for each in family(primary):
            os.kill(each, signal.SIGKILL)
        await gone(primary, 10)
        await asyncio.to_thread(standby.take_the_place)
        await standby.promote()
        for name in SERVICES:
            await probes.answers(name)
        before = ground.cases
        async with asyncio.timeout(60):
            while ground.cases == before:
                await asyncio.sleep(0.05)
        return time.monotonic() - began, pids
