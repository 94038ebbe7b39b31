"""What of a licence goes to another registry: holders and numbers to find it by, of its face what duty may see."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from services.certs.domain.disclosure import masked
from services.certs.domain.federation.message import LicenceMessage
from services.certs.domain.federation.reading import MESSAGE_MALFORMED, day, items, mapping, number, text
from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.licence_type import LicenceType
from services.certs.domain.purpose import PurposeCategory
from services.certs.domain.status import LicenceStatus

UNSHARED = frozenset({LicenceStatus.DRAFT, LicenceStatus.PENDING_SEAL})
"""What is not in force yet is told to nobody."""
HOLDERS_LIMIT, HOLDER_PARTS = 100, 3
NAME_LIMIT, NUMBER_LIMIT = 1_000, 256
FACE_FIELDS_LIMIT, FACE_VALUE_LIMIT = 200, 20_000
"""More than any registry stores; a text that is longer says nothing of a licence."""
SERIAL_VERSION_MOST = 2**31 - 1


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
        said = mapping(json.loads(content), "content")
    except (ValueError, RecursionError):
        raise MESSAGE_MALFORMED(part="content") from None
    holders = tuple(_holder(each) for each in items(said.get("holders"), "holders", HOLDERS_LIMIT))
    if not holders:
        raise MESSAGE_MALFORMED(part="holders")
    return Licence(
        licence_id=message.licence_id,
        lineage_id="",
        identifier=text(said.get("identifier"), "identifier", NUMBER_LIMIT),
        type_code=message.type_code,
        type_name=text(said.get("type_name"), "type_name", NAME_LIMIT),
        number=text(said.get("number"), "number", NUMBER_LIMIT),
        issuer_code=text(said.get("issuer_code"), "issuer_code"),
        issuer_name=text(said.get("issuer_name"), "issuer_name", NAME_LIMIT),
        county_code=text(said.get("county_code"), "county_code"),
        holders=holders,
        issued_date=day(said.get("issued_date"), "issued_date"),
        valid_from=_end(said, "valid_from"),
        valid_until=_end(said, "valid_until"),
        status=message.status,
        face=_face(said.get("face")),
        origin=Origin.IMPORTED,
        trust_grade=text(said.get("trust_grade"), "trust_grade"),
        version=message.version,
        serial_version=number(said.get("serial_version"), "serial_version", most=SERIAL_VERSION_MOST),
    )


def _holder(said: object) -> Holder:
    parts = items(said, "holders", HOLDER_PARTS)
    if len(parts) != HOLDER_PARTS:
        raise MESSAGE_MALFORMED(part="holders")
    code, id_number, name = parts
    return Holder(
        text(code, "holders"),
        text(id_number, "holders", NUMBER_LIMIT),
        text(name, "holders", NAME_LIMIT),
    )


def _face(said: object) -> Mapping[str, str]:
    found = mapping(said, "face")
    if len(found) > FACE_FIELDS_LIMIT:
        raise MESSAGE_MALFORMED(part="face")
    return {text(name, "face"): text(value, "face", FACE_VALUE_LIMIT) for name, value in found.items()}


def _end(said: Mapping[str, Any], name: str) -> date | None:
    """Return a day of the term, None for a term without that end."""
    return None if said.get(name) == "" else day(said.get(name), name)


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
