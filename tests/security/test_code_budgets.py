"""One-time codes are bounded: bursts over many ids and one number, a moved clock, a restart in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chassis.db import Database
from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from chassis.limits import LIMITS_V1, Budget, RateLimits
from services.intake.store.identity import CountedAllowances
from services.intake.usecases.identity.opening import _take_budgets, network_of
from services.intake.usecases.identity.ports import Allowance, CodeBudgets, LogIn

pytestmark = [pytest.mark.promise("P19")]
START = datetime(2026, 3, 2, 1, 0, 30, tzinfo=UTC)
PHONE = "19900000000"


class Bench:
    """A door over one database that can be restarted, and the clock both read."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.moment, self.sent = dsn, START, list[datetime]()
        self.cipher = FieldCipher(parse_keyring(new_keyring(START)), service="intake")
        self.budgets = CodeBudgets()
        self.database: Database | None = None

    async def restart(self) -> None:
        """Forget everything but the database, as a killed process does."""
        if self.database:
            await self.database.close()
        self.database = await Database.open(self.dsn, now=lambda: self.moment, max_size=4)
        self.limits = CountedAllowances(self.database, self.cipher)

    async def ask(
        self, person: int, phone: str = PHONE, terminal: str = "K-1", source: str = "10.0.0.1"
    ) -> bool:
        log_in: LogIn = _Stub(self.limits, self.budgets)  # type: ignore[assignment]
        try:
            await _take_budgets(log_in, person.to_bytes(32, "big"), phone, terminal, source)
        except Fault as fault:
            assert fault.code == "TOO_MANY_REQUESTS"  # noqa: PT017 - one of two good ends
            assert fault.retry_after_seconds  # noqa: PT017
            return False
        self.sent.append(self.moment)
        return True

    async def burst(self, count: int, **given: str) -> int:
        """Have many ask at once, over a hundred ids; return how many got a code."""
        asked = (self.ask(random.randrange(100), **given) for _ in range(count))
        return sum(await asyncio.gather(*asked))


class _Stub:
    def __init__(self, limits: object, budgets: CodeBudgets) -> None:
        self.limits, self.code_budgets = limits, budgets


@pytest.fixture
async def bench(fresh_database: Callable) -> AsyncIterator[Bench]:
    made = Bench(await fresh_database(LIMITS_V1))
    await made.restart()
    yield made
    await made.database.close()


def most_in(moments: list[datetime], length: timedelta) -> int:
    """Return the most moments within any window of a length, wherever it begins."""
    return max(sum(begin <= each < begin + length for each in moments) for begin in moments)


async def test_a_thousand_requests_for_one_number_send_exactly_the_limit(
    bench: Bench, record_property
) -> None:
    """Eleven bursts of a hundred over a day, the process restarted between: 1, then 5 an hour, 10 a day."""
    got = []
    for minute in (0, 0.5, 1, 2, 3, 4, 5, 6, 59, 61, 62, 63, 64, 65, 66, 120, 180, 1000, 1430):
        bench.moment = START + timedelta(minutes=minute)
        got.append(await bench.burst(100))
        await bench.restart()
    record_property("measured", f"1,900 requests, {sum(got)} codes")
    assert got == [1, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert most_in(bench.sent, timedelta(minutes=1)) == 1
    assert most_in(bench.sent, timedelta(hours=1)) == 5
    assert most_in(bench.sent, timedelta(days=1)) == 10
    bench.moment = START + timedelta(days=1, seconds=1)
    assert await bench.burst(100) == 1


async def test_no_window_of_a_provider_that_keeps_to_the_clock_is_passed(bench: Bench) -> None:
    """1 a minute, 5 an hour, 10 a day, wherever its minutes, hours and days begin."""
    rng = random.Random(19)
    for _ in range(150):
        bench.moment += timedelta(seconds=rng.choice([1, 7, 20, 45, 61, 300, 1500]))
        await bench.ask(rng.randrange(100))
    for length, amount in ((60, 1), (3_600, 5), (86_400, 10)):
        for shift in range(0, length, max(1, length // 20)):
            windows = [int((each.timestamp() - shift) // length) for each in bench.sent]
            assert max(map(windows.count, windows)) <= amount


async def test_one_person_with_many_numbers_is_bounded_too(bench: Bench) -> None:
    got = await asyncio.gather(*(bench.ask(7, f"199{n:08d}") for n in range(100)))
    assert sum(got) == 1


@pytest.mark.parametrize(
    ("budgets", "given"),
    [
        (CodeBudgets(per_terminal=20), {"terminal": "K-9"}),
        (CodeBudgets(per_network=20), {"source": "203.0.113.7"}),
        (CodeBudgets(in_all=20), {}),
    ],
    ids=["kiosk", "network", "in all"],
)
async def test_a_burst_over_many_persons_and_numbers_stops_exactly_at_the_limit(
    bench: Bench, budgets, given
) -> None:
    bench.budgets = budgets

    async def burst(first: int) -> int:
        people = range(first, first + 100)
        return sum(await asyncio.gather(*(bench.ask(n, f"199{n:08d}", **given) for n in people)))

    assert await burst(0) == 20
    await bench.restart()
    assert await burst(1_000) == 0
    if given:
        other = {"terminal": "K-8", "source": "198.51.100.7"}
        assert await bench.ask(5_000, "19900005000", **other)
    bench.moment = START.replace(hour=START.hour + 1, minute=0, second=0)
    assert await burst(2_000) == 20


async def test_a_refusal_by_one_budget_uses_up_no_other(bench: Bench) -> None:
    bench.budgets = CodeBudgets(in_all=1)
    assert await bench.ask(1, "19900000001")
    assert not await bench.ask(2, "19900000002")
    bench.budgets = CodeBudgets()
    assert await bench.ask(2, "19900000002")


async def test_the_number_and_the_address_cannot_be_read_back(bench: Bench) -> None:
    await bench.ask(1, source="203.0.113.7")
    rows = await bench.database.pool.fetch("SELECT key FROM rate_window")
    assert len(rows) == 9
    assert not any(PHONE in row["key"] or "203.0.113" in row["key"] for row in rows)


async def test_a_clock_that_goes_back_gives_nothing_away(bench: Bench) -> None:
    limits = RateLimits(bench.database, b"0123456789abcdef")
    aligned = Budget("a", 2, 60, aligned=True)
    for _ in range(2):
        await limits.check(aligned, "k")
    bench.moment -= timedelta(seconds=90)
    with pytest.raises(Fault):
        await limits.check(aligned, "k")


def test_neighbours_count_as_one_network() -> None:
    assert network_of("203.0.113.7") == network_of("203.0.113.250") == "203.0.113.0/24"
    assert network_of("::ffff:203.0.113.7") == "203.0.113.0/24"
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:ff::9") == "2001:db8:1::/56"
    assert network_of("testclient") == "unknown"


async def test_an_allowance_of_failures_is_looked_at_without_being_taken(bench: Bench) -> None:
    misses = Allowance("misses", 2, 60)
    for _ in range(5):
        await bench.limits.require_left(misses, "k")
    await bench.limits.check(misses, "k", cost=2)
    with pytest.raises(Fault, match="TOO_MANY_REQUESTS"):
        await bench.limits.require_left(misses, "k")
    with pytest.raises(Fault):
        await bench.limits.check(replace(misses), "k")
