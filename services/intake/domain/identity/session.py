"""Sessions: one person at one terminal for at most fifteen minutes, ended by the server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ABSOLUTE_LIFETIME = timedelta(minutes=15)
"""From the log-in, whatever is done meanwhile (kiosk rule, bar 4.1)."""


@dataclass(slots=True)
class Session:
    """A session (会话) of one natural person at one terminal."""

    session_id: str
    person_id: str
    terminal_id: str
    assurance: int
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None

    def live(self, now: datetime) -> bool:
        """Say whether it may still be used."""
        return self.ended_at is None and now < self.expires_at

    def is_of(self, person_id: str, terminal_id: str) -> bool:
        """Say whether it belongs to this person at this terminal."""
        return self.person_id == person_id and self.terminal_id == terminal_id

    def end(self, now: datetime) -> bool:
        """End it; return False when it was over already."""
        if not self.live(now):
            return False
        self.ended_at = now
        return True

    def seconds_left(self, now: datetime) -> int:
        """Return for how many whole seconds it still lasts."""
        return max(0, int((self.expires_at - now).total_seconds()))


def new_session(session_id: str, person_id: str, terminal_id: str, assurance: int, now: datetime) -> Session:
    """Return a session that begins now."""
    return Session(session_id, person_id, terminal_id, assurance, now, now + ABSOLUTE_LIFETIME)
