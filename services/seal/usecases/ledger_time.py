"""The ledger's time: tokens over its end, no new seals while they are wanting, and the proof that all of them hold.

Model: X-Road refuses to sign while its message log cannot be time-stamped (bar P8).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import Kind, declare
from services.seal.domain.checkpoints import Checkpoint, CheckpointHead, statement
from services.seal.domain.ledger import Digest
from services.seal.domain.timestamps import TimestampTrust, judge_token, time_of
from services.seal.usecases.ports import Timestamper, UnitOfWork, Work

STAMP_SECONDS = 30.0
"""How often the end of the ledger is stamped, if it moved."""
LAG_LIMIT = timedelta(minutes=10)
_AT_ONCE = 500
LEDGER_TIME_LAG = declare(
    "LEDGER_TIME_LAG",
    Kind.UNAVAILABLE,
    "用印记录的时间戳滞后超过 {limit_seconds} 秒，暂停用印",
    "Time stamping of the ledger lags by more than {limit_seconds} s; no seal is used until it recovers",
)


@dataclass(frozen=True, slots=True)
class Timekeeping:
    """Who stamps documents and the ledger, and how old the oldest unstamped use may be."""

    timestamper: Timestamper
    lag_limit: timedelta = LAG_LIMIT

    @property
    def stamp(self) -> Callable[[bytes], bytes]:
        """What turns a signature value into a token; call it in a thread.

        Raises TIMESTAMP_UNAVAILABLE, TIMESTAMP_WRONG.
        """
        return self.timestamper.token


@dataclass(frozen=True, slots=True)
class CheckpointBreak:
    """What is wrong, by number: the checkpoint, and the first use of the ledger that it leaves unproved."""

    checkpoint: int
    sequence: int
    cause: str


async def check_lag(work: Work, now: datetime, limit: timedelta = LAG_LIMIT) -> None:
    """Return if every use older than the limit is stamped. Raises LEDGER_TIME_LAG, ROW_ALTERED."""
    lag = await lag_of(work, now)
    if lag > limit:
        raise LEDGER_TIME_LAG(limit_seconds=int(limit.total_seconds()))


async def lag_of(work: Work, now: datetime) -> timedelta:
    """Return the age of the oldest use without a stamp; zero where all have one. Raises ROW_ALTERED."""
    newest = await work.checkpoints.newest()
    oldest = await work.checkpoints.oldest_use_after(newest.sequence if newest else 0)
    return max(now - oldest[1], timedelta()) if oldest else timedelta()


async def stamp_ledger(unit: UnitOfWork, timestamper: Timestamper, digest: Digest) -> bool:
    """Have a token over the end of the ledger; return whether there was something new to stamp.

    The token is asked for outside of any transaction; of two processes that stamp the same end one keeps its token.
    Raises TIMESTAMP_UNAVAILABLE, TIMESTAMP_WRONG, ROW_ALTERED, AUDIT_UNWRITABLE.
    """
    async with unit() as work:
        newest, end = await work.checkpoints.newest(), await work.ledger.head()
    before = newest.head(digest) if newest else CheckpointHead()
    if end.sequence <= before.sequence:
        return False
    token = await asyncio.to_thread(timestamper.token, statement(before, end))
    checkpoint = Checkpoint(
        number=before.number + 1,
        sequence=end.sequence,
        row_hash=end.row_hash,
        previous_hash=before.checkpoint_hash,
        token=token,
        stamped_at=time_of(token),
    )
    async with unit() as work:
        return await work.checkpoints.append(checkpoint)


async def check_checkpoints(
    work: Work, trust: TimestampTrust, digest: Digest, now: datetime, limit: timedelta = LAG_LIMIT
) -> CheckpointBreak | None:
    """Return the first checkpoint that does not hold, None if all do and no use waits for one too long.

    The rows themselves are `check_ledger`'s. A cut end shows by a row that a checkpoint names and that is gone,
    or by uses older than the limit that nothing covers.
    """
    reached, at = CheckpointHead(), datetime.min.replace(tzinfo=now.tzinfo)
    while part := await work.checkpoints.after(reached.number, _AT_ONCE):
        for each in part:
            cause = _misfit(each, reached, at) or _untrue(each, trust) or await _unlike(work, each)
            if cause:
                return CheckpointBreak(reached.number + 1, reached.sequence + 1, cause)
            reached, at = each.head(digest), each.stamped_at
    oldest = await work.checkpoints.oldest_use_after(reached.sequence)
    if oldest is not None and now - oldest[1] > limit:
        return CheckpointBreak(reached.number + 1, oldest[0], "missing: older uses have none")
    return None


def _misfit(checkpoint: Checkpoint, before: CheckpointHead, at: datetime) -> str:
    if checkpoint.number != before.number + 1:
        return "missing"
    if checkpoint.previous_hash != before.checkpoint_hash:
        return "not chained to the one before"
    if checkpoint.sequence <= before.sequence:
        return "the ledger does not grow"
    return "the time goes back" if checkpoint.stamped_at < at else ""


def _untrue(checkpoint: Checkpoint, trust: TimestampTrust) -> str:
    result = judge_token(checkpoint.token, checkpoint.stamped, trust)
    if result.fault or result.unknown_algorithm:
        return f"token: {result.fault or result.unknown_algorithm}"
    if not result.trusted:
        return "token: authority not trusted"
    return "" if result.generated_at == checkpoint.stamped_at else "another time than the token's"


async def _unlike(work: Work, checkpoint: Checkpoint) -> str:
    row = await work.ledger.after(checkpoint.sequence - 1, 1)
    if not row or row[0].sequence != checkpoint.sequence:
        return "its row is gone"
    return "" if row[0].row_hash == checkpoint.row_hash else "its row is another"
