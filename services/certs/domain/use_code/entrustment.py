"""An entrustment (委托): someone may present or hand out a holder's licences for him, within a scope, until an end.

Intake keeps the entrustment and signs it; the registry takes over what its signature covers and nothing
else. Who gave it and who got it are numbers that stay inside the signed statement; the registry keeps
their blind indexes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chassis.errors import Fault, Kind, Reason, declare
from services.certs.domain.holder import HOLDER_ID_TYPES

STATEMENT_KIND = "entrustment"
ID_LIMIT = 64
SCOPE_LIMIT = 100

ENTRUSTMENT_MALFORMED = declare(
    "ENTRUSTMENT_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "委托记录内容不完整或格式不正确",
    "The signed entrustment is incomplete or malformed",
)
ENTRUSTMENT_UNKNOWN = declare("ENTRUSTMENT_UNKNOWN", Kind.NOT_FOUND, "没有找到该委托", "No such entrustment")
ENTRUSTMENT_WRONG_PERSON = declare(
    "ENTRUSTMENT_WRONG_PERSON",
    Kind.PERMISSION_DENIED,
    "该委托不是此持证主体授予此办理人的",
    "The entrustment is not from this holder to this person",
)
ENTRUSTMENT_OUT_OF_SCOPE = declare(
    "ENTRUSTMENT_OUT_OF_SCOPE",
    Kind.PERMISSION_DENIED,
    "超出委托范围",
    "Outside what was entrusted",
)
ENTRUSTMENT_EXPIRED = declare(
    "ENTRUSTMENT_EXPIRED",
    Kind.FAILED_PRECONDITION,
    "委托尚未生效或已过期",
    "The entrustment has not begun, or has ended",
)
ENTRUSTMENT_REVOKED = declare(
    "ENTRUSTMENT_REVOKED", Kind.FAILED_PRECONDITION, "委托已撤回", "The entrustment was taken back"
)
ENTRUSTMENT_DIFFERS = declare(
    "ENTRUSTMENT_DIFFERS",
    Kind.ALREADY_EXISTS,
    "同一委托编号已登记为不同内容",
    "Another entrustment is on record under this id",
)
REFUSALS: frozenset[Reason] = frozenset(
    {
        ENTRUSTMENT_UNKNOWN,
        ENTRUSTMENT_WRONG_PERSON,
        ENTRUSTMENT_OUT_OF_SCOPE,
        ENTRUSTMENT_EXPIRED,
        ENTRUSTMENT_REVOKED,
    }
)


class Power(StrEnum):
    """What an agent may do with the licences in scope."""

    PRESENT = "present"
    ISSUE_USE_CODE = "issue_use_code"
    APPLY = "apply"
    """Conduct cases in the holder's name: intake's matter, no licence is used by it alone."""


Person = tuple[str, str]
"""Kind of number (GB/T 36903 Annex A) and number."""


@dataclass(frozen=True, slots=True)
class Entrustment:
    """An entrustment as its signed statement says it; no item codes means every item of the types."""

    entrustment_id: str
    grantor: Person = field(repr=False)
    agent: Person = field(repr=False)
    type_codes: tuple[str, ...]
    item_codes: tuple[str, ...]
    powers: tuple[Power, ...]
    valid_from: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """An entrustment on record: its scope, whether the two persons are the ones asked about, and if it stands."""

    entrustment_id: str
    from_grantor: bool
    to_agent: bool
    type_codes: tuple[str, ...]
    item_codes: tuple[str, ...]
    powers: tuple[str, ...]
    valid_from: datetime
    expires_at: datetime
    revoked_at: datetime | None


def read_entrustment(claims: Mapping[str, Any]) -> Entrustment:
    """Return the entrustment of claims whose signature was verified. Raises ENTRUSTMENT_MALFORMED."""
    try:
        found = Entrustment(
            str(claims["jti"]),
            _person(claims["grantor"]),
            _person(claims["agent"]),
            _codes(claims["types"]),
            _codes(claims.get("items", [])),
            tuple(Power(each) for each in claims["powers"]),
            _moment(claims["nbf"]),
            _moment(claims["exp"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as problem:
        raise ENTRUSTMENT_MALFORMED() from problem
    named = 0 < len(found.entrustment_id) <= ID_LIMIT and found.type_codes and found.powers
    if not named or found.valid_from >= found.expires_at or found.grantor == found.agent:
        raise ENTRUSTMENT_MALFORMED()
    return found


def require_power(
    standing: Standing | None, power: Power, type_code: str, item_code: str | None, now: datetime
) -> Standing:
    """Return an entrustment that covers an act now; ``item_code`` is None where the act belongs to no item.

    Whose it is comes first: a stranger learns nothing of scope or state. Raises one of `REFUSALS`.
    """
    if standing is None:
        raise ENTRUSTMENT_UNKNOWN()
    refusal = _refusal(standing, power, type_code, item_code, now)
    if refusal is not None:
        raise refusal
    return standing


def _refusal(
    standing: Standing, power: Power, type_code: str, item_code: str | None, now: datetime
) -> Fault | None:
    if not (standing.from_grantor and standing.to_agent):
        return ENTRUSTMENT_WRONG_PERSON()
    if standing.revoked_at is not None:
        return ENTRUSTMENT_REVOKED()
    if not standing.valid_from <= now < standing.expires_at:
        return ENTRUSTMENT_EXPIRED()
    covered = power in standing.powers and type_code in standing.type_codes
    if covered and item_code is not None and standing.item_codes:
        covered = item_code in standing.item_codes
    return None if covered else ENTRUSTMENT_OUT_OF_SCOPE()


def _person(value: Any) -> Person:
    kind, number = str(value["t"]), str(value["n"])
    if kind not in HOLDER_ID_TYPES or not number:
        raise ValueError(kind)
    return kind, number


def _codes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > SCOPE_LIMIT:
        raise TypeError
    return tuple(str(each) for each in value)


def _moment(value: Any) -> datetime:
    if not isinstance(value, int):
        raise TypeError
    return datetime.fromtimestamp(value, UTC)
