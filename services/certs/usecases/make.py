"""Make a licence from an approval, put it in force once it is sealed, or note that it was not."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.clock import CHINA_TIME
from chassis.errors import Kind, declare
from events.certs import LicenceIssued, LicenceMade
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.importing.source import REGISTRY_SOURCE, arrivals
from services.certs.domain.issuing import (
    LICENCE_TYPE_UNKNOWN,
    IssueData,
    check_issue_data,
    issue_year,
    make,
)
from services.certs.domain.licence import DOCUMENT_DAMAGED, LICENCE_NOT_FOUND, Licence, Sealing
from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.domain.life.succession import Link
from services.certs.domain.ofd import render
from services.certs.domain.pdf.companion import wanted
from services.certs.domain.status import Act, LicenceStatus, StatusChange, after
from services.certs.usecases.life.standing import REGISTRY
from services.certs.usecases.life.taking_over import hold_parent, take_over
from services.certs.usecases.ports import Documents, NewId, Registry

LICENCE_NOT_PENDING_SEAL = declare(
    "LICENCE_NOT_PENDING_SEAL",
    Kind.FAILED_PRECONDITION,
    "该证照不在待签章状态",
    "The licence does not wait for a seal",
)
SEAL_DOES_NOT_HOLD = declare(
    "SEAL_DOES_NOT_HOLD",
    Kind.FAILED_PRECONDITION,
    "签章文件验证未通过：{verdict}",
    "The sealed document did not verify: {verdict}",
)
REFUSED_VERDICTS = frozenset({"INVALID", "UNSIGNED"})


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """A sealed document as the seal service hands it out, and what its verification said of it."""

    signature_id: str
    ofd: bytes = field(repr=False)
    sha256: str
    verdict: str
    verified_at: datetime


async def make_licence(
    registry: Registry,
    documents: Documents,
    types: LicenceTypes,
    data: IssueData,
    new_id: NewId,
    now: datetime,
) -> Licence:
    """Make the licence of an approved part, store its unsealed document, and tell that it waits for its seal.

    A part has one licence: again for the same part returns that one. Rendering runs in a thread.
    Raises LICENCE_TYPE_UNKNOWN, INVALID_REQUEST, FACE_TOO_LONG, or an identifier rule.
    """
    existing = await registry.licences.by_part(data.part_id)
    if existing:
        return existing
    kind = types.get(data.type_code)
    if kind is None:
        raise LICENCE_TYPE_UNKNOWN(type_code=data.type_code)
    check_issue_data(data)
    licence = await _begun(registry, kind, data, new_id())
    document = await asyncio.to_thread(render, licence, kind)
    digest = await documents.put(document.ofd)
    sealing = Sealing(digest, document.seal_x_mm, document.seal_y_mm)
    licence = await registry.licences.add(replace(licence, sealing=sealing))
    registry.publish(made_event(licence, now), licence.version)
    return licence


async def _begun(registry: Registry, kind: LicenceType, data: IssueData, licence_id: str) -> Licence:
    """Return the new licence under the next serial that no imported licence of the issuer has."""
    while True:
        year = issue_year(data.decided_at)
        sequence = await registry.licences.next_serial(data.issuer_code, data.type_code, year)
        licence = make(licence_id, data, kind, sequence)
        if not await registry.licences.is_begun(licence):
            return licence


def made_event(licence: Licence, now: datetime) -> LicenceMade:
    """Return what tells that a licence waits for its seal."""
    return LicenceMade(
        licence_id=licence.licence_id,
        identifier=public_identifier(licence),
        type_code=licence.type_code,
        county_code=licence.county_code,
        issuer_code=licence.issuer_code,
        case_id=licence.case_id,
        part_id=licence.part_id,
        item_code=licence.item_code,
        document_sha256=licence.sealing.unsealed_sha256,
        made_at=now,
    )


async def get_unsealed_document(
    registry: Registry, documents: Documents, licence_id: str
) -> tuple[Licence, bytes]:
    """Return a licence that waits for its seal and its document. Raises LICENCE_NOT_PENDING_SEAL."""
    licence = await registry.licences.get(licence_id)
    if licence is None:
        raise LICENCE_NOT_FOUND()
    if licence.status is not LicenceStatus.PENDING_SEAL:
        raise LICENCE_NOT_PENDING_SEAL()
    return licence, await documents.get(licence.sealing.unsealed_sha256)


async def put_in_force(
    registry: Registry,
    documents: Documents,
    licence_id: str,
    sealed: SealedDocument,
    announced_sha256: str,
    now: datetime,
) -> Licence:
    """Store the sealed document and put the licence in force (签发); its predecessor, if any, is replaced.

    The bytes must have the digest that the seal service announced in its event, and must not have
    failed verification. A licence that no longer waits for a seal (in force already, or cancelled
    meanwhile) stays as it is.
    Raises DOCUMENT_DAMAGED, SEAL_DOES_NOT_HOLD, LICENCE_NOT_FOUND.
    """
    above = await hold_parent(registry, licence_id, now)
    licence = await registry.licences.lock(licence_id)
    if licence is None:
        raise LICENCE_NOT_FOUND()
    if licence.status is not LicenceStatus.PENDING_SEAL:
        return licence
    if hashlib.sha256(sealed.ofd).hexdigest() != announced_sha256 or sealed.sha256 != announced_sha256:
        raise DOCUMENT_DAMAGED()
    if sealed.verdict in REFUSED_VERDICTS:
        raise SEAL_DOES_NOT_HOLD(verdict=sealed.verdict)
    status = after(Act.SEAL, licence.status)
    sealing = replace(
        licence.sealing,
        sealed_sha256=await documents.put(sealed.ofd),
        signature_id=sealed.signature_id,
        verdict=sealed.verdict,
        verified_at=sealed.verified_at,
        refusal="",
    )
    change = _sealed(licence.status, status, sealed, now)
    licence = replace(licence, status=status, sealing=sealing, version=licence.version + 1)
    await registry.licences.save_state(licence)
    await registry.licences.add_change(licence, change, REGISTRY)
    await registry.life.pdfs.add(wanted(licence_id, now))
    link, parent = above or (None, None)
    today = now.astimezone(CHINA_TIME).date()  # what is issued here is heard of on its day
    await registry.sources.note_arrivals(REGISTRY_SOURCE, arrivals([(licence.type_code, today)], today))
    registry.publish(_issued(licence, link, now), licence.version)
    if link is not None and parent is not None:
        return await take_over(registry, licence, link, parent, now)
    return licence


async def note_seal_refusal(registry: Registry, licence_id: str, reason: str) -> None:
    """Note on a licence that still waits for its seal why it was refused one; nothing else changes.

    The issuer mends the cause and has the event replayed, or cancels the licence.
    """
    licence = await registry.licences.lock(licence_id)
    if licence is None or licence.status is not LicenceStatus.PENDING_SEAL:
        return
    sealing = replace(licence.sealing, refusal=reason)
    await registry.licences.save_refusal(replace(licence, sealing=sealing))


def _sealed(
    previous: LicenceStatus, status: LicenceStatus, sealed: SealedDocument, now: datetime
) -> StatusChange:
    return StatusChange(previous, status, Act.SEAL, "签发", sealed.signature_id, "certs", now)


def _issued(licence: Licence, link: Link | None, now: datetime) -> LicenceIssued:
    return LicenceIssued(
        licence_id=licence.licence_id,
        identifier=public_identifier(licence),
        type_code=licence.type_code,
        type_name=licence.type_name,
        county_code=licence.county_code,
        issuer_code=licence.issuer_code,
        case_id=licence.case_id,
        part_id=licence.part_id,
        signature_id=licence.sealing.signature_id,
        document_sha256=licence.sealing.sealed_sha256,
        issued_at=now,
        predecessor_id=link.parent_id if link and not link.is_copy else "",
        original_id=link.parent_id if link and link.is_copy else "",
    )
