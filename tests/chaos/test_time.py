"""Clocks that jump, a year that ends, and an hour in which one service is down."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
import pytest_asyncio

from chassis.auth import signing_key_from_pem
from chassis.clock import system_clock
from chassis.rpc.peer import Peer
from cli.clients.door import Door
from cli.clients.kiosk import Kiosk
from cli.local.authority import open_authority
from cli.local.health import bus_lag
from cli.local.layout import SERVICES, Layout
from cli.local.state import StackState
from services.seal.domain.register import SEAL_EXPIRED
from tests.chaos import clocks
from tests.chaos.ground import Ground, WatchedReach, tell, working
from tests.stacks.shaped import Shape, hold_file, shaped_stack

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.asyncio(loop_scope="module"),
]
JUMP_SECONDS = 600
TOO_EARLY = frozenset({SEAL_EXPIRED.code})
"""The seals of the stack are minutes old: by a clock ten minutes behind their first day has not come."""
JUMPED_SECONDS = 3.0
DOWN_SECONDS = 8.0
"""An hour's events in this time: people work without pause."""
DRAIN_SECONDS = 150.0
AGE_AN_HOUR = {
    "bus": "update msg set at = at - interval '1 hour'",
    "intake": "update event_log set created_at = created_at - interval '1 hour'",
}


@dataclass(frozen=True, slots=True)
class LaterReach(WatchedReach):
    """The public doors, used from terminals whose clock is ahead as the services' are."""

    ahead: timedelta = timedelta()

    def kiosk(self, door: Door, terminal_id: str) -> Kiosk:
        """Return a terminal."""
        tls = open_authority(self.layout.certificates).identity(Peer("terminal", terminal_id))
        key = signing_key_from_pem(tls.key.read_bytes())
        return Kiosk(door, terminal_id, key, now=self.clock)

    def clock(self) -> datetime:
        """Return the services' time."""
        return system_clock() + self.ahead


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def timed(request: pytest.FixtureRequest) -> AsyncIterator[Ground]:
    """A stack whose services' clocks can be set."""

    def shape(layout: Layout, _state: StackState) -> Shape:
        return Shape(environment=clocks.environment(layout))

    async with (
        shaped_stack(shape) as stack,
        working(stack, request.config.getoption("--first-seed"), made_good=TOO_EARLY) as ground,
    ):
        yield ground


@pytest.mark.promise("P14")
@pytest.mark.parametrize("victim", ["notify", "certs"])
async def test_an_hour_without_one_service_is_caught_up_with_each_message_once(
    timed: Ground, victim: str, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    stack, seed = timed.stack, seeds.start
    earlier = timed.cases
    timed.calls.clear()
    hold_file(stack.layout, victim).touch()
    before = stack.kill(victim)
    try:
        async with timed.under_load(seed, thinking_seconds=(0.0, 0.1)):
            await asyncio.sleep(DOWN_SECONDS)
        cases = timed.cases - earlier
        for database, statement in AGE_AN_HOUR.items():
            connection = await asyncpg.connect(stack.dsn(database))
            await connection.execute(statement)
            await connection.close()
        queued = await waiting(timed, victim)
    finally:
        hold_file(stack.layout, victim).unlink()
    began = time.monotonic()
    await stack.ready_again(victim, before)
    verdict = await timed.verdict(DRAIN_SECONDS)
    drained = time.monotonic() - began
    told = tell(f"hour {victim}", seed, timed, verdict, queued=queued, drained=drained)
    record_property(
        "measured", f"{victim} down an hour: {queued} events queued, drained {drained:.1f} s after its start"
    )
    verdict.assert_sound(told)
    assert cases > 0, f"nobody could work without {victim}: {told}"
    assert queued >= cases, told


async def waiting(ground: Ground, service: str) -> int:
    """Return how many events wait for a service on the bus."""
    lag = await bus_lag(ground.stack.layout, ground.stack.state)
    assert lag is not None
    return lag[service]


@pytest.mark.promise("P20")
async def test_clocks_that_jump_break_nothing_for_good(
    timed: Ground, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    for seed in seeds if len(seeds) > 2 else seeds[:1]:
        rng = random.Random(f"clock/{seed}")
        victim = rng.choice(SERVICES)
        timed.calls.clear()
        async with timed.under_load(seed):
            for jump in rng.sample((JUMP_SECONDS, -JUMP_SECONDS), 2):
                async with clocks.shifted(timed.stack.layout, jump, victim):
                    await asyncio.sleep(JUMPED_SECONDS)
        verdict = await timed.verdict()
        told = tell(f"clocks {victim}", seed, timed, verdict)
        record_property(
            "measured", f"{victim} ±10 min: {timed.calls.words()}, settled {verdict.settled_seconds:.1f} s"
        )
        verdict.assert_sound(told)


async def test_a_year_ends_under_load(
    timed: Ground, seeds: range, record_property: Callable[[str, object], None]
) -> None:
    now = system_clock()
    ahead = (
        datetime(now.year + 1, 1, 1, tzinfo=UTC) - timedelta(hours=8, seconds=8) - now
    )  # midnight in China
    async with clocks.shifted(timed.stack.layout, int(ahead.total_seconds()), *clocks.CLOCKS):
        reach = LaterReach(timed.stack.layout, timed.stack.state, timed.calls, ahead)
        async with working(
            timed.stack,
            seeds.start + 1_000,
            reach=reach,
            before=timed.everybody(),
            clock=reach.clock,
            made_good=TOO_EARLY,
        ) as ground:
            async with ground.under_load(seeds.start):
                await asyncio.sleep(12)
            verdict = await ground.verdict()
            told = tell("year_ends", seeds.start, ground, verdict)
            verdict.assert_sound(told)
            numbers = {number for number, _ in verdict.evidence.cases.values()}
            record_property("measured", f"{len(numbers)} case numbers over the end of {now.year}")
