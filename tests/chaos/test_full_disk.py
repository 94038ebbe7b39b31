"""A disk fills up under load: typed refusals, nothing half done, and everything goes on when there is room."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Callable

import pytest

from chassis.errors import Fault, Kind
from cli.local.layout import Layout
from cli.local.state import StackState
from tests.chaos.disks import SmallDisk
from tests.chaos.ground import CALLER_SECONDS, MARGIN_SECONDS, Ground, tell, working
from tests.stacks.applicants import draft
from tests.stacks.shaped import Shape, shaped_stack

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.e2e,
    pytest.mark.promise("P14", "P2"),
    pytest.mark.timeout(1800),
]
DATABASE_MEBIBYTES = 300
FILES_MEBIBYTES = 8
FULL_SECONDS = (4.0, 7.0)
_PASSING = {Kind.UNAVAILABLE, Kind.RESOURCE_EXHAUSTED, Kind.DEADLINE_EXCEEDED}


async def test_a_full_disk_refuses_by_name_and_heals_with_room(
    seeds: range, record_property: Callable[[str, object], None]
) -> None:
    disks: dict[str, SmallDisk] = {}

    def mount(layout: Layout) -> None:
        disks["files"] = SmallDisk(layout.data("intake"), FILES_MEBIBYTES)
        disks["postgres"] = SmallDisk(layout.postgres, DATABASE_MEBIBYTES)

    def shape(_layout: Layout, _state: StackState) -> Shape:
        return Shape()

    try:
        async with shaped_stack(shape, made=mount) as stack, working(stack, seeds.start) as ground:
            for seed in seeds if len(seeds) > 2 else seeds[:1]:
                for name in ("files", "postgres"):
                    await fill_under_load(ground, name, disks[name], seed, record_property)
    finally:
        for disk in disks.values():
            disk.close()
            shutil.rmtree(
                disk.place.parents[0], ignore_errors=True
            )  # a mount point outlives its stack's directory


async def fill_under_load(
    ground: Ground, name: str, disk: SmallDisk, seed: int, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(f"{name}/{seed}")
    ground.calls.clear()
    async with ground.under_load(seed):
        await asyncio.sleep(rng.uniform(0.5, 1.5))
        await asyncio.to_thread(disk.fill)
        refusal = await refused(ground)
        if name == "postgres":  # it cannot start while the disk is full: whoever restarts it must not give up
            ground.stack.kill(name)
        await asyncio.sleep(rng.uniform(*FULL_SECONDS))
        disk.free()
        began, before = time.monotonic(), ground.cases
        async with asyncio.timeout(60):
            while ground.cases == before:
                await asyncio.sleep(0.05)
        healed = time.monotonic() - began
    verdict = await ground.verdict()
    told = tell(f"full_disk {name}", seed, ground, verdict, refused_with=refusal.code, healed=healed)
    record_property(
        "measured", f"{name} full: {refusal.code}, a case done {healed:.1f} s after there was room"
    )
    verdict.assert_sound(told)
    assert refusal.kind in _PASSING, told
    assert "INTERNAL" not in ground.calls.outcomes, told
    assert ground.calls.longest_seconds < CALLER_SECONDS + MARGIN_SECONDS, told


async def refused(ground: Ground) -> Fault:
    """Return the first refusal of a new draft while the disk is full. Raises TimeoutError when none comes."""
    async with asyncio.timeout(30):
        while True:
            try:
                await draft(ground.applicants[0])
            except Fault as problem:
                return problem
