"""The encrypted parts of the replica: what a licence says and whose it is, what a use was for."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.status import LicenceStatus
from services.certs.store.sealing import Vault

CONTENT = "replica_licence.content"
TOLD = "replica_use.told"


def seal_content(vault: Vault, licence: Licence) -> bytes:
    """Return what a licence says, encrypted as one value."""
    return vault.seal(
        _json(
            {
                "identifier": licence.identifier,
                "number": licence.number,
                "holders": [(each.id_type_code, each.id_number, each.name) for each in licence.holders],
                "face": dict(licence.face),
                "type_name": licence.type_name,
                "issuer_name": licence.issuer_name,
                "issued_date": licence.issued_date.isoformat(),
                "valid_from": licence.valid_from.isoformat() if licence.valid_from else "",
                "trust_grade": licence.trust_grade,
                "serial_version": licence.serial_version,
            }
        ),
        field=CONTENT,
    )


def open_content(vault: Vault, row: Any) -> Licence:
    """Return the licence of a row. Raises FIELD_UNREADABLE."""
    said = json.loads(vault.open(row["content"], field=CONTENT))
    return Licence(
        licence_id=str(row["licence_id"]),
        lineage_id="",
        identifier=said["identifier"],
        type_code=row["type_code"],
        type_name=said["type_name"],
        number=said["number"],
        issuer_code=row["issuer_code"],
        issuer_name=said["issuer_name"],
        county_code=row["county_code"],
        holders=tuple(Holder(*each) for each in said["holders"]),
        issued_date=date.fromisoformat(said["issued_date"]),
        valid_from=date.fromisoformat(said["valid_from"]) if said["valid_from"] else None,
        valid_until=row["valid_until"],
        status=LicenceStatus(row["status"]),
        face=said["face"],
        origin=Origin.IMPORTED,
        trust_grade=said["trust_grade"],
        version=row["version"],
        serial_version=said["serial_version"],
    )


def seal_told(vault: Vault, said: list[object]) -> bytes:
    """Return what a use was for, encrypted."""
    return vault.seal(_json(said), field=TOLD)


def open_told(vault: Vault, sealed: bytes) -> list[Any]:
    """Return what `seal_told` encrypted. Raises FIELD_UNREADABLE."""
    found: list[Any] = json.loads(vault.open(sealed, field=TOLD))
    return found


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
