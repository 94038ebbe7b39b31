"""The same work on small and on large databases in turns: what size costs, whatever else the machine does."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

from chassis.bus import BusConfig, open_bus
from chassis.event import topics
from chassis.messaging_schema import BUS_V1
from chassis.migrate import migrate
from tests.stacks.postgres import PostgresServer
from tests.volume.case_work import Secrets, Side, open_side
from tests.volume.multiply import multiply

SEED_CASES = 10
SEED_LICENCES = 20
WARM_UP = 2
DATABASES = ("intake", "certs", "bus")
NOT_BY_CASES = frozenset(
    {"batch_try", "bus_state", "case_plan", "case_sequence", "grp", "grp_member", "part", "relay_state"}
)
"""Tables whose size does not follow the number of cases: a plan is kept once for each way to answer the guide."""
QUICK_LOAD = (
    "set synchronous_commit = off",
    "set maintenance_work_mem = '256MB'",
    "set max_parallel_maintenance_workers = 2",
)


@dataclass(frozen=True)
class Ratio:
    """Seconds on small databases by seconds on large ones, paired by round; 1.0 where size costs nothing."""

    steps: dict[str, float]
    whole: float
    """Median over the rounds of the ratio within one round."""
    best_steps: dict[str, float]
    best: float
    """Ratio of the quickest times of either side: what else runs on the machine only ever adds."""
    rounds: int
    large_seconds: float
    """Median of one case."""


@asynccontextmanager
async def two_sizes(
    server: PostgresServer, rows: int, secrets: Secrets
) -> AsyncIterator[tuple[Side, Side, dict[str, str]]]:
    """Give a side with a few cases, one whose tables hold so many rows, and the DSNs of the latter."""
    seeded = {name: await server.create_database() for name in DATABASES}
    made = list(seeded.values())
    try:
        holder = await _seed(seeded, secrets)
        sizes: list[dict[str, str]] = []
        for size in (0, rows):
            copies = {name: await _copy(server, dsn) for name, dsn in seeded.items()}
            made += copies.values()
            for dsn in copies.values():
                await _enlarge(dsn, size)
            sizes.append(copies)
        async with AsyncExitStack() as opened:
            small, large = [await opened.enter_async_context(open_side(each, secrets)) for each in sizes]
            small.holder = large.holder = holder
            # Far from one another and from the copies: numbers of licences and records are unique.
            small.numbers, large.numbers = itertools.count(1 << 40), itertools.count(1 << 41)
            yield small, large, sizes[1]
    finally:
        for dsn in made:
            await server.drop_database(dsn)


async def _seed(dsns: dict[str, str], secrets: Secrets) -> str:
    """Carry a few cases through; return the number of a person who holds licences."""
    await migrate("intake", dsns["intake"])
    await migrate("certs", dsns["certs"])
    connection = await asyncpg.connect(dsns["bus"])
    for statement in BUS_V1:
        await connection.execute(statement)
    await connection.close()
    bus = await open_bus(BusConfig("postgres", "volume", postgres_dsn=dsns["bus"]))
    await bus.create_topics(topics(), 8)
    await bus.close()
    async with open_side(dsns, secrets) as side:
        holder = side.holder = side.world.citizen()
        for number in range(SEED_LICENCES):
            await side.world.stock_licence(holder if number < 2 else side.world.citizen())
        for _ in range(SEED_CASES):
            await side.one_case()
    return holder


async def _copy(server: PostgresServer, dsn: str) -> str:
    template = urlsplit(dsn).path[1:]
    connection = await asyncpg.connect(server.admin_dsn)
    try:
        copied = await connection.fetchval("select 'c' || replace(gen_random_uuid()::text, '-', '')")
        await connection.execute(f'create database "{copied}" template "{template}"')
    finally:
        await connection.close()
    return server.dsn(copied)


async def _enlarge(dsn: str, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for each in QUICK_LOAD:
            await connection.execute(each)
        await multiply(connection, rows, keep=NOT_BY_CASES)
        await connection.execute("vacuum (analyze)")
        await connection.execute("checkpoint")  # or its writes fall into what is measured
    finally:
        await connection.close()


async def measure(small: Side, large: Side, rounds: int) -> Ratio:
    """Have both sides carry a case in each round, the one first in even rounds, the other in odd ones."""
    for side in (small, large) * WARM_UP:
        await side.one_case()
    taken: list[tuple[dict[str, float], dict[str, float]]] = []
    for number in range(rounds):
        for side in (small, large) if number % 2 else (large, small):
            side.took.clear()
            await side.one_case()
        taken.append((dict(small.took), dict(large.took)))
    names = list(taken[0][0])
    sums = [(sum(left.values()), sum(right.values())) for left, right in taken]
    quickest = {
        step: (min(left[step] for left, _ in taken), min(right[step] for _, right in taken)) for step in names
    }
    best_small, best_large = (sum(each) for each in zip(*quickest.values(), strict=True))
    return Ratio(
        {step: _median([left[step] / right[step] for left, right in taken]) for step in names},
        _median([left / right for left, right in sums]),
        {step: round(left / right, 4) for step, (left, right) in quickest.items()},
        round(best_small / best_large, 4),
        rounds,
        _median([right for _, right in sums]),
    )


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 4)
