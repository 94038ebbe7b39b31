"""What of a licence goes to another registry: holders and numbers to find it by, of its face what duty may see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from services.certs.domain.disclosure import masked
from services.certs.domain.federation.message import MESSAGE_MALFORMED, LicenceMessage
from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.purpose import PurposeCategory
from services.certs.domain.status import LicenceStatus

UNSHARED = frozenset({LicenceStatus.DRAFT, LicenceStatus.PENDING_SEAL})
"""What is not in force yet is told to nobody."""


def shared_content(licence: Licence, kind: LicenceType | None) -> bytes:
    """Return what the recipient may decrypt: face fields as a statutory duty sees them, hidden ones left out."""
    face = masked(licence, kind, PurposeCategory.STATUTORY_DUTY).face
    return _json(
        {
            "identifier": licence.identifier,
            "number": licence.number,
            "holders": [[each.id_type_code, each.id_number, each.name] for each in licence.holders],
            "type_name": licence.type_name,
            "issuer_code": licence.issuer_code,
            "issuer_name": licence.issuer_name,
            "county_code": licence.county_code,
            "issued_date": licence.issued_date.isoformat(),
            "valid_from": _day(licence.valid_from),
            "valid_until": _day(licence.valid_until),
            "trust_grade": licence.trust_grade,
            "serial_version": licence.serial_version,
            "face": dict(face),
        }
    ).encode()


def licence_of(message: LicenceMessage, content: bytes) -> Licence:
    """Return the licence that a message with its decrypted content states. Raises MESSAGE_MALFORMED."""
    try:
        said = json.loads(content)
        holders = tuple(Holder(*map(_text, each)) for each in said["holders"])
        if not holders:
            raise MESSAGE_MALFORMED(part="holders")
        return Licence(
            licence_id=message.licence_id,
            lineage_id="",
            identifier=_text(said["identifier"]),
            type_code=message.type_code,
            type_name=_text(said["type_name"]),
            number=_text(said["number"]),
            issuer_code=_text(said["issuer_code"]),
            issuer_name=_text(said["issuer_name"]),
            county_code=_text(said["county_code"]),
            holders=holders,
            issued_date=date.fromisoformat(said["issued_date"]),
            valid_from=_date(said["valid_from"]),
            valid_until=_date(said["valid_until"]),
            status=message.status,
            face=_face(said["face"]),
            origin=Origin.IMPORTED,
            trust_grade=_text(said["trust_grade"]),
            version=message.version,
            serial_version=int(said["serial_version"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise MESSAGE_MALFORMED(part="content") from None


def _face(said: object) -> Mapping[str, str]:
    if not isinstance(said, dict):
        raise MESSAGE_MALFORMED(part="face")
    return {_text(name): _text(value) for name, value in said.items()}


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise MESSAGE_MALFORMED(part="content")
    return value


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
