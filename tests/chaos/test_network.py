"""Slow, throttled, cut and half-cut networks between the services, each in a network namespace of its own (P14)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from cli.local.control import Wanted
from cli.local.layout import SEAL_TSA, SERVICES, Layout
from cli.local.ports import free_port
from cli.local.state import StackState
from tests.chaos.ground import CALLER_SECONDS, MARGIN_SECONDS, Ground, Verdict, tell, working
from tests.chaos.namespaces import Network, network
from tests.chaos.probes import Probes
from tests.chaos.slow_link import Slowness, slow_link
from tests.stacks.local import ROOT
from tests.stacks.shaped import Shape, shaped_stack

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.e2e,
    pytest.mark.promise("P14"),
    pytest.mark.timeout(1800),
]
CALLS = (
    ("intake", "certs"), ("intake", "seal"), ("intake", "notify"), ("certs", "intake"), ("certs", "seal"),
    ("seal", "certs"), ("notify", "intake"),
)  # fmt: skip
"""Who calls whom over gRPC."""
CUT_SECONDS = (3.5, 5.0)
ANSWER_SECONDS = 3.0
SLOW_SECONDS = 6.0
THROTTLE_KILOBITS = 3_000
"""With 100 ms: the link that the measuring rules name (bar 1.6 rule 5)."""


async def test_slow_and_cut_networks_lose_nothing_and_hold_nobody_up(
    seeds: range, record_property: Callable[[str, object], None]
) -> None:
    chosen = seeds if len(seeds) > 2 else seeds[:1]
    with network(SERVICES) as net:
        slowness = Slowness(chosen.start)
        async with apart(net, slowness, chosen.start) as ground:
            for seed in chosen:
                for fault in (one_way, cut, slow):
                    ground.calls.clear()
                    measured = await fault(ground, net, slowness, seed)
                    verdict = await ground.verdict()
                    judge(ground, verdict, fault.__name__, seed, measured, record_property)


def judge(
    ground: Ground,
    verdict: Verdict,
    fault: str,
    seed: int,
    measured: dict[str, object],
    record_property: Callable[[str, object], None],
) -> None:
    told = tell(f"networks {fault}", seed, ground, verdict, **measured)
    record_property("measured", f"{fault} {measured}: settled {verdict.settled_seconds:.1f} s after")
    verdict.assert_sound(told)
    assert ground.calls.longest_seconds < CALLER_SECONDS + MARGIN_SECONDS, told


async def cut(ground: Ground, net: Network, _slowness: Slowness, seed: int) -> dict[str, object]:
    """Cut one service off, both ways, silently."""
    rng = random.Random(f"cut/{seed}")
    victim, seconds = rng.choice(SERVICES), rng.uniform(*CUT_SECONDS)
    async with Probes(ground.stack, ANSWER_SECONDS) as probes, ground.under_load(seed):
        await asyncio.sleep(0.5)
        with net.cut(victim):
            slowest = await probes.others_answer(victim, seconds)
        await probes.answers(victim)
    return {"victim": victim, "cut": seconds, "others_slowest": slowest}


async def one_way(ground: Ground, net: Network, _slowness: Slowness, seed: int) -> dict[str, object]:
    """Lose the answers only: what is asked for happens, and nobody hears of it."""
    rng = random.Random(f"one_way/{seed}")
    victim, seconds = rng.choice(("certs", "seal", "intake")), rng.uniform(*CUT_SECONDS)
    async with ground.under_load(seed):
        await asyncio.sleep(0.5)
        with net.cut(victim, into=False):
            await asyncio.sleep(seconds)
    return {"victim": victim, "cut": seconds}


async def slow(ground: Ground, net: Network, slowness: Slowness, seed: int) -> dict[str, object]:
    """Have every link between services at 3 Mbit/s and 100 ms with jitter; nothing fails, all is only slower."""
    slowness.delay_seconds, slowness.jitter_seconds = 0.05, 0.02
    slowness.bytes_per_second = THROTTLE_KILOBITS * 1000 / 8
    try:
        with net.throttled("intake", THROTTLE_KILOBITS):
            async with ground.under_load(seed):
                await asyncio.sleep(SLOW_SECONDS)
    finally:
        slowness.delay_seconds = slowness.jitter_seconds = slowness.bytes_per_second = 0.0
    assert set(ground.calls.outcomes) == {"answered"}, ground.calls.words()
    return {"throttled_kilobits": THROTTLE_KILOBITS, "longest": ground.calls.longest_seconds}


def eight_in_a_row() -> int:
    """Return the first of eight ports that are all ours: two for each service."""
    while (given := [free_port() for _ in range(8)]) != [*range(given[0], given[0] + 8)]:
        pass
    return given[0]


@asynccontextmanager
async def apart(net: Network, slowness: Slowness, seed: int) -> AsyncIterator[Ground]:
    """Run a stack whose services have a namespace each, their calls to each other over slow links."""
    first = eight_in_a_row()
    async with AsyncExitStack() as opened:
        links = {
            (caller, callee): await opened.enter_async_context(
                slow_link(net.gateway, net.address(callee), first + 2 * SERVICES.index(callee) + 1, slowness)
            )
            for caller, callee in CALLS
        }

        def shape(_layout: Layout, state: StackState) -> Shape:
            for name, at in state.services.items():
                at.http = f"{net.address(name)}:{at.http.rpartition(':')[2]}"
                at.grpc = f"{net.address(name)}:{at.grpc.rpartition(':')[2]}"
            state.tsa = (
                f"{net.gateway}:{str(state.tsa).rpartition(':')[2]}"  # outside, as what seal calls alone
            )
            environment = {
                name: {f"TONGBAN_{name}_{kind}_HOST".upper(): net.address(name) for kind in ("grpc", "http")}
                for name in SERVICES
            }
            environment[SEAL_TSA] = {"TONGBAN_TSA_HTTP_HOST": net.gateway}
            for (caller, callee), port in links.items():
                environment[caller][f"TONGBAN_{caller}_{callee}_ADDRESS".upper()] = f"{net.gateway}:{port}"
            return Shape(prefix={name: net.inside(name) for name in SERVICES}, environment=environment)

        wanted = Wanted(ROOT / "catalogue", ports_from=first)
        stack = await opened.enter_async_context(shaped_stack(shape, wanted))
        yield await opened.enter_async_context(working(stack, seed))
