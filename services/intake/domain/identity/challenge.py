"""The one-time code of a log-in: how long it holds, how often it may be tried and sent, what locks.

A challenge is *failed* when its tries are used up; a code that nobody tried to guess and that simply
ran out counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import Kind, declare

CODE_DIGITS = 6
"""About 20 bits (ASVS 6.5.4)."""
LIFETIME = timedelta(minutes=5)
MAX_TRIES = 5
RESEND_AFTER = timedelta(seconds=60)
MAX_SENDS = 3
FAILURES_THAT_LOCK = 5
FAILURE_WINDOW = timedelta(minutes=30)
LOCK_OUT = timedelta(minutes=30)

CODE_NOT_ACCEPTED = declare(
    "CODE_NOT_ACCEPTED",
    Kind.UNAUTHENTICATED,
    "验证码不正确或已失效，请核对或重新读取证件",
    "The code is wrong or no longer valid; check it or read the card again",
)
LOG_IN_LOCKED = declare(
    "LOG_IN_LOCKED",
    Kind.RESOURCE_EXHAUSTED,
    "验证失败次数过多，请稍后再试，或到综合窗口办理",
    "Too many failed log-ins; try later, or go to a window",
)
RESEND_TOO_SOON = declare(
    "RESEND_TOO_SOON",
    Kind.RESOURCE_EXHAUSTED,
    "验证码刚刚发出，请稍候再重发",
    "The code was sent just now; wait before sending it again",
)


class ChallengeState(StrEnum):
    """Whether a challenge still waits for its code."""

    OPEN = "open"
    USED = "used"
    LOCKED = "locked"


@dataclass(slots=True)
class Challenge:
    """A challenge (验证码挑战), bound to one terminal; its id becomes that of the session."""

    session_id: str
    terminal_id: str
    opened_at: datetime
    expires_at: datetime
    sent_at: datetime
    state: ChallengeState = ChallengeState.OPEN
    wrong_tries: int = 0
    sends: int = 1
    failed_at: datetime | None = None

    def waits(self, now: datetime) -> bool:
        """Say whether a code may still be tried."""
        return self.state is ChallengeState.OPEN and now < self.expires_at

    def answer(self, now: datetime, *, right: bool) -> bool:
        """Take one try and return whether it is accepted; the last wrong one locks the challenge.

        A code is accepted once. Nothing changes when the challenge does not wait any more.
        """
        if not self.waits(now):
            return False
        if right:
            self.state = ChallengeState.USED
            return True
        self.wrong_tries += 1
        if self.wrong_tries >= MAX_TRIES:
            self.state, self.failed_at = ChallengeState.LOCKED, now
        return False

    def resend(self, now: datetime) -> int:
        """Note another sending of the same code and return how many there were now.

        Raises CODE_NOT_ACCEPTED when it would be of no use, RESEND_TOO_SOON with the time to wait.
        """
        if not self.waits(now) or self.sends >= MAX_SENDS:
            raise CODE_NOT_ACCEPTED()
        wait = self.sent_at + RESEND_AFTER - now
        if wait > timedelta(0):
            raise RESEND_TOO_SOON(retry_after_seconds=wait.total_seconds())
        self.sends += 1
        self.sent_at = now
        return self.sends


def new_challenge(session_id: str, terminal_id: str, now: datetime) -> Challenge:
    """Return a challenge whose code is sent now."""
    return Challenge(session_id, terminal_id, opened_at=now, expires_at=now + LIFETIME, sent_at=now)


def locked_until(failures: Iterable[datetime], now: datetime) -> datetime | None:
    """Return until when a person's log-in is locked, None when it is not.

    It is locked for 30 minutes from a failure that was the fifth within 30 minutes.
    """
    moments = sorted(failures)
    locks = [
        last + LOCK_OUT
        for first, last in zip(moments, moments[FAILURES_THAT_LOCK - 1 :], strict=False)
        if last - first <= FAILURE_WINDOW
    ]
    return locks[-1] if locks and locks[-1] > now else None


def require_unlocked(failures: Iterable[datetime], now: datetime) -> None:
    """Do nothing while the log-in is open. Raises LOG_IN_LOCKED with the time to wait."""
    until = locked_until(failures, now)
    if until is not None:
        raise LOG_IN_LOCKED(retry_after_seconds=(until - now).total_seconds())
