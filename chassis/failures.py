"""Tells an outage, which passes, from the fault of one event, which does not."""

from __future__ import annotations

import traceback
from pathlib import Path

import asyncpg

from chassis.errors import REQUEST_IN_PROGRESS, Fault, Kind

DATABASE_TROUBLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresError,
    asyncpg.InternalClientError,  # "cannot switch to state": what asyncpg says when the server dies mid-statement
)
"""All that asyncpg raises when a server does not answer or refuses."""

_PASSING_KINDS = {Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED, Kind.RESOURCE_EXHAUSTED}

_PASSING_SQLSTATES = ("08", "25006", "40", "53", "55P03", "57", "58")
"""Connection, read-only (a standby before it takes over), rollback (serialisation, deadlock), resources, lock
time-out, operator, system."""


def is_outage(problem: BaseException) -> bool:
    """Tell whether the same work may succeed later although nothing about it changes."""
    if isinstance(problem, Fault):
        return problem.kind in _PASSING_KINDS or problem.reason is REQUEST_IN_PROGRESS
    if isinstance(problem, asyncpg.PostgresError):
        return str(problem.sqlstate).startswith(_PASSING_SQLSTATES)
    if isinstance(problem, asyncpg.InterfaceError):
        return not isinstance(problem, ValueError)  # a ValueError is a wrong argument of a statement
    return isinstance(problem, ConnectionError | TimeoutError | asyncpg.InternalClientError)


def describe(problem: BaseException) -> str:
    """Return the cause as operators group by it: a reason code, or the error's class and place.

    The text of a foreign error is left out, because it may quote personal data.
    """
    if isinstance(problem, Fault):
        try:
            return f"{problem.code}: {problem.en}"
        except (KeyError, IndexError):  # raised without what its text names
            return problem.code
    frames = traceback.extract_tb(problem.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(problem).__qualname__}{place}"
