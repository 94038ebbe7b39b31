"""The holder's view of the uses of his licences, and the same as a signed statement."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import datetime
from typing import Any

from chassis.errors import FIELD_MALFORMED, refuse
from services.certs.domain.holder import holder_violations
from services.certs.usecases.ports import Registry, SummarySigner
from services.certs.usecases.recourse_ports import HeldUse, Person, Place, UseFilter

USES_KIND = "holder-uses"
SALT_BYTES = 16


async def list_held_uses(
    registry: Registry, holder: Person, wanted: UseFilter, before: Place | None, limit: int
) -> tuple[list[HeldUse], dict[str, str]]:
    """Return uses of a holder's licences, newest first, and the open disputes about them by use.

    Raises INVALID_REQUEST.
    """
    wrong = holder_violations(*holder)
    if wanted.used_from and wanted.used_before and wanted.used_from >= wanted.used_before:
        wrong.append(FIELD_MALFORMED.at("used_before"))
    refuse(wrong)
    found = await registry.recourse.uses.page(holder, wanted, before, limit)
    disputes = await registry.recourse.disputes.open_about([each.usage.usage_id for each in found])
    return found, disputes


def sign_uses(
    signer: SummarySigner,
    holder: Person,
    uses: list[HeldUse],
    wanted: UseFilter,
    before: Place | None,
    now: datetime,
    *,
    is_last: bool,
) -> tuple[str, str]:
    """Return uses as a statement of the registry, and the salt that proves whose they are.

    The compact JWS says by a salted digest whose uses it lists, by which filters, after which place the page
    begins, and whether more follow: an empty list is nobody else's, and no page stands for the whole.
    """
    salt = secrets.token_hex(SALT_BYTES)
    claims: dict[str, Any] = {
        "iat": int(now.timestamp()),
        "holder": holder_digest(holder, salt),
        "after": f"{before[0].isoformat()} {before[1]}" if before else "",
        "licence_id": wanted.licence_id,
        "used_from": wanted.used_from.isoformat() if wanted.used_from else "",
        "used_before": wanted.used_before.isoformat() if wanted.used_before else "",
        "is_last": is_last,
        "uses": [_claims(each) for each in uses],
    }
    return signer.sign(claims, USES_KIND), salt


def holder_digest(holder: Person, salt: str) -> str:
    """Return the hex SHA-256 of a holder's kind of number and number, salted: a proof to whoever knows both."""
    return hashlib.sha256(json.dumps([salt, *holder]).encode()).hexdigest()


def _claims(held: HeldUse) -> dict[str, Any]:
    usage, purpose, grounds = held.usage, held.usage.purpose, held.usage.grounds
    told: dict[str, Any] = {
        "usage_id": usage.usage_id,
        "licence_id": usage.licence_id,
        "licence_type": held.licence_type_name,
        "consumer_code": usage.reader.code,
        "consumer_name": usage.reader.name,
        "kind": usage.kind.value,
        "used_at": usage.used_at.isoformat(),
        "use_cause": purpose.use_cause,
        "item_code": purpose.item_code,
        "case_id": purpose.case_id,
        "basis": purpose.basis.value if purpose.basis else "",
        "outcome": usage.outcome,
        "face_fields": list(held.face_fields),
    }
    if grounds is not None:
        told |= {
            "consent_id": grounds.consent_id,
            "legal_article": grounds.legal_article,
            "entrustment_id": grounds.entrustment_id,
        }
    return {name: value for name, value in told.items() if value}
