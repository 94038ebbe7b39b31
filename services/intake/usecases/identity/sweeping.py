"""Forget what has run out: nothing personal stays longer than it serves (PIPL 19)."""

from __future__ import annotations

from datetime import timedelta

from services.intake.domain.identity.challenge import FAILURE_WINDOW, LOCK_OUT
from services.intake.usecases.identity.ports import LogIn

KEEP_CHALLENGES = FAILURE_WINDOW + LOCK_OUT + timedelta(minutes=5)
KEEP_ASSERTIONS = timedelta(minutes=5)
"""Past their expiry, more than the leeway in verifying them."""


async def forget_expired(log_in: LogIn) -> int:
    """Delete what no longer counts: challenges past any lock-out, ids of expired assertions, counts of tries.

    Return how many rows went.
    """
    async with log_in.open_work() as work:
        now = work.now()
        challenges = await work.challenges.forget(now - KEEP_CHALLENGES)
        assertions = await work.assertions.forget(now - KEEP_ASSERTIONS)
    return challenges + assertions + await log_in.limits.forget_expired()
