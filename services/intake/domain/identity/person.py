"""Persons with one identity in every county, and what an identity-card reader says of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from chassis.clock import CHINA_TIME
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare
from standards.identifiers import check_citizen_id
from standards.identifiers.citizen import normalise_citizen_id

CITIZEN_NUMBER = "111"
UNIFIED_CODE = "001"
"""GB/T 36903 Annex A: kinds of a holder's number."""
CARD_AND_CODE_LEVEL = 3
"""Real-name level of catalogue/realname_levels.yaml: ID card read and one-time code confirmed."""
NAME_LIMIT = 60
READERS = ("simulator", "chip")
BY_PLATFORM = "platform"
"""No reader: an identity platform checked number and name; no terminal may say so."""

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?=.{4,190}$)([a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}",
    re.ASCII | re.IGNORECASE,
)
"""The form of HTML's input type email, with a dot in the domain."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

PERSON_NOT_FOUND = declare("PERSON_NOT_FOUND", Kind.NOT_FOUND, "没有这个用户", "There is no such person")
CARD_NOT_CONFIRMED = declare(
    "CARD_NOT_CONFIRMED",
    Kind.PERMISSION_DENIED,
    "证件信息与登记信息不一致，请持证件到综合窗口核对",
    "The card differs from what is registered; have it checked at a window",
)


class PersonKind(StrEnum):
    """自然人 or 法人."""

    NATURAL = "natural"
    LEGAL = "legal"


@dataclass(frozen=True, slots=True)
class CardReading:
    """What a card reader read: number and name of a resident identity card (居民身份证)."""

    id_number: str = field(repr=False)
    name: str = field(repr=False)
    reader: str

    def as_claim(self) -> dict[str, str]:
        """Return the values a terminal binds its assertion to."""
        return {"id_number": self.id_number, "name": self.name, "reader": self.reader}


@dataclass(frozen=True, slots=True)
class Person:
    """A natural or legal person (统一身份), in clear; ``phone`` of a legal person is its agent's."""

    person_id: str
    kind: PersonKind
    id_type_code: str
    id_number: str = field(repr=False)
    name: str = field(repr=False)
    phone: str = field(repr=False)
    registered_at: datetime
    address: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    """Where notices also go, when the person gave one; of a legal person its agent's."""
    version: int = 1


def reading_mistakes(reading: CardReading, now: datetime) -> list[Violation]:
    """Return everything wrong with a reading, as ``reading.<field>``."""
    today = now.astimezone(CHINA_TIME).date()
    number = normalise_citizen_id(reading.id_number)
    found = identity_mistakes(reading, number, today)
    if reading.reader not in READERS:
        found.append(FIELD_MALFORMED.at("reading.reader"))
    return found


def identity_mistakes(reading: CardReading, number: str, today: date) -> list[Violation]:
    """Return what is wrong with number and name, wherever they were read."""
    found = list(check_citizen_id(number, today=today).violations("reading.id_number"))
    if not reading.name.strip():
        found.append(FIELD_REQUIRED.at("reading.name"))
    elif len(reading.name) > NAME_LIMIT:
        found.append(FIELD_TOO_LONG.at("reading.name", limit=NAME_LIMIT))
    elif _CONTROL.search(reading.name):
        found.append(FIELD_MALFORMED.at("reading.name"))
    return found


def phone_mistakes(phone: str | None) -> list[Violation]:
    """Return what is wrong with a mobile number, as ``phone``; none given is no mistake."""
    return [] if not phone or _MOBILE.fullmatch(phone) else [FIELD_MALFORMED.at("phone")]


def email_mistakes(email: str) -> list[Violation]:
    """Return what is wrong with an e-mail address, as ``email``; none given is no mistake."""
    return [] if not email or _EMAIL.fullmatch(email) else [FIELD_MALFORMED.at("email")]


def registered(person_id: str, reading: CardReading, phone: str, now: datetime) -> Person:
    """Return the person a confirmed first log-in registers."""
    return Person(
        person_id=person_id,
        kind=PersonKind.NATURAL,
        id_type_code=CITIZEN_NUMBER,
        id_number=normalise_citizen_id(reading.id_number),
        name=reading.name.strip(),
        phone=phone,
        registered_at=now,
    )


def is_same(person: Person, reading: CardReading) -> bool:
    """Say whether a card is this person's: number and name."""
    return person.id_number == normalise_citizen_id(reading.id_number) and person.name == reading.name.strip()
