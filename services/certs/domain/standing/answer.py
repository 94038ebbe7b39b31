"""The answer about a standing, and the claims by which the registry signs it; nothing in it is personal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.certs.domain.standing.asking import Moments
from services.certs.domain.status import LicenceStatus
from services.certs.domain.usage import Reader

STANDING_KIND = "licence-standing"


@dataclass(frozen=True, slots=True)
class StandingAct:
    """An act in a licence's history, with the clause it rests on."""

    act: str
    status: LicenceStatus | None
    effective_at: datetime
    recorded_at: datetime
    reason: str
    basis_document: str
    clause: str
    version: int


@dataclass(frozen=True, slots=True)
class SealCheck:
    """One check of the verification of a sealed document."""

    name: str
    result: str
    reason: str
    clause: str


@dataclass(frozen=True, slots=True)
class SealStanding:
    """What the seal service says of a sealed document as of a time.

    ``result`` is valid, invalid, indeterminate, absent, not_yet or unknown; ``seal_status`` is empty for a
    seal that is not of our register.
    """

    result: str
    reason: str = ""
    seal_id: str = ""
    signature_id: str = ""
    signed_at: datetime | None = None
    seal_status: str = ""
    seal_status_since: datetime | None = None
    checks: tuple[SealCheck, ...] = ()


ABSENT, NOT_YET, UNKNOWN = "absent", "not_yet", "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a licence stood; ``status`` is None where there was no such licence yet."""

    licence_id: str
    moments: Moments
    status: LicenceStatus | None
    act: StandingAct | None
    in_dispute: bool
    history: tuple[StandingAct, ...]


def claims_of(
    standing: Standing, seal: SealStanding, usage_id: str, reader: Reader, now: datetime
) -> dict[str, Any]:
    """Return what is signed; times are RFC 3339 in UTC, what there is not is left out."""
    moments, act = standing.moments, standing.act
    claims: dict[str, Any] = {
        "jti": usage_id,
        "aud": reader.code,
        "iat": int(now.timestamp()),
        "lid": standing.licence_id,
        "at": moments.at.isoformat(),
        "known_at": moments.known_at.isoformat(),
        "status": standing.status.value if standing.status else "",
        "in_dispute": standing.in_dispute,
        "seal": _seal_claims(seal),
    }
    if act is not None:
        claims["act"] = {
            "act": act.act,
            "effective_at": act.effective_at.isoformat(),
            "recorded_at": act.recorded_at.isoformat(),
            "clause": act.clause,
            "v": act.version,
        }
    return claims


def _seal_claims(seal: SealStanding) -> dict[str, Any]:
    told: dict[str, Any] = {
        "result": seal.result,
        "reason": seal.reason,
        "seal_id": seal.seal_id,
        "signature_id": seal.signature_id,
        "signed_at": seal.signed_at.isoformat() if seal.signed_at else "",
        "seal_status": seal.seal_status,
    }
    return {name: value for name, value in told.items() if value}
