"""Which of several providers is called first: one that fails rests, one that is slow goes behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

FAILURES_THAT_REST = 5
REST = timedelta(seconds=20)
"""Below the 30 s within which another provider has to carry everything (bar N21)."""
PROBE_EVERY = timedelta(seconds=5)
"""After its rest a provider is tried with one message at a time until it takes one."""
SLOW_SECONDS = 2.0
SLOW_SHARE = 0.15
SLOW_WINDOW = timedelta(minutes=15)
SWITCH_EVERY = timedelta(minutes=5)
JUDGED_FROM = 20
"""Calls within the window before their share says anything."""


@dataclass(slots=True)
class _Health:
    failures: int = 0
    rests_until: datetime | None = None
    calls: deque[tuple[datetime, bool]] = field(default_factory=deque)
    slow: int = 0

    def forget(self, before: datetime) -> None:
        while self.calls and self.calls[0][0] < before:
            self.slow -= self.calls.popleft()[1]

    def is_slow(self, now: datetime) -> bool:
        self.forget(now - SLOW_WINDOW)
        return len(self.calls) >= JUDGED_FROM and self.slow >= SLOW_SHARE * len(self.calls)


class Routing:
    """The order (路由) of the providers of one channel, as one process has known them.

    * Five failures in a row: the provider rests for 20 s, then one message in 5 s tries it.
    * 15 % of the calls of the last 15 min took more than 2 s: it goes behind one that is not slow, at
      most once in 5 min, and not when all are slow.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._health = {name: _Health() for name in names}
        self._switched_at: datetime | None = None

    def order(self, now: datetime, first: Sequence[str] = ()) -> tuple[str, ...]:
        """Return every provider, the one to call first at the head; a caller must use the answer.

        ``first`` names those that had the message once and are back.
        """
        self._put_slow_behind(now)
        well = [name for name in self._names if self._takes(name, now)]
        resting = [name for name in self._names if name not in well]
        ahead = [name for name in first if name in self._health]
        return tuple(dict.fromkeys([*ahead, *well, *resting]))

    def noted(self, name: str, now: datetime, *, failed: bool, seconds: float) -> None:
        """Remember how a call went and how long its answer took."""
        health = self._health[name]
        slow = seconds > SLOW_SECONDS
        health.calls.append((now, slow))
        health.slow += slow
        if not failed:
            health.failures, health.rests_until = 0, None
            return
        health.failures += 1
        if health.failures >= FAILURES_THAT_REST and health.rests_until is None:
            health.rests_until = now + REST

    def _takes(self, name: str, now: datetime) -> bool:
        health = self._health[name]
        if health.rests_until is None:
            return True
        if now < health.rests_until:
            return False
        health.rests_until = now + PROBE_EVERY
        return True

    def _put_slow_behind(self, now: datetime) -> None:
        if self._switched_at is not None and now - self._switched_at < SWITCH_EVERY:
            return
        slow = [name for name in self._names if self._health[name].is_slow(now)]
        if self._names[0] in slow and len(slow) < len(self._names):
            self._names = [*(name for name in self._names if name not in slow), *slow]
            self._switched_at = now
