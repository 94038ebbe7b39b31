"""What an issuer orders about a licence: the act, why, by which document, by whom, and from when it counts.

When an order counts (effective) and when the registry learnt of it (ordered) are kept apart. An order
whose time lies ahead waits; one whose time lies behind is carried out at once and counts from then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from chassis.clock import china_day
from chassis.errors import Kind, Violation, declare
from services.certs.domain.life.rules import LifeRules
from services.certs.domain.status import (
    BASIS_DOCUMENT_LIMIT,
    LICENCE_SECOND_PERSON_SAME,
    OPERATOR_LIMIT,
    REASON_LIMIT,
    Act,
    LicenceStatus,
    StatusChange,
    StatusOrder,
    carry_out,
)
from services.certs.domain.wording import stated_violations
from standards.persons import is_same_person, named

FURTHEST_AHEAD = timedelta(days=731)
"""An order further ahead would be forgotten by those who gave it."""

ORDER_NOT_FOUND = declare("ORDER_NOT_FOUND", Kind.NOT_FOUND, "没有找到该指令", "No such order")
ORDER_SETTLED = declare(
    "ORDER_SETTLED",
    Kind.FAILED_PRECONDITION,
    "该指令已执行或已失效，不能撤回",
    "The order was carried out or has ended; it cannot be withdrawn",
)
ACT_NOT_ORDERABLE = declare(
    "ACT_NOT_ORDERABLE",
    Kind.INVALID_ARGUMENT,
    "该行为有专门的接口或不能由颁发机构指令",
    "This act has a call of its own, or cannot be ordered",
)
EFFECTIVE_BEFORE_ISSUE = declare(
    "EFFECTIVE_BEFORE_ISSUE",
    Kind.INVALID_ARGUMENT,
    "生效时间不能早于证照颁发日期",
    "The effective time lies before the licence was issued",
)
EFFECTIVE_TOO_FAR = declare(
    "EFFECTIVE_TOO_FAR",
    Kind.INVALID_ARGUMENT,
    "生效时间不能晚于两年之后",
    "The effective time lies more than two years ahead",
)


class OrderedAct(StrEnum):
    """What can be ordered; the first five change the status, the others make or record something."""

    SUSPEND = "suspend"
    RESTORE = "restore"
    CANCEL = "cancel"
    REVOKE = "revoke"
    FORFEIT = "forfeit"
    CHANGE = "change"
    RENEW = "renew"
    COPY = "copy"
    INSPECT = "inspect"


STATUS_ASKED: dict[OrderedAct, LicenceStatus] = {
    OrderedAct.SUSPEND: LicenceStatus.SUSPENDED,
    OrderedAct.RESTORE: LicenceStatus.VALID,
    OrderedAct.CANCEL: LicenceStatus.CANCELLED,
    OrderedAct.REVOKE: LicenceStatus.REVOKED,
    OrderedAct.FORFEIT: LicenceStatus.FORFEITED,
}


class OrderState(StrEnum):
    """What became of an order."""

    WAITING = "waiting"
    DONE = "done"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision behind an order; ``second_person`` is empty where one person is enough."""

    reason: str
    basis_document: str
    operator: str
    second_person: str = ""


@dataclass(frozen=True, slots=True)
class LicenceOrder:
    """An order (指令) and what became of it; ``result_id`` is the new version or copy that it made."""

    order_id: str
    licence_id: str
    act: OrderedAct
    decision: Decision
    effective_at: datetime
    ordered_at: datetime
    ordered_by: str
    state: OrderState = OrderState.WAITING
    settled_at: datetime | None = None
    settled_version: int | None = None
    cause: str = ""
    result_id: str = ""


def decision_violations(decision: Decision, act: OrderedAct, rules: LifeRules) -> list[Violation]:
    """Return every wrong field of a decision, as paths of the request."""
    limits = {"reason": REASON_LIMIT, "basis_document": BASIS_DOCUMENT_LIMIT, "operator": OPERATOR_LIMIT}
    found: list[Violation] = []
    for name, limit in limits.items():
        found += stated_violations(f"decision.{name}", getattr(decision, name), limit)
    second = named(decision.second_person)
    if second and is_same_person(decision.second_person, decision.operator):
        found.append(LICENCE_SECOND_PERSON_SAME.at("decision.second_person"))
    elif second or act.value in rules.second_person_acts:
        found += stated_violations(
            "decision.second_person", decision.second_person if second else "", OPERATOR_LIMIT
        )
    return found


def effective_violations(effective_at: datetime, issued: date, now: datetime) -> list[Violation]:
    """Return what is wrong with the time from which an order is to count."""
    if effective_at > now + FURTHEST_AHEAD:  # first: the last day of the calendar has no day in China
        return [EFFECTIVE_TOO_FAR.at("effective_at")]
    return [EFFECTIVE_BEFORE_ISSUE.at("effective_at")] if china_day(effective_at) < issued.isoformat() else []


def change_ordered(
    order: LicenceOrder, status: LicenceStatus, valid_until: date | None, now: datetime
) -> StatusChange:
    """Return the change that an order of a status act makes to a licence of this status.

    Raises STATUS_CHANGE_NOT_ALLOWED, TERM_IS_OVER; both are judged as of ``now``, when it is carried out.
    """
    said = order.decision
    asked = StatusOrder(
        STATUS_ASKED[order.act], said.reason, said.basis_document, said.operator, min(order.effective_at, now)
    )
    return carry_out(asked, status, valid_until, now)


def act_of(order: LicenceOrder) -> Act:
    """Return the act of the status machine that an order of a status act is."""
    return Act(order.act.value)
