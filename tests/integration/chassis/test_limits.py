"""Budgets hold under concurrency, slide with time, and survive a restart; on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chassis.db import Database
from chassis.errors import Fault
from chassis.limits import LIMITS_V1, Budget, PostgresWindows, RateLimits

OTP = Budget("otp_by_phone", 5, 3600)
KEY = b"0123456789abcdef"


class Hand:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.present = datetime(2026, 11, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.present

    def forward(self, seconds: float) -> None:
        self.present += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
async def database(fresh_database, clock) -> Any:
    opened = await Database.open(await fresh_database(LIMITS_V1), now=clock, max_size=8)
    yield opened
    await opened.close()


async def test_of_thirty_parallel_tries_only_the_budget_passes(database) -> None:
    limits = RateLimits(database, KEY)
    tries = await asyncio.gather(
        *(limits.check(OTP, "19900000000") for _ in range(30)), return_exceptions=True
    )
    assert [each.code for each in tries if isinstance(each, Fault)] == ["TOO_MANY_REQUESTS"] * 25
    await limits.check(OTP, "19900000001")


async def test_a_refusal_says_when_the_oldest_try_stops_counting(database, clock) -> None:
    limits = RateLimits(database, KEY)
    for _ in range(5):
        await limits.check(OTP, "k")
        clock.forward(600)
    with pytest.raises(Fault) as refused:
        await limits.check(OTP, "k")
    assert refused.value.retry_after_seconds == pytest.approx(600)
    assert refused.value.metadata == {"budget": "otp_by_phone"}
    clock.forward(refused.value.retry_after_seconds)
    await limits.check(OTP, "k")
    with pytest.raises(Fault):
        await limits.check(OTP, "k")


async def test_counts_survive_a_restart_and_are_kept_without_the_key(database) -> None:
    await RateLimits(database, KEY).check(OTP, "19900000000", cost=5)
    with pytest.raises(Fault):
        await RateLimits(database, KEY).check(OTP, "19900000000")
    kept = await database.pool.fetchval("SELECT key FROM rate_window")
    assert "19900000000" not in kept


async def test_a_cost_above_the_whole_budget_is_always_refused(database) -> None:
    with pytest.raises(Fault):
        await RateLimits(database, KEY).check(OTP, "k", cost=6)


async def test_reset_gives_the_budget_back_and_old_windows_are_forgotten(database, clock) -> None:
    limits = RateLimits(database, KEY)
    await limits.check(OTP, "k", cost=5)
    await limits.reset(OTP, "k")
    await limits.check(OTP, "k", cost=5)
    assert await limits.forget_expired() == 0
    clock.forward(3601)
    assert await limits.forget_expired() == 1


async def test_fixed_windows_of_the_storage_begin_with_their_first_entry(database, clock) -> None:
    storage = PostgresWindows(database)
    assert await storage.check()
    assert [await storage.incr("k", 60), await storage.incr("k", 60, 2)] == [1, 3]
    assert await storage.get("k") == 3
    assert await storage.get_expiry("k") == clock().timestamp() + 60
    clock.forward(61)
    assert await storage.get("k") == 0
    assert await storage.incr("k", 60) == 1
    assert await storage.reset() == 1
