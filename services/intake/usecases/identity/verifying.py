"""Finish a log-in: the right code, once, at the terminal that asked for it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime

import uuid_utils.compat

from chassis.auth.person import ActingPerson
from events.intake import PersonRegistered
from services.intake.domain.identity.challenge import (
    CODE_NOT_ACCEPTED,
    FAILURE_WINDOW,
    LOCK_OUT,
    locked_until,
)
from services.intake.domain.identity.person import (
    CARD_AND_CODE_LEVEL,
    CITIZEN_NUMBER,
    CardReading,
    Person,
    is_same,
    registered,
)
from services.intake.domain.identity.session import Session, new_session
from services.intake.usecases.identity.ports import IdentityWork, LogIn, Waiting
from standards.identifiers.citizen import normalise_citizen_id


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A session and the token that speaks for it."""

    session: Session
    token: str = field(repr=False)
    expires_at: datetime


async def verify_code(log_in: LogIn, session_id: str, terminal_id: str, code: str) -> LoggedIn:
    """Open the session whose code this is; a person's first log-in registers them.

    Raises CODE_NOT_ACCEPTED, the same for a wrong, used, expired or locked code, another terminal's
    and an unknown session.
    """
    given = log_in.codes.hash_of(session_id, code)  # also for an unknown session: equal time
    session: Session | None = None
    async with log_in.open_work() as work:  # commits, so that a wrong try counts
        waiting = await work.challenges.load(session_id)
        if waiting is not None and waiting.challenge.terminal_id == terminal_id:
            session = await _answer(work, waiting, right=hmac.compare_digest(given, waiting.code_hash))
        now = work.now()
    if session is None:
        raise CODE_NOT_ACCEPTED()
    return logged_in(log_in, session, now)


def logged_in(log_in: LogIn, session: Session, now: datetime, acting_for: str | None = None) -> LoggedIn:
    """Return a token that ends with its session."""
    person = ActingPerson(
        person_id=session.person_id,
        assurance=session.assurance,
        terminal_id=session.terminal_id,
        session_id=session.session_id,
        acting_for=acting_for,
    )
    token = log_in.tokens.sign(person, lifetime_seconds=session.seconds_left(now))
    return LoggedIn(session, token, session.expires_at)


async def _answer(work: IdentityWork, waiting: Waiting, *, right: bool) -> Session | None:
    challenge, now = waiting.challenge, work.now()
    failures = await work.challenges.failures(waiting.subject, now - FAILURE_WINDOW - LOCK_OUT)
    if locked_until(failures, now) is not None:
        return None
    accepted = challenge.answer(now, right=right)
    await work.challenges.save(challenge)
    if not accepted or waiting.reading is None:
        return None
    person = await identify(work, waiting.reading, waiting.phone)
    if person is None:
        return None
    session = new_session(
        challenge.session_id, person.person_id, challenge.terminal_id, CARD_AND_CODE_LEVEL, now
    )
    await work.sessions.add(session)
    return session


async def identify(work: IdentityWork, reading: CardReading, phone: str) -> Person | None:
    """Return the person of a card, registered now if need be; None for one registered under another name."""
    fresh = registered(str(uuid_utils.compat.uuid7()), reading, phone, work.now())
    if await work.persons.add(fresh):
        event = PersonRegistered(
            person_id=fresh.person_id, kind=fresh.kind, registered_at=fresh.registered_at
        )
        work.publish(event, fresh.version)
        return fresh
    known = await work.persons.find(CITIZEN_NUMBER, normalise_citizen_id(reading.id_number))
    return known if known is not None and is_same(known, reading) else None
