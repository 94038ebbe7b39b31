"""The leaves of what this registry does: states of licences, use-codes, uses."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import date, datetime

from services.certs.domain.licence import Licence
from services.certs.domain.log.leaf import Leaf, moment
from services.certs.domain.usage import Usage

LICENCE = "licence"
"""Kind of a leaf that says where a licence stands after an act; the newest one counts."""
USE_CODE = "use_code"
USAGE = "usage"
ORDER = "order"
STATUS_CHANGE = "status_change"
"""Kind of a leaf that adopts a change of status; what a licence's newest leaf says goes on counting."""
ADOPT = "adopt"
"""Act of a leaf that was given afterwards: the row was written before the log began, or by an older release."""
SALT_BYTES = 16


def licence_leaf(licence: Licence, act: str, at: datetime, effective_at: datetime | None = None) -> Leaf:
    """Return the leaf of an act: the licence as it stands afterwards, its content as a salted digest."""
    salt = secrets.token_bytes(SALT_BYTES)
    facts: dict[str, str | int] = {
        "act": act,
        "content": content_commitment(licence, salt),
        "effective_at": moment(effective_at or at),
        "status": licence.status.value,
        "version": licence.version,
    }
    if licence.sealing.sealed_sha256:
        facts["document"] = _salted(salt, licence.sealing.sealed_sha256.encode())
        facts["signature_id"] = licence.sealing.signature_id
    return Leaf(LICENCE, licence.licence_id, at, facts, salt)


def content_commitment(licence: Licence, salt: bytes) -> str:
    """Return what a leaf says of a licence's content: SHA-256 in hex over the salt and the content."""
    holders = [(each.id_type_code, each.id_number, each.name) for each in licence.holders]
    content = [
        licence.identifier,
        licence.type_code,
        licence.number,
        licence.issuer_code,
        holders,
        [*map(_day, (licence.issued_date, licence.valid_from, licence.valid_until))],
        dict(licence.face),
    ]
    return _salted(salt, _canonical(content).encode())


def holds_content(leaf: Leaf, licence: Licence) -> bool:
    """Say whether a leaf of a state was made of this content; False too once its salt was deleted."""
    said = str(leaf.facts.get("content", ""))
    return bool(leaf.salt) and hmac.compare_digest(said, content_commitment(licence, leaf.salt))


def order_leaf(licence_id: str, facts: Mapping[str, str], at: datetime) -> Leaf:
    """Return the leaf of an order that waits for its time, or that was taken back."""
    return Leaf(ORDER, licence_id, at, facts)


def usage_leaf(usage: Usage, mac: bytes) -> Leaf:
    """Return the leaf of a line of the usage record; ``mac`` is the line's integrity code and binds the rest."""
    facts: dict[str, str | int] = {
        "consumer": usage.reader.code,
        "mac": mac.hex(),
        "outcome": usage.outcome,
        "usage_id": usage.usage_id,
        "use": usage.kind.value,
    }
    if usage.purpose.basis:
        facts["basis"] = usage.purpose.basis.value
    if usage.use_code_id:
        facts["use_code_id"] = usage.use_code_id
    return Leaf(USAGE, usage.licence_id, usage.used_at, facts)


def use_code_leaf(licence_id: str, use_code_id: str, act: str, at: datetime) -> Leaf:
    """Return the leaf of a use-code given or taken back; what it allows stays with the use-code."""
    return Leaf(USE_CODE, licence_id, at, {"act": act, "use_code_id": use_code_id})


def adopted_change_leaf(licence_id: str, version: int, status: str, act: str, at: datetime) -> Leaf:
    """Return the leaf given afterwards of a change of status; ``act`` is what was done then."""
    facts: dict[str, str | int] = {"act": ADOPT, "adopted": act, "status": status, "version": version}
    return Leaf(STATUS_CHANGE, licence_id, at, facts)


def _salted(salt: bytes, content: bytes) -> str:
    return hashlib.sha256(salt + content).hexdigest()


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
