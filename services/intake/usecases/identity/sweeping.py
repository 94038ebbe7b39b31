"""Forget what has run out: nothing personal stays longer than it serves (PIPL 19)."""

from __future__ import annotations

from datetime import timedelta

from services.intake.domain.identity.challenge import FAILURE_WINDOW, LOCK_OUT
from services.intake.usecases.identity.ports import OpenIdentity

KEEP_CHALLENGES = FAILURE_WINDOW + LOCK_OUT + timedelta(minutes=5)
KEEP_ASSERTIONS = timedelta(minutes=5)
"""Past their expiry, more than the leeway in verifying them."""


async def forget_expired(open_work: OpenIdentity) -> int:
    """Delete challenges that no longer count for a lock-out, and ids of expired assertions; return how many."""
    async with open_work() as work:
        now = work.now()
        challenges = await work.challenges.forget(now - KEEP_CHALLENGES)
        return challenges + await work.assertions.forget(now - KEEP_ASSERTIONS)
