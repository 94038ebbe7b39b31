"""Hand out a licence's document: an annotated copy to who uses it, the original to its holder and its issuer."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.errors import FIELD_REQUIRED, Kind, declare
from services.certs.domain.disclosure import narrowed
from services.certs.domain.evidence.annotation import (
    USUAL_LIFE,
    Annotation,
    expiry_violations,
    make_copy,
    picture_of_copy,
    refuse_copy,
)
from services.certs.domain.licence import DOCUMENT_ABSENT, LICENCE_NOT_FOUND, LICENCE_NOT_USABLE, Licence
from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.domain.presentation import code_digest
from services.certs.domain.purpose import Basis, Purpose, category_of, check_purpose
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.domain.use_code import Grounds
from services.certs.usecases.evidence_ports import CopyRecord
from services.certs.usecases.ports import Documents, NewId, Registry
from services.certs.usecases.read import may_read

TICKET_BYTES = 24
TICKET_LIFE = timedelta(minutes=10)
"""How long a copy may be fetched by its address (GB/T 36906 in the field: about ten minutes)."""

LICENCE_TYPE_NOT_SHOWN = declare(
    "LICENCE_TYPE_NOT_SHOWN",
    Kind.FAILED_PRECONDITION,
    "该证照类型未在目录中发布，无法制作加注件",
    "The type of this licence is not in the catalogue; no copy can be laid out",
)
COPY_NOT_FOUND = declare(
    "COPY_NOT_FOUND",
    Kind.NOT_FOUND,
    "加注件地址无效、已使用或已过期",
    "No such copy to fetch, or fetched already, or too late",
)
COPY_OUTDATED = declare(
    "COPY_OUTDATED",
    Kind.FAILED_PRECONDITION,
    "证照内容已变更，请重新制作加注件",
    "The licence has changed since; have a new copy made",
)


@dataclass(frozen=True, slots=True)
class Copy:
    """An annotated copy."""

    ofd: bytes = field(repr=False)
    sha256: str
    annotation: Annotation
    licence: Licence = field(repr=False)
    """With no more in it than the copy says."""
    ticket: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    """What is handed out: the sealed original, its PDF, or a copy with the end of its use."""

    ofd: bytes = field(repr=False)
    """The bytes, of a PDF too."""
    sha256: str
    copy_expires_at: datetime | None = None


async def make_annotated_copy(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    key: tuple[str, str],
    purpose: Purpose,
    expires_at: datetime | None,
    new_id: NewId,
    now: datetime,
    *,
    with_ticket: bool = False,
    grounds: Grounds | None = None,
    covers: Callable[[str], bool] = lambda _type_code: True,
) -> Copy:
    """Make a copy of a licence in force, by ``(licence_id, identifier)`` of which either may be empty.

    It says no more than its reader may see, and bears purpose, consumer, case and time on its page and in its metadata, and is kept nowhere. With a
    ticket the same bytes can be fetched once within `TICKET_LIFE`. Raises LICENCE_NOT_FOUND for one the
    reader may not know of, LICENCE_NOT_USABLE, LICENCE_TYPE_NOT_SHOWN, FACE_TOO_LONG, INVALID_REQUEST.
    """
    missing = [] if any(key) else [FIELD_REQUIRED.at("licence_id")]
    check_purpose(purpose, [*missing, *expiry_violations(expires_at, now)])
    licence = await (registry.licences.get(key[0]) if key[0] else registry.licences.by_identifier(key[1]))
    if licence is None or not may_read(reader, purpose, licence) or not covers(licence.type_code):
        raise LICENCE_NOT_FOUND()
    require_usable(registry, reader, purpose, licence, new_id, now)
    return await _copy(
        registry,
        types,
        reader,
        licence,
        purpose,
        expires_at,
        new_id,
        now,
        with_ticket=with_ticket,
        grounds=grounds,
    )


async def hand_out_document(
    registry: Registry,
    documents: Documents,
    types: LicenceTypes,
    reader: Reader,
    licence_id: str,
    purpose: Purpose,
    new_id: NewId,
    now: datetime,
) -> Document:
    """Return the sealed document to who may have the original, and an annotated copy of it to others.

    The original is for the holder (intake asks on his showing), for the department that issued it, and for
    the archive of the case that it came out of. Raises LICENCE_NOT_FOUND, LICENCE_NOT_USABLE for a copy,
    DOCUMENT_ABSENT, COPY_IS_NO_ORIGINAL, INVALID_REQUEST, FILE_BROKEN.
    """
    check_purpose(purpose, [] if licence_id else [FIELD_REQUIRED.at("licence_id")])
    licence = await registry.licences.get(licence_id)
    if licence is None or not may_read(reader, purpose, licence):
        raise LICENCE_NOT_FOUND()
    digest = licence.sealing.sealed_sha256
    if not digest:
        raise DOCUMENT_ABSENT()
    if not may_have_original(reader, purpose, licence):
        require_usable(registry, reader, purpose, licence, new_id, now)
        copy = await _copy(registry, types, reader, licence, purpose, None, new_id, now)
        return Document(copy.ofd, copy.sha256, copy.annotation.expires_at)
    content = await documents.get(digest)
    refuse_copy(content)
    await registry.usages.add([use_line(new_id(), UsageKind.DOCUMENT, reader, purpose, licence, now)])
    return Document(content, digest)


def may_have_original(reader: Reader, purpose: Purpose, licence: Licence) -> bool:
    """Say whether a reader gets the sealed original."""
    if reader.is_department:
        return licence.issuer_code == reader.code
    result_of_case = bool(licence.case_id) and licence.case_id == purpose.case_id
    return purpose.basis is Basis.SHOWN_BY_HOLDER or result_of_case


async def fetch_copy(
    registry: Registry, types: LicenceTypes, reader: Reader, ticket: str, new_id: NewId, now: datetime
) -> Copy:
    """Return, once, the copy of a ticket to the department it was made for; the same bytes as when it was made.

    Fetching is a use of its own: a licence that fell or was frozen since it was made is handed out no more.
    Raises COPY_NOT_FOUND, COPY_OUTDATED when the licence says something else by now, LICENCE_NOT_USABLE,
    LICENCE_IN_DISPUTE.
    """
    record = await registry.evidence.copies.take(code_digest(ticket), reader.code, now)
    licence = await registry.licences.get(record.licence_id) if record else None
    if record is None or licence is None:
        raise COPY_NOT_FOUND()
    note = record.annotation
    purpose = Purpose(note.use_cause, Basis.STATUTORY_DUTY, case_id=note.case_id)  # the door's only one
    require_usable(registry, reader, purpose, licence, new_id, now)
    seen = _as_seen(types, reader, purpose, licence)
    rendered = await asyncio.to_thread(make_copy, seen, _kind(types, licence), note)
    if rendered.sha256 != record.copy_sha256:
        raise COPY_OUTDATED()
    await registry.usages.add([use_line(new_id(), UsageKind.COPY, reader, purpose, licence, now)])
    return Copy(rendered.ofd, rendered.sha256, note, seen)


async def picture(types: LicenceTypes, copy: Copy) -> bytes:
    """Return a copy that was just made as a picture (PNG). Raises LICENCE_TYPE_NOT_SHOWN, FACE_TOO_LONG."""
    kind = _kind(types, copy.licence)
    return await asyncio.to_thread(picture_of_copy, copy.licence, kind, copy.annotation)


async def _copy(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    licence: Licence,
    purpose: Purpose,
    expires_at: datetime | None,
    new_id: NewId,
    now: datetime,
    *,
    with_ticket: bool = False,
    grounds: Grounds | None = None,
) -> Copy:
    kind = _kind(types, licence)
    made_at = now.replace(microsecond=0)
    annotation = Annotation(
        new_id(),
        purpose.use_cause,
        reader.code,
        reader.name,
        purpose.case_id,
        made_at,
        (expires_at or made_at + USUAL_LIFE).replace(microsecond=0),
        licence.sealing.sealed_sha256,
    )
    seen = _as_seen(types, reader, purpose, licence)
    rendered = await asyncio.to_thread(make_copy, seen, kind, annotation)
    line = use_line(new_id(), UsageKind.COPY, reader, purpose, licence, now)
    if grounds is not None:
        line = replace(line, grounds=replace(grounds, licence_version=licence.version))
    await registry.usages.add([line])
    ticket = secrets.token_urlsafe(TICKET_BYTES) if with_ticket else ""
    record = CopyRecord(annotation, licence.licence_id, licence.version, line.usage_id, rendered.sha256)
    end = now + TICKET_LIFE if ticket else None
    await registry.evidence.copies.add(record, code_digest(ticket) if ticket else None, end)
    return Copy(rendered.ofd, rendered.sha256, annotation, seen, ticket)


def _as_seen(types: LicenceTypes, reader: Reader, purpose: Purpose, licence: Licence) -> Licence:
    """Return what a copy may say: everything to who may have the original, to others what they may see."""
    if may_have_original(reader, purpose, licence):
        return licence
    return narrowed(licence, types.of(licence), category_of(purpose))


def require_usable(
    registry: Registry,
    reader: Reader,
    purpose: Purpose,
    licence: Licence,
    new_id: NewId,
    now: datetime,
    kind: UsageKind = UsageKind.COPY,
) -> None:
    """Raise LICENCE_NOT_USABLE, on record as that kind of use, unless the licence is in force today."""
    if licence.is_usable(now):
        return
    line = use_line(new_id(), kind, reader, purpose, licence, now)
    line = replace(line, outcome=LICENCE_NOT_USABLE.code, version_read=0)
    registry.usages.record_if_refused([line])
    raise LICENCE_NOT_USABLE(status=licence.usability(now))


def _kind(types: LicenceTypes, licence: Licence) -> LicenceType:
    kind = types.of(licence)
    if kind is None:
        raise LICENCE_TYPE_NOT_SHOWN(type_code=licence.type_code)
    return kind


def use_line(
    usage_id: str, kind: UsageKind, reader: Reader, purpose: Purpose, licence: Licence, now: datetime
) -> Usage:
    """Return the line of the usage record of a document of a licence."""
    holder = licence.holders[0]
    version, licence_id = licence.version, licence.licence_id
    return Usage(
        usage_id, kind, reader, purpose, now, licence_id=licence_id, holder=holder, version_read=version
    )
