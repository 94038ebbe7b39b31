"""The leaves of what this registry does: states of licences, use-codes, uses."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache

from services.certs.domain.licence import Licence
from services.certs.domain.log.leaf import Leaf, is_word, leaf_bytes, moment
from services.certs.domain.purpose import Basis
from services.certs.domain.reliance import relies
from services.certs.domain.usage import Usage, UsageKind

LICENCE = "licence"
"""Kind of a leaf that says where a licence stands after an act; the newest one counts."""
USE_CODE = "use_code"
USAGE = "usage"
ORDER = "order"
ENTRUSTMENT = "entrustment"
"""Kind of a leaf of an entrustment: it is about persons and no licence, and names itself by a digest."""
DOCUMENT = "document"
"""Kind of a leaf that says that a licence got one more document: its PDF."""
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
        facts["document"] = document_commitment(document_salt(salt), licence.sealing.sealed_sha256)
        facts["signature_id"] = licence.sealing.signature_id
    return Leaf(LICENCE, licence.licence_id, at, facts, salt)


def pdf_leaf(licence_id: str, signature_id: str, document_sha256: str, at: datetime) -> Leaf:
    """Return the leaf of a sealed PDF: its signature, its digest salted. Where the licence stands is another's to say."""
    salt = secrets.token_bytes(SALT_BYTES)
    facts = {
        "act": "pdf",
        "document": document_commitment(document_salt(salt), document_sha256),
        "signature_id": signature_id,
    }
    return Leaf(DOCUMENT, licence_id, at, facts, salt)


def document_salt(salt: bytes) -> bytes:
    """Return the salt of a leaf's digest of the sealed document.

    It goes along with the document; the leaf's own salt, by which its content could be guessed, does not
    follow from it.
    """
    return hmac.digest(salt, b"document", "sha256")[:SALT_BYTES]


def document_commitment(salt: bytes, sealed_sha256: str) -> str:
    """Return what a leaf says of the sealed document: SHA-256 in hex over its salt and the document's digest in hex."""
    return _salted(salt, sealed_sha256.encode())


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
    """Return the leaf of an order that was given, or of what became of it."""
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
    if relies(usage):
        facts["relied"] = 1
    return Leaf(USAGE, usage.licence_id, usage.used_at, facts)


def usage_leaf_text(usage: Usage, mac: bytes) -> str:
    """Return what `leaf_bytes` writes of `usage_leaf`, as text; a line that names no use-code costs a tenth of it."""
    named = usage.usage_id + usage.licence_id
    if usage.use_code_id or usage.used_at.tzinfo is None or not is_word(named):
        return leaf_bytes(usage_leaf(usage, mac)).decode()
    basis = usage.purpose.basis
    form = _usage_form(usage.reader.code, usage.outcome, usage.kind, basis, is_relied_on=relies(usage))
    return form % (moment(usage.used_at), mac.hex(), usage.usage_id, usage.licence_id)


@lru_cache(maxsize=1_024)
def _usage_form(
    consumer: str, outcome: str, kind: UsageKind, basis: Basis | None, *, is_relied_on: bool
) -> str:
    """Return the leaf of such uses, with ``%s`` for moment, code, use and licence; no word holds a per cent sign."""
    facts: dict[str, str | int] = {
        "consumer": consumer,
        "mac": "",
        "outcome": outcome,
        "usage_id": "",
        "use": kind.value,
    }
    if basis:
        facts["basis"] = basis.value
    if is_relied_on:
        facts["relied"] = 1
    text = leaf_bytes(Leaf(USAGE, "", _NO_MOMENT, facts)).decode().replace(moment(_NO_MOMENT), "%s", 1)
    for name in ("mac", "usage_id", "licence_id"):
        text = text.replace(f'"{name}":""', f'"{name}":"%s"')
    return text


def entrustment_leaf(entrustment_id: str, act: str, mac: bytes, at: datetime) -> Leaf:
    """Return the leaf of an entrustment recorded or taken back; ``mac`` is the row's integrity code after it."""
    digest = hashlib.sha256(entrustment_id.encode()).hexdigest()
    return Leaf(ENTRUSTMENT, "", at, {"act": act, "entrustment": digest, "mac": mac.hex()})


def use_code_leaf(licence_id: str, use_code_id: str, act: str, at: datetime) -> Leaf:
    """Return the leaf of a use-code given or taken back; what it allows stays with the use-code."""
    return Leaf(USE_CODE, licence_id, at, {"act": act, "use_code_id": use_code_id})


def adopted_change_leaf(licence_id: str, version: int, status: str, act: str, at: datetime) -> Leaf:
    """Return the leaf given afterwards of a change of status; ``act`` is what was done then."""
    facts: dict[str, str | int] = {"act": ADOPT, "adopted": act, "status": status, "version": version}
    return Leaf(STATUS_CHANGE, licence_id, at, facts)


_NO_MOMENT = datetime(1, 1, 1, tzinfo=UTC)


def _salted(salt: bytes, content: bytes) -> str:
    return hashlib.sha256(salt + content).hexdigest()


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
