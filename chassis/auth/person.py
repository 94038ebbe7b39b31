"""The person a call is made for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActingPerson:
    """A person (自然人) as a verified token names them: opaque ids only, never personal data."""

    person_id: str
    assurance: int
    """How surely the identity was proved at this log-in: the real-name level, 1 lowest."""
    terminal_id: str | None = None
    """The kiosk or window the session is bound to."""
    session_id: str | None = None
    acting_for: str | None = None
    """Id of the principal of a mandate (委托): another person or a company."""
    roles: tuple[str, ...] = ()
    """Staff roles at log-in; empty for citizens."""
