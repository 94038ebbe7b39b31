"""The reading calls of the sharing interface, each over the use case that gRPC has."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, refuse
from services.certs.api.asking import found, kind_of_number, need, usable_of
from services.certs.api.door import Visit
from services.certs.api.shapes import (
    FileToVerify,
    InfoToVerify,
    OfHolder,
    OfIdentifier,
    OfQrCode,
    RemarkAsked,
)
from services.certs.domain.disclosure import Shown
from services.certs.domain.issuing import LICENCE_TYPE_UNKNOWN
from services.certs.domain.metadata import FACE_PREFIX
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import UsageKind
from services.certs.usecases.search import Query
from standards.annotated_copy import copy_mark, custom_datas

TRUE, FALSE = "true", "false"


async def by_holder(visit: Visit, asked: OfHolder) -> list[dict[str, Any]]:
    """Return the usable licences of a holder of one type. Raises LICENCE_NOT_FOUND, LICENCE_NOT_USABLE."""
    need(holderCode=asked.holderCode, holderTypeCode=asked.holderTypeCode, certTypeCode=asked.certTypeCode)
    visit.check_type(asked.certTypeCode)
    holder = (asked.holderTypeCode, asked.holderCode)
    query = Query(holder=holder, type_codes=(asked.certTypeCode,), holders_number=asked.certNo)
    usable = usable_of(visit, await found(visit, query, *visit.purpose(asked.useCause, asked)))
    return [{"cert_identifier": each.identifier, "certData": cert_data(each)} for each in usable]


async def by_identifier(visit: Visit, asked: OfIdentifier) -> dict[str, Any]:
    """Return a usable licence by its identifier. Raises LICENCE_NOT_FOUND, LICENCE_NOT_USABLE."""
    need(certIdentifier=asked.certIdentifier)
    query = Query(identifier=asked.certIdentifier)
    matching = await found(visit, query, *visit.purpose(asked.useCause, asked))
    return {"certData": cert_data(usable_of(visit, matching)[0])}


async def by_qr_code(visit: Visit, asked: OfQrCode) -> dict[str, Any]:
    """Return the licence that a holder shows by an offline QR code; the showing is the basis."""
    need(qrcode=asked.qrcode)
    purpose = Purpose(asked.useCause, Basis.SHOWN_BY_HOLDER, asked.itemCode, asked.caseId)
    matching = await found(visit, Query(qr_text=asked.qrcode), purpose, None)
    return {"certData": cert_data(usable_of(visit, matching)[0])}


async def verify_info(visit: Visit, asked: InfoToVerify) -> dict[str, str]:
    """Say whether a usable licence of the holder states all that was said of it; never what it states instead."""
    said = dict(asked.certData)
    number, name, licence_number = (said.pop(each, "") for each in ("holderCode", "holder", "certNo"))
    need(certTypeCode=asked.certTypeCode, holderCode=number, holder=name, certNo=licence_number)
    visit.check_type(asked.certTypeCode)
    person = (said.pop("holderTypeCode", "") or kind_of_number(number), number)
    query = Query(holder=person, type_codes=(asked.certTypeCode,), holders_number=licence_number)
    purpose, grounds = visit.purpose(asked.useCause, asked)
    matching = await found(visit, query, purpose, grounds, empty_is_fine=True, kind=UsageKind.ANSWER)
    holds = any(
        each.licence.is_usable(visit.door.clock())
        and each.licence.number == licence_number
        and any(holder.name == name for holder in each.licence.holders)
        and all(_states(each, field, value) for field, value in said.items())
        for each in matching
    )
    return {"result": TRUE, "message": "一致"} if holds else {"result": FALSE, "message": "不一致或证照无效"}


async def verify_file(visit: Visit, asked: FileToVerify) -> dict[str, str]:
    """Say whether a file is, byte for byte, the sealed original of a usable licence; a copy never is."""
    need(certTypeCode=asked.certTypeCode, contentType=asked.contentType, content=asked.content)
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
    matching = await found(visit, Query(identifier=identifier), purpose, grounds, empty_is_fine=True)
    digest = hashlib.sha256(document).hexdigest()
    original = [each for each in matching if each.licence.sealing.sealed_sha256 == digest]
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
    held = shown.licence
    return {
        "CertificateName": held.type_name,
        "CertificateTypeCode": held.type_code,
        "CertificateNumber": shown.number,
        "CertificateIdentifier": shown.identifier,
        "CertificateIssuingAuthorityName": held.issuer_name,
        "CertificateIssuingAuthorityCode": held.issuer_code,
        "CertificateIssuedDate": held.issued_date.isoformat(),
        "CertificateHolderName": shown.holder_name,
        "CertificateHolderTypeCode": held.holders[0].id_type_code,
        "CertificateEffectiveDate": held.valid_from.isoformat() if held.valid_from else "",
        "CertificateExpiringDate": held.valid_until.isoformat() if held.valid_until else "长期",
        **shown.face,
    }


def _states(shown: Shown, name: str, value: str) -> bool:
    held = shown.licence
    plain: Mapping[str, str] = {
        "certIdentifier": held.identifier,
        "certName": held.type_name,
        "issuedDate": held.issued_date.isoformat(),
        "expiringDate": held.valid_until.isoformat() if held.valid_until else "长期",
    }
    if name.startswith(FACE_PREFIX):
        return name in shown.face and held.face.get(name) == value  # what is hidden states nothing
    return plain.get(name) == value
