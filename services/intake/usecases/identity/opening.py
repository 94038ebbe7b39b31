"""Begin a log-in: a card read at a known terminal, a code to the person's phone."""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass
from datetime import datetime

import uuid_utils.compat

from chassis.errors import FIELD_REQUIRED, NOT_AUTHENTICATED, refuse
from services.intake.domain.identity.challenge import (
    CODE_NOT_ACCEPTED,
    FAILURE_WINDOW,
    LIFETIME,
    LOCK_OUT,
    RESEND_AFTER,
    Challenge,
    new_challenge,
    require_unlocked,
)
from services.intake.domain.identity.person import (
    CARD_NOT_CONFIRMED,
    CITIZEN_NUMBER,
    CardReading,
    Person,
    is_same,
    phone_mistakes,
    reading_mistakes,
)
from services.intake.usecases.identity.ports import Allowance, IdentityWork, LogIn, Waiting
from standards.identifiers.citizen import normalise_citizen_id
from standards.masking import mask_mobile

# The windows of a person and a number move: whatever clock a provider aligns its own minute, hour and
# day to, no more than these fall into one (1 a minute, 5 an hour, 10 a day).
SESSIONS_BY_TERMINAL = Allowance("sessions_by_terminal", 30, 60)
CODES_BY_PERSON = (
    Allowance("codes_by_person_minute", 1, 60),
    Allowance("codes_by_person_hour", 5, 3_600),
    Allowance("codes_by_person_day", 10, 86_400),
)
CODES_BY_PHONE = (
    Allowance("codes_by_phone_minute", 1, 60),
    Allowance("codes_by_phone_hour", 5, 3_600),
    Allowance("codes_by_phone_day", 10, 86_400),
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A log-in that waits for its code; nothing in it tells whether the person was known."""

    session_id: str
    phone_masked: str
    expires_at: datetime
    resend_after_seconds: int


async def open_session(
    log_in: LogIn, assertion: str, reading: CardReading, phone: str | None, source: str = ""
) -> Opened:
    """Have a one-time code on its way to the person whose card a terminal read.

    ``source`` is the network address the request came from.

    A known person's code goes to the stored phone, whatever is given; a new person's to ``phone``,
    which is then needed. Raises INVALID_REQUEST, NOT_AUTHENTICATED for any assertion but a fresh one
    of a registered terminal over this reading, TOO_MANY_REQUESTS, LOG_IN_LOCKED, CARD_NOT_CONFIRMED,
    PEER_UNAVAILABLE.
    """
    terminal_id, now = await _prove_terminal(log_in, assertion, reading)
    refuse([*reading_mistakes(reading, now), *phone_mistakes(phone)])
    number = normalise_citizen_id(reading.id_number)
    subject = log_in.codes.subject(CITIZEN_NUMBER, number)
    async with log_in.open_work() as work:
        await _require_unlocked(work, subject)
        person = await work.persons.find(CITIZEN_NUMBER, number)
    target = _phone(person, reading, phone)
    await _take_budgets(log_in, subject, target, terminal_id, source)
    session_id = str(uuid_utils.compat.uuid7())
    challenge = new_challenge(session_id, terminal_id, now)
    code = log_in.codes.code_of(session_id)
    async with log_in.open_work() as work:
        code_hash = log_in.codes.hash_of(session_id, code)
        await work.challenges.add(Waiting(challenge, subject, code_hash, reading, target))
    await _send(log_in, session_id, challenge, target, code)
    return _opened(challenge, target)


async def resend_code(log_in: LogIn, session_id: str, terminal_id: str, source: str = "") -> Opened:
    """Have the same code sent again, at most once a minute and a few times in all.

    Raises CODE_NOT_ACCEPTED for anything but a challenge of this terminal that still waits,
    RESEND_TOO_SOON, TOO_MANY_REQUESTS, PEER_UNAVAILABLE.
    """
    async with log_in.open_work() as work:
        waiting = await _waiting(work, session_id, terminal_id)
        waiting.challenge.resend(work.now())
    await _take_budgets(
        log_in, waiting.subject, waiting.phone, terminal_id, source
    )  # its own transactions: none is open now
    async with log_in.open_work() as work:
        waiting = await _waiting(work, session_id, terminal_id)
        challenge = waiting.challenge
        sends = challenge.resend(work.now())
        await work.challenges.save(challenge)
    request_id = str(uuid.uuid5(uuid.UUID(session_id), f"send:{sends}"))
    await _send(log_in, request_id, challenge, waiting.phone, log_in.codes.code_of(session_id))
    return _opened(challenge, waiting.phone)


async def _waiting(work: IdentityWork, session_id: str, terminal_id: str) -> Waiting:
    waiting = await work.challenges.load(session_id)
    if waiting is None or waiting.challenge.terminal_id != terminal_id or not waiting.phone:
        raise CODE_NOT_ACCEPTED()
    return waiting


async def _prove_terminal(log_in: LogIn, assertion: str, reading: CardReading) -> tuple[str, datetime]:
    now = log_in.now()
    proved = log_in.terminals.prove(assertion, reading.as_claim(), now)
    async with log_in.open_work() as work:
        fresh = await work.assertions.use(proved)
    if not fresh:
        raise NOT_AUTHENTICATED()
    await log_in.limits.check(SESSIONS_BY_TERMINAL, proved.terminal_id)
    return proved.terminal_id, now


async def _require_unlocked(work: IdentityWork, subject: bytes) -> None:
    now = work.now()
    require_unlocked(await work.challenges.failures(subject, now - FAILURE_WINDOW - LOCK_OUT), now)


def _phone(person: Person | None, reading: CardReading, phone: str | None) -> str:
    if person is not None and not is_same(person, reading):
        raise CARD_NOT_CONFIRMED()
    target = person.phone if person is not None else phone
    if not target:
        refuse([FIELD_REQUIRED.at("phone")])
    return target or ""


def network_of(address: str) -> str:
    """Return the network of an address, whose neighbours are as easily had: /24 of IPv4, /56 of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    plain = mapped or found
    return str(ipaddress.ip_network((plain, 24 if plain.version == 4 else 56), strict=False))


async def _take_budgets(log_in: LogIn, subject: bytes, phone: str, terminal_id: str, source: str) -> None:
    """Take one of every budget that a code falls under, or nothing of any."""
    hourly = log_in.code_budgets
    await log_in.limits.check_all(
        [
            *((each, subject.hex()) for each in CODES_BY_PERSON),
            *((each, phone) for each in CODES_BY_PHONE),
            (Allowance("codes_by_terminal", hourly.per_terminal, 3_600, aligned=True), terminal_id),
            (Allowance("codes_by_network", hourly.per_network, 3_600, aligned=True), network_of(source)),
            (Allowance("codes_in_all", hourly.in_all, 3_600, aligned=True), "all"),
        ]
    )


async def _send(log_in: LogIn, request_id: str, challenge: Challenge, phone: str, code: str) -> None:
    minutes = int(LIFETIME.total_seconds() // 60)
    await log_in.sender.send(
        request_id, phone=phone, code=code, minutes=minutes, expires_at=challenge.expires_at
    )


def _opened(challenge: Challenge, phone: str) -> Opened:
    wait = int(RESEND_AFTER.total_seconds())
    return Opened(challenge.session_id, mask_mobile(phone), challenge.expires_at, wait)
