"""Daily and burst limits: uses on one day of China, and in any sixty seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from chassis.clock import CHINA_TIME
from chassis.errors import Kind, declare
from services.seal.domain.authorisation.rules import SealRules

SEAL_LIMIT_REACHED = declare(
    "SEAL_LIMIT_REACHED",
    Kind.RESOURCE_EXHAUSTED,
    "印章用量已达上限 {limit}（{budget}），{again_at} 后可再用",
    "The seal's limit of {limit} uses ({budget}) is reached; it may be used again at {again_at}",
)
DAY, BURST = "seal_day", "seal_minute"
SPAN = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class LastUse:
    """The newest use of a seal: when, and the how-manieth of its day it was; moments never go back."""

    used_at: datetime
    day_uses: int


def uses_today(last: LastUse | None, now: datetime) -> int:
    """Return how many uses count against the present day.

    A use that another process entered just after midnight counts for its day already: a clock that lags
    begins no day anew.
    """
    return last.day_uses if last is not None and _day(last.used_at) >= _day(now) else 0


def check_limits(
    rules: SealRules, last: LastUse | None, burst_began: datetime | None, now: datetime
) -> LastUse:
    """Return what one more use is entered as.

    `burst_began` is the moment of the use that lies `rules.burst_limit` uses back, None if there are fewer.

    Raises:
        SEAL_LIMIT_REACHED: With the seconds until the seal may be used again.
    """
    used = uses_today(last, now)
    reached = []
    if rules.daily_limit and used >= rules.daily_limit:
        assert last is not None, "something was used"
        reached.append((_midnight_after(max(last.used_at, now)), DAY, rules.daily_limit))
    if rules.burst_limit and burst_began is not None and now - burst_began < SPAN:
        reached.append((burst_began + SPAN, BURST, rules.burst_limit))
    if reached:
        again_at, budget, limit = max(reached)
        raise SEAL_LIMIT_REACHED(
            budget=budget,
            limit=limit,
            again_at=again_at.astimezone(CHINA_TIME).isoformat(timespec="seconds"),
            retry_after_seconds=(again_at - now).total_seconds(),
        )
    return LastUse(max(last.used_at, now) if last else now, used + 1)


def _day(moment: datetime) -> date:
    return moment.astimezone(CHINA_TIME).date()


def _midnight_after(moment: datetime) -> datetime:
    return datetime.combine(_day(moment) + timedelta(days=1), time(), CHINA_TIME)
