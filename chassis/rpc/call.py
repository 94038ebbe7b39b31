"""The call being answered: peer, acting person and deadline, carried in a context variable.

A servicer reads it with ``caller()``; channels opened by the same process read it to pass the
person's token and the remaining time on. HTTP doors enter it with ``calling``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from chassis.auth import ActingPerson
from chassis.errors import NOT_AUTHENTICATED
from chassis.rpc.peer import Peer

_current: ContextVar[Caller | None] = ContextVar("tongban_call", default=None)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the system, and the person it acts for if a valid token came along."""

    peer: Peer | None
    """The system at the other end; None for a browser, which has no certificate."""
    person: ActingPerson | None = None
    token: str | None = field(default=None, repr=False)
    """The person's bearer token, to be passed on."""
    deadline: float | None = None
    """When the caller stops waiting, on the scale of ``time.monotonic``."""

    @property
    def deadline_remaining_seconds(self) -> float | None:
        """Seconds the caller will still wait, never negative; None if it named no end."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def key(self) -> str:
        """Who owns a ``request_id``: the peer, and the person behind it. Holds no personal data."""
        parts = [str(self.peer) if self.peer else "web"]
        return "|".join([*parts, f"person/{self.person.person_id}"] if self.person else parts)

    def acting(self) -> ActingPerson:
        """Return the acting person. Raises NOT_AUTHENTICATED without one."""
        if self.person is None:
            raise NOT_AUTHENTICATED()
        return self.person

    def department(self) -> str:
        """Return the name of the calling department. Raises NOT_AUTHENTICATED for another kind."""
        if self.peer is None or self.peer.kind != "department":
            raise NOT_AUTHENTICATED()
        return self.peer.name


def caller(_context: object = None) -> Caller:
    """Return the call being answered; the gRPC context may be given for the reader's sake.

    Raises RuntimeError outside a call.
    """
    found = _current.get()
    if found is None:
        message = "no call is being answered here"
        raise RuntimeError(message)
    return found


def current_call() -> Caller | None:
    """Return the call being answered, or None in a consumer, a job or a test."""
    return _current.get()


def enter(call: Caller) -> None:
    """Make ``call`` the current one for the rest of this task; gRPC runs one task per call."""
    _current.set(call)


def act_as(person: ActingPerson, token: str) -> None:
    """Have the rest of the current HTTP request act for a person; calls it makes carry the token.

    For an async dependency of a route, once it verified the session.
    """
    enter(replace(caller(), person=person, token=token))


@contextmanager
def calling(call: Caller) -> Iterator[Caller]:
    """Make ``call`` the current one within the block."""
    token = _current.set(call)
    try:
        yield call
    finally:
        _current.reset(token)
