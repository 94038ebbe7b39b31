"""The life of a dispute: opened, checked, decided or withdrawn, with uses frozen meanwhile where it is ordered.

Individuals may have wrong data about them corrected, and the handler must check (个人信息保护法 46); who
refuses says why (50). The law names no number of days; the deadline is a setting.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from chassis.errors import FIELD_REQUIRED, Kind, Violation, declare
from services.certs.domain.status import BASIS_DOCUMENT_LIMIT, OPERATOR_LIMIT, REASON_LIMIT
from services.certs.domain.wording import stated_violations

STATEMENT_LIMIT = 2_000

DISPUTE_NOT_FOUND = declare("DISPUTE_NOT_FOUND", Kind.NOT_FOUND, "没有找到该异议", "No such dispute")
USE_NOT_FOUND = declare("USE_NOT_FOUND", Kind.NOT_FOUND, "没有找到该用证记录", "No such use of this licence")
DISPUTE_NOT_OPEN = declare(
    "DISPUTE_NOT_OPEN",
    Kind.FAILED_PRECONDITION,
    "异议状态为 {state}，不能进行 {act}",
    "A dispute that is {state} cannot undergo: {act}",
)
DISPUTE_OPEN_ALREADY = declare(
    "DISPUTE_OPEN_ALREADY",
    Kind.ALREADY_EXISTS,
    "您对此已提出异议，正在核查",
    "The same is in dispute already",
)
LICENCE_IN_DISPUTE = declare(
    "LICENCE_IN_DISPUTE",
    Kind.FAILED_PRECONDITION,
    "该证照存在异议，核查期间暂停使用",
    "The licence is in dispute; its use is frozen while that is checked",
)


class DisputeKind(StrEnum):
    """What is disputed."""

    CONTENT = "content"
    USE = "use"


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPENED = "opened"
    CHECKING = "checking"
    UPHELD = "upheld"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class DisputeAct(StrEnum):
    """What moves a dispute."""

    OPEN = "open"
    START = "start"
    UPHOLD = "uphold"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"


class FreezeRule(StrEnum):
    """Which disputes freeze uses by themselves, without an order of the issuer."""

    NONE = "none"
    USE = "use"
    ALL = "all"


OPEN_STATES = frozenset({DisputeState.OPENED, DisputeState.CHECKING})
_FOLLOWING: dict[DisputeAct, tuple[frozenset[DisputeState], DisputeState]] = {
    DisputeAct.START: (frozenset({DisputeState.OPENED}), DisputeState.CHECKING),
    DisputeAct.UPHOLD: (OPEN_STATES, DisputeState.UPHELD),
    DisputeAct.REJECT: (OPEN_STATES, DisputeState.REJECTED),
    DisputeAct.WITHDRAW: (OPEN_STATES, DisputeState.WITHDRAWN),
}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Who acts, why, by which rule."""

    operator: str
    reason: str
    legal_basis: str


@dataclass(frozen=True, slots=True)
class Step:
    """One act on a dispute, never changed afterwards; ``version`` is that of the dispute after it."""

    version: int
    act: DisputeAct
    at: datetime
    done_by: str
    grounds: Grounds


@dataclass(frozen=True, slots=True)
class Dispute:
    """A dispute; ``consumer_code`` and ``usage_id`` are empty where the content is disputed.

    ``due_on`` is None while the calendar of the year it falls into is not loaded.
    """

    dispute_id: str
    licence_id: str
    kind: DisputeKind
    usage_id: str
    consumer_code: str
    issuer_code: str
    opened_at: datetime
    due_on: date | None
    statement: str = field(default="", repr=False)
    state: DisputeState = DisputeState.OPENED
    frozen_at: datetime | None = None
    settled_at: datetime | None = None
    reason: str = ""
    legal_basis: str = ""
    version: int = 1

    @property
    def etag(self) -> str:
        """The dispute's version as callers see it."""
        return f'"{self.version}"'

    @property
    def is_open(self) -> bool:
        """Whether it waits for a decision."""
        return self.state in OPEN_STATES


def take(dispute: Dispute, act: DisputeAct, grounds: Grounds, now: datetime) -> Dispute:
    """Return the dispute after an act. Raises DISPUTE_NOT_OPEN.

    A freeze ends with a rejection or a withdrawal; after a dispute was upheld it lasts until the issuer,
    having set things right, lifts it.
    """
    moved = replace(dispute, version=dispute.version + 1)
    if act is DisputeAct.FREEZE:
        if not dispute.is_open or dispute.frozen_at is not None:
            raise _not_open(dispute, act)
        return replace(moved, frozen_at=now)
    if act is DisputeAct.UNFREEZE:
        if dispute.frozen_at is None:
            raise _not_open(dispute, act)
        return replace(moved, frozen_at=None)
    allowed, state = _FOLLOWING.get(act, (frozenset(), dispute.state))
    if dispute.state not in allowed:
        raise _not_open(dispute, act)
    if state is DisputeState.CHECKING:
        return replace(moved, state=state)
    frozen = dispute.frozen_at if state is DisputeState.UPHELD else None
    return replace(
        moved,
        state=state,
        frozen_at=frozen,
        settled_at=now,
        reason=grounds.reason,
        legal_basis=grounds.legal_basis,
    )


def freezes_at_once(rule: FreezeRule, kind: DisputeKind) -> bool:
    """Say whether the registry's rule freezes uses as soon as such a dispute is opened."""
    return rule is FreezeRule.ALL or (rule is FreezeRule.USE and kind is DisputeKind.USE)


def opening_violations(
    licence_id: str, kind: DisputeKind | None, usage_id: str, statement: str
) -> list[Violation]:
    """Return every wrong field of a request to open a dispute."""
    found = [] if licence_id else [FIELD_REQUIRED.at("licence_id")]
    if kind is None:
        found.append(FIELD_REQUIRED.at("kind"))
    if kind is DisputeKind.USE and not usage_id:
        found.append(FIELD_REQUIRED.at("usage_id"))
    return [*found, *stated_violations("statement", statement, STATEMENT_LIMIT)]


def grounds_violations(grounds: Grounds, *, at: str = "grounds") -> list[Violation]:
    """Return every wrong field of what a department states for an act of its own."""
    return [
        *stated_violations(f"{at}.operator", grounds.operator, OPERATOR_LIMIT),
        *stated_violations(f"{at}.reason", grounds.reason, REASON_LIMIT),
        *stated_violations(f"{at}.legal_basis", grounds.legal_basis, BASIS_DOCUMENT_LIMIT),
    ]


def _not_open(dispute: Dispute, act: DisputeAct) -> Exception:
    return DISPUTE_NOT_OPEN(state=dispute.state, act=act)
