"""Log in through an identity platform: leave for it, and come back with a proof."""

from __future__ import annotations

import hmac
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Protocol

import uuid_utils.compat

from chassis.auth.assertions import TerminalAssertion
from chassis.clock import CHINA_TIME
from services.intake.domain.identity.person import (
    BY_PLATFORM,
    CARD_NOT_CONFIRMED,
    CITIZEN_NUMBER,
    CardReading,
    identity_mistakes,
    phone_mistakes,
)
from services.intake.domain.identity.platform_log_in import (
    ASSURANCE_TOO_LOW,
    ATTEMPT_LIFETIME,
    DEVICE_PREFIX,
    FIRST_LOG_IN_ELSEWHERE,
    PLATFORM_LOG_IN_REFUSED,
    Attempt,
    ProvedIdentity,
)
from services.intake.domain.identity.session import new_session
from services.intake.usecases.identity.ports import IdentityWork, LogIn
from services.intake.usecases.identity.verifying import LoggedIn, identify, logged_in
from standards.identifiers.citizen import normalise_citizen_id

LOWEST_LEVEL = 2
"""Name and number agree; what an item needs beyond is decided at the item."""


class Platform(Protocol):
    """An identity platform (OpenID provider)."""

    async def authorisation_url(self, attempt: Attempt) -> str:
        """Return where a browser begins. Raises EGRESS_FAILED, PLATFORM_LOG_IN_REFUSED."""
        ...

    async def prove(self, code: str, attempt: Attempt, issuer: str | None) -> ProvedIdentity:
        """Return who logged in; a code is redeemed once. Raises PLATFORM_LOG_IN_REFUSED, EGRESS_FAILED."""
        ...


class SealedAttempts(Protocol):
    """Attempts as a text that only we can read and make; the browser keeps it."""

    def seal(self, attempt: Attempt) -> str:
        """Return the text."""
        ...

    def unseal(self, sealed: str) -> Attempt | None:
        """Return the attempt, or None for anything that is not one."""
        ...


@dataclass(frozen=True, slots=True)
class PlatformLogIn:
    """What a log-in through the platform needs beside `LogIn`."""

    platform: Platform
    attempts: SealedAttempts


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser goes, and what it must bring back."""

    location: str = field(repr=False)
    sealed: str = field(repr=False)
    lifetime_seconds: int


async def leave_for_platform(log_in: LogIn, through: PlatformLogIn) -> Departure:
    """Return where a browser logs in. Raises EGRESS_FAILED, PLATFORM_LOG_IN_REFUSED."""
    attempt = Attempt(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        device_id=f"{DEVICE_PREFIX}{uuid.uuid4()}",
        expires_at=log_in.now() + ATTEMPT_LIFETIME,
    )
    location = await through.platform.authorisation_url(attempt)
    return Departure(location, through.attempts.seal(attempt), int(ATTEMPT_LIFETIME.total_seconds()))


async def return_from_platform(
    log_in: LogIn, through: PlatformLogIn, sealed: str, state: str, code: str, issuer: str | None
) -> LoggedIn:
    """Open a session of the person the platform proved, bound to the browser that began the log-in.

    The browser shows its attempt, whose ``state`` the platform gave back; each attempt is finished
    once. A person's first log-in registers them, with the number the platform checked.
    Raises PLATFORM_LOG_IN_REFUSED, ASSURANCE_TOO_LOW, FIRST_LOG_IN_ELSEWHERE, CARD_NOT_CONFIRMED,
    EGRESS_FAILED.
    """
    attempt = through.attempts.unseal(sealed)
    now = log_in.now()
    if attempt is None or not attempt.waits(now) or not hmac.compare_digest(attempt.state, state):
        raise PLATFORM_LOG_IN_REFUSED()
    async with log_in.open_work() as work:
        once = TerminalAssertion(attempt.device_id, attempt.state, attempt.expires_at)
        fresh = await work.assertions.use(once)
    if not fresh:
        raise PLATFORM_LOG_IN_REFUSED()
    proved = await through.platform.prove(code, attempt, issuer)
    if proved.assurance < LOWEST_LEVEL:
        raise ASSURANCE_TOO_LOW()
    reading = CardReading(normalise_citizen_id(proved.id_number), proved.name, BY_PLATFORM)
    today = now.astimezone(CHINA_TIME).date()
    if identity_mistakes(reading, reading.id_number, today) or phone_mistakes(proved.phone):
        raise PLATFORM_LOG_IN_REFUSED()
    session_id = str(uuid_utils.compat.uuid7())
    async with log_in.open_work() as work:
        person_id = await _person(work, reading, proved.phone)
        session = new_session(session_id, person_id, attempt.device_id, proved.assurance, work.now())
        await work.sessions.add(session)
    return logged_in(log_in, session, session.opened_at)


async def _person(work: IdentityWork, reading: CardReading, phone: str) -> str:
    if not phone and await work.persons.find(CITIZEN_NUMBER, reading.id_number) is None:
        raise FIRST_LOG_IN_ELSEWHERE()
    person = await identify(work, reading, phone)
    if person is None:
        raise CARD_NOT_CONFIRMED()
    return person.person_id
