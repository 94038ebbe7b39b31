from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from chassis.readiness import Readiness
from chassis.run import Part, run


def recording(name: str, order: list[str]) -> Part:
    async def serve(stop: asyncio.Event) -> None:
        await stop.wait()
        order.append(name)

    return Part(name, serve)


def part(serve: Callable[[asyncio.Event], Awaitable[None]]) -> Part:
    return Part("odd", serve)


async def test_a_signal_drains_the_parts_in_reverse_order_and_ends_well(tmp_path: Path) -> None:
    ready, order = Readiness("database", ready_file=tmp_path / "ready"), list[str]()
    ready.set("database", holds=True)
    parts = [recording(name, order) for name in ("relay", "consumer", "door")]
    running = asyncio.create_task(run(parts, ready=ready))
    await asyncio.sleep(0.01)
    assert (tmp_path / "ready").read_text() == f"{os.getpid()}\n"
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == 0
    assert order == ["door", "consumer", "relay"]
    assert ready.missing() == ("draining",)
    assert not (tmp_path / "ready").exists()


async def test_a_part_that_fails_brings_the_process_down_after_draining_the_others() -> None:
    order = list[str]()

    async def fail(_: asyncio.Event) -> None:
        await asyncio.sleep(0)
        raise RuntimeError

    parts = [recording("relay", order), part(fail)]
    assert await run(parts, ready=Readiness("x")) == 1
    assert order == ["relay"]


async def test_a_part_that_returns_early_counts_as_dead() -> None:
    async def leave(_: asyncio.Event) -> None:
        return

    assert await run([part(leave)], ready=Readiness("x")) == 1


async def test_a_part_that_does_not_end_is_cut_off_after_the_grace() -> None:
    async def hang(_: asyncio.Event) -> None:
        await asyncio.sleep(60)

    stop = asyncio.Event()
    stop.set()
    assert await run([part(hang)], ready=Readiness("x"), stop=stop, grace_seconds=0.05) == 1


async def test_a_second_signal_ends_the_drain_at_once() -> None:
    async def hang(_: asyncio.Event) -> None:
        await asyncio.sleep(60)

    running = asyncio.create_task(run([part(hang)], ready=Readiness("x")))
    for _ in range(2):
        await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)
    async with asyncio.timeout(5):
        assert await running == 1


async def test_a_process_is_ready_only_while_every_condition_holds() -> None:
    ready, heard = Readiness("database", "bus"), list[bool]()
    ready.on_change(heard.append)
    ready.set("database", holds=True)
    assert ready.missing() == ("bus",)
    waiting = asyncio.create_task(ready.wait())
    ready.set("bus", holds=True)
    await waiting
    ready.set("bus", holds=False)
    ready.set("bus", holds=True)
    ready.drain()
    ready.set("bus", holds=True)
    assert heard == [False, True, False, True, False]


def test_a_stale_ready_file_is_gone_before_the_first_condition(tmp_path: Path) -> None:
    stale = tmp_path / "ready"
    stale.write_text("1")
    Readiness("database", ready_file=stale)
    assert not stale.exists()


@pytest.mark.parametrize("named", [(), ("database",)])
def test_a_process_without_stated_conditions_is_not_ready(named: tuple[str, ...]) -> None:
    assert not Readiness(*named).ready
