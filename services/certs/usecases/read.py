"""Find and read licences: with a purpose, within what the reader may know, and never without a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Violation
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.dispute import as_found
from services.certs.domain.holder import Holder, holder_violations
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import Basis, Purpose, category_of, check_purpose
from services.certs.domain.status import LicenceStatus
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.usecases.ports import NewId, Reads, Registry

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


async def find(
    registry: Reads, types: LicenceTypes, reader: Reader, question: Question, new_id: NewId, now: datetime
) -> list[Shown]:
    """Return a holder's licences across all counties, masked; one usage line for each, one for none.

    What is found is one statement and what is recorded another, and nothing is returned before it is
    recorded: so a look-up needs no transaction around both. Of a frozen licence its face is left out.
    Raises AUDIT_UNWRITABLE, INVALID_REQUEST naming every wrong field.
    """
    wrong: list[Violation] = holder_violations(question.id_type_code, question.id_number)
    if len(question.type_codes) > TYPE_CODES_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("type_codes", limit=TYPE_CODES_LIMIT))
    check_purpose(question.purpose, wrong)
    holder = Holder(question.id_type_code, question.id_number)
    found = [
        each
        for each in await registry.licences.find(holder.id_type_code, holder.id_number, question.type_codes)
        if may_read(reader, question.purpose, each) and (not question.usable_only or each.is_usable(now))
    ]
    lines = [
        Usage(new_id(), UsageKind.FIND, reader, question.purpose, now, licence_id=each, holder=holder)
        for each in [licence.licence_id for licence in found] or [""]
    ]
    await registry.usages.add_finds(lines)
    category = category_of(question.purpose)
    return [masked(as_found(each, reader), types.of(each), category) for each in found]


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
