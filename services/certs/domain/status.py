"""The life of a licence: which state follows which, by which act, and what each act must give.

Cancellation 注销 (Administrative Licensing Law 70), revocation 撤销 (69) and forfeiture 吊销 (a penalty)
are different legal acts; each needs a reason, the document that orders it, and who did it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from chassis.clock import china_day
from chassis.errors import Kind, Violation, declare, refuse
from services.certs.domain.wording import stated_violations
from standards.persons import is_same_person, named

REASON_LIMIT = 500
BASIS_DOCUMENT_LIMIT = 200
OPERATOR_LIMIT = 100

STATUS_CHANGE_NOT_ALLOWED = declare(
    "STATUS_CHANGE_NOT_ALLOWED",
    Kind.FAILED_PRECONDITION,
    "证照当前状态为 {status}，不能进行 {act}",
    "A licence that is {status} cannot undergo: {act}",
)
SECOND_PERSON_REQUIRED = declare(
    "SECOND_PERSON_REQUIRED",
    Kind.INVALID_ARGUMENT,
    "该行为须由两人办理，请填写复核人，或改用 LicenceLifeService.OrderLicenceAct",
    "This act takes two people: name the second person, or use LicenceLifeService.OrderLicenceAct",
)
LICENCE_SECOND_PERSON_SAME = declare(
    "LICENCE_SECOND_PERSON_SAME",
    Kind.INVALID_ARGUMENT,
    "复核人不能与经办人相同",
    "The second person must be another one than the operator",
)
STATUS_NOT_REQUESTABLE = declare(
    "STATUS_NOT_REQUESTABLE",
    Kind.INVALID_ARGUMENT,
    "该状态不能由颁发机构直接设置",
    "The issuer cannot set this status",
)
EFFECTIVE_IN_FUTURE = declare(
    "EFFECTIVE_IN_FUTURE",
    Kind.INVALID_ARGUMENT,
    "生效时间不能晚于当前时间",
    "The effective time lies in the future",
)
TERM_IS_OVER = declare(
    "TERM_IS_OVER",
    Kind.FAILED_PRECONDITION,
    "证照有效期已过，不能恢复",
    "The term is over; it cannot be restored",
)


class LicenceStatus(StrEnum):
    """Where a licence stands (证照状态); the values are those of events and of the database."""

    DRAFT = "draft"
    PENDING_SEAL = "pending_seal"
    VALID = "valid"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    FORFEITED = "forfeited"


class Act(StrEnum):
    """What moves a licence from one status to another."""

    MAKE = "make"
    SEAL = "seal"
    SUSPEND = "suspend"
    RESTORE = "restore"
    EXPIRE = "expire"
    REPLACE = "replace"
    CANCEL = "cancel"
    REVOKE = "revoke"
    FORFEIT = "forfeit"


_S = LicenceStatus
TRANSITIONS: dict[Act, tuple[frozenset[LicenceStatus], LicenceStatus]] = {
    Act.MAKE: (frozenset({_S.DRAFT}), _S.PENDING_SEAL),
    Act.SEAL: (frozenset({_S.PENDING_SEAL}), _S.VALID),
    Act.SUSPEND: (frozenset({_S.VALID}), _S.SUSPENDED),
    Act.RESTORE: (frozenset({_S.SUSPENDED}), _S.VALID),
    Act.EXPIRE: (frozenset({_S.VALID, _S.SUSPENDED}), _S.EXPIRED),
    Act.REPLACE: (frozenset({_S.VALID, _S.SUSPENDED, _S.EXPIRED}), _S.REPLACED),
    # 许可法 70: also after expiry, revocation and forfeiture; a licence never sealed can be called off.
    Act.CANCEL: (
        frozenset({_S.DRAFT, _S.PENDING_SEAL, _S.VALID, _S.SUSPENDED, _S.EXPIRED, _S.REVOKED, _S.FORFEITED}),
        _S.CANCELLED,
    ),
    Act.REVOKE: (frozenset({_S.VALID, _S.SUSPENDED, _S.EXPIRED}), _S.REVOKED),
    Act.FORFEIT: (frozenset({_S.VALID, _S.SUSPENDED}), _S.FORFEITED),
}

REQUESTABLE: dict[LicenceStatus, Act] = {
    _S.SUSPENDED: Act.SUSPEND,
    _S.VALID: Act.RESTORE,
    _S.CANCELLED: Act.CANCEL,
    _S.REVOKED: Act.REVOKE,
    _S.FORFEITED: Act.FORFEIT,
}
"""The acts of an issuer, by the status it asks for; the others follow from sealing, time and re-issue."""


@dataclass(frozen=True, slots=True)
class StatusOrder:
    """What an issuer orders: the status, why, by which document, who, from when; the second person where needed."""

    status: LicenceStatus | None
    reason: str
    basis_document: str
    operator: str
    effective_at: datetime
    second_person: str = ""


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One line of a licence's history, never changed afterwards."""

    previous: LicenceStatus
    status: LicenceStatus
    act: Act
    reason: str
    basis_document: str
    operator: str
    effective_at: datetime


