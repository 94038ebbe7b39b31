"""A member that is told to stop while it regroups does stop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.bus import BusConfig
from chassis.bus.postgres_group import GroupMember


class Quiet(GroupMember):
    """A member whose server agrees to everything."""

    async def _connect(self, purpose: str) -> Any:
        del purpose
        return self

    async def _renew(self, connection: Any) -> None:
        """Keep what there is."""

    async def add_listener(self, *_: object) -> None:
        """Listen to nobody."""

    def is_closed(self) -> bool:
        return False

    def terminate(self) -> None:
        """Close nothing."""


@pytest.mark.parametrize("ticks", range(6))
async def test_a_member_that_is_cancelled_while_it_wakes_to_regroup_ends(ticks: int) -> None:
    """asyncio.wait_for of Python 3.11 swallows a cancellation that meets the end of what it waits for."""

    async def nothing(_: object) -> None:
        """Handle no batch."""

    config = BusConfig("postgres", "x", postgres_dsn="postgresql:///x", lease_seconds=60)
    member = Quiet(config, "g", ("t",), nothing)
    leases = asyncio.create_task(member._keep_leases())
    await asyncio.sleep(0.02)
    member._regroup.set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    leases.cancel()
    done, _ = await asyncio.wait([leases], timeout=1)
    leases.cancel()
    assert done, "the cancellation was swallowed"
