"""Find and read licences: with a purpose, within what the reader may know, and never without a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Protocol

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Violation
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.dispute import as_found
from services.certs.domain.holder import Holder, holder_violations
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import Basis, Purpose, category_of, check_purpose
from services.certs.domain.status import LicenceStatus
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.usecases.ports import Asked, NewId, Registry

TYPE_CODES_LIMIT = 100
_UNPUBLISHED = frozenset({LicenceStatus.DRAFT, LicenceStatus.PENDING_SEAL})


@dataclass(frozen=True, slots=True)
class Question:
    """Whose licences are looked for, of which types, for what."""

    id_type_code: str
    id_number: str = field(repr=False)
    type_codes: Sequence[str]
    purpose: Purpose
    usable_only: bool


def may_read(reader: Reader, purpose: Purpose, licence: Licence) -> bool:
    """Say whether a reader may know of a licence at all.

    A department sees what it issued, and by statutory duty anything in the registry; for everything
    else it needs a use-code. What is not in force yet is for its issuer and for intake.
    """
    if not reader.is_department or licence.issuer_code == reader.code:
        return True
    return purpose.basis is Basis.STATUTORY_DUTY and licence.status not in _UNPUBLISHED


@dataclass(frozen=True, slots=True)
class LookUp:
    """A question that may be asked, who asks it, and when."""

    question: Question
    reader: Reader
    now: datetime

    @property
    def asked(self) -> Asked:
        """What the registry is asked."""
        return self.question.id_type_code, self.question.id_number, self.question.type_codes

    def known(self, licences: Sequence[Licence]) -> list[Licence]:
        """Return of a holder's licences those that the reader may know of and that were asked for."""
        return [
            each
            for each in licences
            if may_read(self.reader, self.question.purpose, each)
            and (not self.question.usable_only or each.is_usable(self.now))
        ]

    def shown(self, found: Sequence[Licence], types: LicenceTypes) -> list[Shown]:
        """Return licences as the reader sees them: masked, of a frozen one without its face."""
        category = category_of(self.question.purpose)
        return [masked(as_found(each, self.reader), types.of(each), category) for each in found]

    def lines(self, found: Sequence[Licence], new_id: NewId) -> list[Usage]:
        """Return the usage lines: one for each licence found, one for none."""
        holder = Holder(self.question.id_type_code, self.question.id_number)
        return [
            Usage(
                new_id(),
                UsageKind.FIND,
                self.reader,
                self.question.purpose,
                self.now,
                licence_id=licence_id,
                holder=holder,
            )
            for licence_id in [each.licence_id for each in found] or [""]
        ]


class LookUps(Protocol):
    """Where look-ups are made: in an open transaction, or in a round that several share."""

    async def look_up(self, asked: LookUp) -> list[Shown]:
        """Return what the reader may know of as it sees it, newest issue first; its use is recorded when this returns.

        Raises AUDIT_UNWRITABLE, and what unreadable rows raise.
        """


@dataclass(frozen=True, slots=True)
class Within:
    """Look-ups of one open transaction, recorded with it; implements the port LookUps."""

    registry: Registry
    types: LicenceTypes
    new_id: NewId

    async def look_up(self, asked: LookUp) -> list[Shown]:
        """Return what the reader may know of."""
        return (await look_up_each(self.registry, self.types, [asked], self.new_id))[0]


async def look_up_each(
    registry: Registry, types: LicenceTypes, asked: Sequence[LookUp], new_id: NewId
) -> list[list[Shown]]:
    """Return for each look-up what its reader may know of: one statement finds, and then one records.

    Nothing is returned before it is recorded, so this needs no transaction around both. Raises AUDIT_UNWRITABLE.
    """
    held = await registry.licences.find_each([each.asked for each in asked])
    found = [each.known(licences) for each, licences in zip(asked, held, strict=True)]
    lines = [each.lines(seen, new_id) for each, seen in zip(asked, found, strict=True)]
    await registry.usages.add_finds(list(chain.from_iterable(lines)))
    return [each.shown(seen, types) for each, seen in zip(asked, found, strict=True)]


async def find(look_ups: LookUps, reader: Reader, question: Question, now: datetime) -> list[Shown]:
    """Return a holder's licences across all counties, masked; one usage line for each, one for none.

    Of a frozen licence its face is left out. Raises AUDIT_UNWRITABLE, INVALID_REQUEST naming every wrong field.
    """
    wrong: list[Violation] = holder_violations(question.id_type_code, question.id_number)
    if len(question.type_codes) > TYPE_CODES_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("type_codes", limit=TYPE_CODES_LIMIT))
    check_purpose(question.purpose, wrong)
    return await look_ups.look_up(LookUp(question, reader, now))


async def get(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    key: tuple[str, str],
    purpose: Purpose,
    new_id: NewId,
    now: datetime,
) -> Shown:
    """Return one licence, masked, by ``(licence_id, identifier)`` of which either may be empty.

    Raises LICENCE_NOT_FOUND for one the reader may not know of, INVALID_REQUEST.
    """
    check_purpose(purpose, [] if any(key) else [FIELD_REQUIRED.at("licence_id")])
    licence = await (registry.licences.get(key[0]) if key[0] else registry.licences.by_identifier(key[1]))
    licence = _readable(reader, licence, purpose)
    await _record(registry, UsageKind.READ, reader, purpose, licence, new_id(), now)
    return masked(licence, types.of(licence), category_of(purpose))


def _readable(reader: Reader, licence: Licence | None, purpose: Purpose) -> Licence:
    if licence is None or not may_read(reader, purpose, licence):
        raise LICENCE_NOT_FOUND()
    return licence


async def _record(
    registry: Registry,
    kind: UsageKind,
    reader: Reader,
    purpose: Purpose,
    licence: Licence,
    usage_id: str,
    now: datetime,
) -> None:
    holder = licence.holders[0]
    line = Usage(usage_id, kind, reader, purpose, now, licence_id=licence.licence_id, holder=holder)
    line = replace(line, version_read=licence.version)
    await registry.usages.add([line])