def after(act: Act, status: LicenceStatus) -> LicenceStatus:
    """Return the status an act leads to. Raises STATUS_CHANGE_NOT_ALLOWED."""
    allowed, following = TRANSITIONS[act]
    if status not in allowed:
        raise STATUS_CHANGE_NOT_ALLOWED(status=status, act=act)
    return following


def is_over(valid_until: date | None, now: datetime) -> bool:
    """Say whether the last day of the term lies before today in China; None never ends (长期)."""
    return valid_until is not None and valid_until.isoformat() < china_day(now)


def order_violations(order: StatusOrder, now: datetime) -> list[Violation]:
    """Return every wrong field of an order."""
    found: list[Violation] = []
    if order.status not in REQUESTABLE:
        found.append(STATUS_NOT_REQUESTABLE.at("status"))
    found += stated_violations("reason", order.reason, REASON_LIMIT)
    found += stated_violations("basis_document", order.basis_document, BASIS_DOCUMENT_LIMIT)
    found += stated_violations("operator", order.operator, OPERATOR_LIMIT)
    if order.effective_at > now:
        found.append(EFFECTIVE_IN_FUTURE.at("effective_at"))
    return found


def second_person_violations(order: StatusOrder, second_person_acts: Collection[str]) -> list[Violation]:
    """Return what is wrong with the second person of an order whose status can be asked for."""
    if not named(order.second_person):
        needed = order.status in REQUESTABLE and REQUESTABLE[order.status].value in second_person_acts
        return [SECOND_PERSON_REQUIRED.at("second_person")] if needed else []
    if is_same_person(order.second_person, order.operator):
        return [LICENCE_SECOND_PERSON_SAME.at("second_person")]
    return stated_violations("second_person", order.second_person, OPERATOR_LIMIT)


def carry_out(
    order: StatusOrder, status: LicenceStatus, valid_until: date | None, now: datetime
) -> StatusChange:
    """Return the change an order makes to a licence of this status.

    Raises INVALID_REQUEST, STATUS_CHANGE_NOT_ALLOWED, TERM_IS_OVER.
    """
    refuse(order_violations(order, now))
    assert order.status is not None
    act = REQUESTABLE[order.status]
    if act is Act.RESTORE and status in {_S.SUSPENDED, _S.EXPIRED} and is_over(valid_until, now):
        raise TERM_IS_OVER()
    following = after(act, status)
    return StatusChange(
        status, following, act, order.reason, order.basis_document, order.operator, order.effective_at
    )


def expiry(status: LicenceStatus, valid_until: date, at: datetime) -> StatusChange:
    """Return the change that the end of the term brings. Raises STATUS_CHANGE_NOT_ALLOWED."""
    following = after(Act.EXPIRE, status)
    return StatusChange(status, following, Act.EXPIRE, "有效期届满", f"有效期至 {valid_until}", "certs", at)
