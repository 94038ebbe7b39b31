"""The reading calls of the sharing interface, each over the use case that gRPC has."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chassis.clock import CHINA_TIME
from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, Violation, refuse
from services.certs.api.door import SHARING_CALLS, Visit, new_id
from services.certs.api.shapes import (
    FileAsked,
    FileToVerify,
    InfoToVerify,
    OfHolder,
    OfIdentifier,
    OfQrCode,
    RemarkAsked,
    UrlAsked,
)
from services.certs.domain.disclosure import Shown
from services.certs.domain.holder import CITIZEN_CODE, USCC_CODE, check_holder_number
from services.certs.domain.issuing import LICENCE_TYPE_UNKNOWN
from services.certs.domain.licence import LICENCE_NOT_FOUND, LICENCE_NOT_USABLE
from services.certs.domain.metadata import FACE_PREFIX
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import UsageKind
from services.certs.domain.use_code import Grounds
from services.certs.usecases.annotate import Copy, fetch_copy, make_annotated_copy, picture
from services.certs.usecases.search import LARGEST_PAGE, Query, search
from standards.annotated_copy import copy_mark, custom_datas

TRUE, FALSE = "true", "false"


async def by_holder(visit: Visit, asked: OfHolder) -> list[dict[str, Any]]:
    """Return the usable licences of a holder of one type. Raises LICENCE_NOT_FOUND, LICENCE_NOT_USABLE."""
    _need(holderCode=asked.holderCode, holderTypeCode=asked.holderTypeCode, certTypeCode=asked.certTypeCode)
    visit.check_type(asked.certTypeCode)
    holder = (asked.holderTypeCode, asked.holderCode)
    query = Query(holder=holder, type_codes=(asked.certTypeCode,))
    found = await _found(visit, query, *visit.purpose(asked.useCause, asked))
    if asked.certNo:
        found = [each for each in found if each.licence.number == asked.certNo]
    return [
        {"cert_identifier": each.identifier, "certData": cert_data(each)} for each in _usable(visit, found)
    ]


async def by_identifier(visit: Visit, asked: OfIdentifier) -> dict[str, Any]:
    """Return a usable licence by its identifier. Raises LICENCE_NOT_FOUND, LICENCE_NOT_USABLE."""
    _need(certIdentifier=asked.certIdentifier)
    query = Query(identifier=asked.certIdentifier)
    found = await _found(visit, query, *visit.purpose(asked.useCause, asked))
    return {"certData": cert_data(_usable(visit, found)[0])}


async def by_qr_code(visit: Visit, asked: OfQrCode) -> dict[str, Any]:
    """Return the licence that a holder shows by an offline QR code; the showing is the basis."""
    _need(qrcode=asked.qrcode)
    purpose = Purpose(asked.useCause, Basis.SHOWN_BY_HOLDER, asked.itemCode, asked.caseId)
    found = await _found(visit, Query(qr_text=asked.qrcode), purpose, None)
    return {"certData": cert_data(_usable(visit, found)[0])}


async def copy_address(visit: Visit, asked: UrlAsked) -> dict[str, Any]:
    """Make an annotated copy and return where the caller, and nobody else, fetches it once within ten minutes."""
    _need(certIdentifier=asked.certIdentifier)
    purpose, grounds = visit.purpose(asked.useCause, asked)
    end = _moment("expiryTime", asked.expiryTime)
    copy = await _copy(visit, asked.certIdentifier, purpose, grounds, end, with_ticket=True)
    return {
        "contentType": "url",
        "content": f"/copies/{copy.ticket}",
        "certIdentifier": asked.certIdentifier,
    }


async def copy_file(visit: Visit, asked: FileAsked) -> dict[str, Any]:
    """Return an annotated copy in base64, as a layout file or as a picture."""
    _need(
        certificateIdentifier=asked.certificateIdentifier,
        fileType=asked.fileType,
        certificateCopyCause=asked.certificateCopyCause,
    )
    purpose, grounds = visit.purpose(asked.certificateCopyCause, asked)
    end = _moment("certificateCopyExpiringTime", asked.certificateCopyExpiringTime)
    copy = await _copy(visit, asked.certificateIdentifier, purpose, grounds, end)
    content = copy.ofd if asked.fileType == "ofd" else await picture(visit.door.types, copy)
    return {
        "fileType": asked.fileType,
        "content": base64.b64encode(content).decode(),
        "certificateIdentifier": asked.certificateIdentifier,
        "certificateCopyExpiringTime": _local(copy.annotation.expires_at),
    }


async def fetch(visit: Visit, ticket: str) -> bytes:
    """Return the copy of a ticket, once. Raises as `fetch_copy` does, and over its budget."""
    door = visit.door
    await door.limits.check(SHARING_CALLS, visit.reader.code)
    async with door.database.transaction() as tx:
        copy = await fetch_copy(door.registry_of(tx), door.types, visit.reader, ticket, new_id, door.clock())
    return copy.ofd


async def verify_info(visit: Visit, asked: InfoToVerify) -> dict[str, str]:
    """Say whether a usable licence of the holder states all that was said of it; never what it states instead."""
    said = dict(asked.certData)
    number, name, licence_number = (said.pop(each, "") for each in ("holderCode", "holder", "certNo"))
    _need(certTypeCode=asked.certTypeCode, holderCode=number, holder=name, certNo=licence_number)
    visit.check_type(asked.certTypeCode)
    person = (said.pop("holderTypeCode", "") or _kind_of(number), number)
    query = Query(holder=person, type_codes=(asked.certTypeCode,))
    purpose, grounds = visit.purpose(asked.useCause, asked)
    found = await _found(visit, query, purpose, grounds, empty_is_fine=True, kind=UsageKind.ANSWER)
    holds = any(
        each.licence.is_usable(visit.door.clock())
        and each.licence.number == licence_number
        and any(holder.name == name for holder in each.licence.holders)
        and all(_states(each, field, value) for field, value in said.items())
        for each in found
    )
    return {"result": TRUE, "message": "一致"} if holds else {"result": FALSE, "message": "不一致或证照无效"}


async def verify_file(visit: Visit, asked: FileToVerify) -> dict[str, str]:
    """Say whether a file is, byte for byte, the sealed original of a usable licence; a copy never is."""
    _need(certTypeCode=asked.certTypeCode, contentType=asked.contentType, content=asked.content)
    visit.check_type(asked.certTypeCode)
    try:
        document = base64.b64decode(asked.content, validate=True)
    except (binascii.Error, ValueError):
        refuse([FIELD_MALFORMED.at("content")])
        raise
    purpose, grounds = visit.purpose(asked.useCause, asked)
    mark = copy_mark(document)
    if mark is not None:
        return {"result": FALSE, "message": f"加注件，不是证照原件，有效期至 {mark.expires_at}"}
    identifier = custom_datas(document).get("ZZBS", "")
    if not identifier or len(identifier) > 128:
        return {"result": FALSE, "message": "不是证照文件"}
    found = await _found(visit, Query(identifier=identifier), purpose, grounds, empty_is_fine=True)
    digest = hashlib.sha256(document).hexdigest()
    original = [each for each in found if each.licence.sealing.sealed_sha256 == digest]
    if not original or original[0].licence.type_code != asked.certTypeCode:
        return {"result": FALSE, "message": "与登记的证照文件不一致"}
    if not original[0].licence.is_usable(visit.door.clock()):
        return {"result": FALSE, "message": "证照文件未被改动，但证照当前无效"}
    return {"result": TRUE, "message": "证照文件未被改动，证照有效"}


async def remark(visit: Visit, asked: RemarkAsked) -> list[dict[str, Any]]:
    """Return the face fields of a type. Raises LICENCE_TYPE_UNKNOWN."""
    if not asked.certTypeCode and not asked.certName:
        refuse([FIELD_REQUIRED.at("certTypeCode")])
    types = visit.door.types
    known = [kind for code in types if (kind := types.get(code))]
    kind = next(
        (
            each
            for each in known
            if asked.certTypeCode in {"", each.code} and asked.certName in {"", each.name}
        ),
        None,
    )
    if kind is None:
        raise LICENCE_TYPE_UNKNOWN(type_code=asked.certTypeCode or asked.certName)
    return [{"name": each.name, "label": each.label, "required": each.required} for each in kind.fields]


def cert_data(shown: Shown) -> dict[str, Any]:
    """Return a licence by the names of GB/T 36903, masked as its reader may see it."""
    found = shown.licence
    return {
        "CertificateName": found.type_name,
        "CertificateTypeCode": found.type_code,
        "CertificateNumber": shown.number,
        "CertificateIdentifier": shown.identifier,
        "CertificateIssuingAuthorityName": found.issuer_name,
        "CertificateIssuingAuthorityCode": found.issuer_code,
        "CertificateIssuedDate": found.issued_date.isoformat(),
        "CertificateHolderName": shown.holder_name,
        "CertificateHolderTypeCode": found.holders[0].id_type_code,
        "CertificateEffectiveDate": found.valid_from.isoformat() if found.valid_from else "",
        "CertificateExpiringDate": found.valid_until.isoformat() if found.valid_until else "长期",
        **shown.face,
    }


async def _found(
    visit: Visit,
    query: Query,
    purpose: Purpose,
    grounds: Grounds | None,
    *,
    empty_is_fine: bool = False,
    kind: UsageKind | None = None,
) -> list[Shown]:
    """Return what matches, recorded; a type outside the agreement is as if it were not there."""
    door = visit.door
    async with door.database.transaction() as tx:
        page = await search(
            door.registry_of(tx),
            door.types,
            door.signer,
            visit.reader,
            query,
            purpose,
            (LARGEST_PAGE, None),
            new_id,
            door.clock(),
            grounds,
            kind=kind,
            covers=visit.covers,
        )
    if not page.licences and not empty_is_fine:
        raise LICENCE_NOT_FOUND()
    return list(page.licences)


async def _copy(
    visit: Visit,
    identifier: str,
    purpose: Purpose,
    grounds: Grounds,
    expires_at: datetime | None,
    *,
    with_ticket: bool = False,
) -> Copy:
    door = visit.door
    async with door.database.transaction() as tx:
        return await make_annotated_copy(
            door.registry_of(tx),
            door.types,
            visit.reader,
            ("", identifier),
            purpose,
            expires_at,
            new_id,
            door.clock(),
            with_ticket=with_ticket,
            grounds=grounds,
            covers=visit.covers,
        )


def _usable(visit: Visit, found: list[Shown]) -> list[Shown]:
    """Return those in force; raise LICENCE_NOT_USABLE with the first one's status if none is."""
    now = visit.door.clock()
    usable = [each for each in found if each.licence.is_usable(now)]
    if not usable:
        raise LICENCE_NOT_USABLE(status=found[0].licence.usability(now)) if found else LICENCE_NOT_FOUND()
    return usable


def _states(shown: Shown, name: str, value: str) -> bool:
    found = shown.licence
    plain: Mapping[str, str] = {
        "certIdentifier": found.identifier,
        "certName": found.type_name,
        "issuedDate": found.issued_date.isoformat(),
        "expiringDate": found.valid_until.isoformat() if found.valid_until else "长期",
    }
    if name.startswith(FACE_PREFIX):
        return name in shown.face and found.face.get(name) == value  # what is hidden states nothing
    return plain.get(name) == value


def _kind_of(number: str) -> str:
    return CITIZEN_CODE if not check_holder_number(CITIZEN_CODE, number).flags else USCC_CODE


def _moment(field: str, text: str) -> datetime | None:
    """Return a moment given as ``YYYY-MM-DD HH:MM:SS`` in China, or with its own zone; None for none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=CHINA_TIME)).astimezone(UTC)
    except (ValueError, OverflowError):
        refuse([FIELD_MALFORMED.at(field)])
        raise


def _local(moment: datetime) -> str:
    return moment.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")


def _need(**given: str) -> None:
    wrong: list[Violation] = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    refuse(wrong)
