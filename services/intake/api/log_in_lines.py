"""A line in the log for every log-in, good or bad, and every log-out: opaque ids only (ASVS 16.3.1)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from chassis.errors import Fault
from chassis.logs import get_logger
from services.intake.usecases.identity.opening import Opened
from services.intake.usecases.identity.verifying import LoggedIn

CARD, PLATFORM = "card", "platform"
"""The ways to log in: a card and a code at a terminal, a browser through an identity platform."""
log = get_logger(__name__)
T = TypeVar("T", LoggedIn, Opened)


async def told(way: str, step: Awaitable[T]) -> T:
    """Return what a step of a log-in comes to, and leave its line; a refusal leaves one and goes on."""
    try:
        found = await step
    except Fault as fault:
        refusal_told(way, fault)
        raise
    if isinstance(found, Opened):
        log.info("log_in_begun", way=way, session_id=found.session_id)
        return found
    session = found.session
    log.info(
        "log_in_accepted",
        way=way,
        session_id=session.session_id,
        person_id=session.person_id,
        terminal_id=session.terminal_id,
        assurance=session.assurance,
    )
    return found


def refusal_told(way: str, fault: Fault) -> None:
    """Leave the line of a refused log-in."""
    log.warning("log_in_refused", way=way, reason_code=fault.code)


def log_out_told(session_id: str, person_id: str) -> None:
    """Leave the line of a log-out."""
    log.info("log_out", session_id=session_id, person_id=person_id)
