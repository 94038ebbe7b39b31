"""Which statement is answered how: by its whole text, blanks aside, as it stands in the messaging core.

A statement that is new there fails every run until it is taught here. One that was changed is still answered
the old way; ``test_same_as_postgres.py`` runs both and tells.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from tests.simulator.database.engine import Session
from tests.simulator.world import World

Answer = list[dict[str, Any]] | int
"""Rows, or how many were changed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the messaging core and its answer in memory."""

    name: str
    answer: Callable[..., Awaitable[Answer]]


class UnknownStatementError(AssertionError):
    """The messaging core asks what the simulated database was not taught."""


_known: dict[str, Statement] = {}


def answers(*texts: str) -> Callable[[Callable[..., Awaitable[Answer]]], Callable[..., Awaitable[Answer]]]:
    """Register the answer of statements; the function gets the session and the statement's values."""

    def register(answer: Callable[..., Awaitable[Answer]]) -> Callable[..., Awaitable[Answer]]:
        for text in texts:
            _known[plain(text)] = Statement(answer.__name__, answer)
        return answer

    return register


@lru_cache(maxsize=1_000)
def plain(text: str) -> str:
    """Return a statement on one line."""
    return " ".join(text.split())


def find(world: World, query: str) -> Statement:
    """Return what a statement does. An unknown one fails the whole run, whoever may swallow the error."""
    found = _known.get(plain(query))
    world.asked.add(plain(query))
    if found is None:
        world.wrong.append(f"the simulated database does not know this statement: {plain(query)}")
        raise UnknownStatementError(plain(query))
    return found


def known_statements() -> Iterable[str]:
    """Return the texts of all statements."""
    return tuple(_known)


def before(session: Session, seconds: float) -> Any:
    """Return the moment so many seconds ago."""
    return session.now() - timedelta(seconds=seconds)
