"""Every service is replaced under load: nothing that was accepted fails, and callers who retry see nothing.

*Accepted* is a call whose connection the server took and whose request it read; it gets its right answer.
A call that meets the moment of change may be refused as UNAVAILABLE before anything happened; the
contract tells callers to repeat those, with the same key, and so do ours.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable

import pytest

from tests.chaos.ground import Ground, tell
from tests.stacks.local import ROOT, SERVICES

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),
]


@pytest.mark.promise("P1")
async def test_rolling_restart_of_every_service_fails_no_accepted_call(
    ground: Ground, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    for seed in seeds if len(seeds) > 2 else seeds[:1]:
        before = {name: ground.stack.state.processes[name].pid for name in SERVICES}
        async with ground.under_load(seed, thinking_seconds=(0.0, 0.2)):
            await asyncio.sleep(0.5)
            seconds = await restart(ground)
            await asyncio.sleep(0.5)
        verdict = await ground.verdict()
        refused = ground.calls.total() - ground.calls.outcomes["answered"]
        told = tell("rolling_restart", seed, ground, verdict, took=str(seconds), refused=refused)
        told += f" cut off: {ground.calls.cut_off}"
        record_property(
            "measured",
            f"{ground.calls.total()} calls, {refused} refused at first, {len(ground.calls.cut_off)} cut off, 0 failed",
        )
        verdict.assert_sound(told)
        after = {name: ground.stack.state.processes[name].pid for name in SERVICES}
        assert all(after[name] != before[name] for name in SERVICES), told
        assert ground.calls.cut_off == [], told
        for name in SERVICES:
            log = ground.stack.log(name, 1_000_000)
            assert "part_cut_off" not in log, f"{name} cut a call off: {told}"
            assert '"clean": false' not in log, f"{name} did not end cleanly: {told}"


async def restart(ground: Ground, *services: str) -> dict[str, float]:
    """Run ``tongban restart --rolling`` as an operator does; return the seconds of each service."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", "restart", "--rolling", *services, "--data-dir", str(ground.stack.layout.home),
        "--json", cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    began = time.monotonic()
    told, _ = await process.communicate()
    assert process.returncode == 0, told.decode()
    assert time.monotonic() - began < 120
    found: dict[str, float] = json.loads(told)["restarted_seconds"]
    return found
