"""Dispute a licence's content or a use of it; check, decide, freeze."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, Violation, refuse
from events.certs import DisputeDecided, DisputeOpened
from services.certs.domain.dispute import (
    DISPUTE_NOT_FOUND,
    DISPUTE_OPEN_ALREADY,
    USE_NOT_FOUND,
    Dispute,
    DisputeAct,
    DisputeKind,
    FreezeRule,
    Grounds,
    Step,
    freezes_at_once,
    grounds_violations,
    opening_violations,
    take,
)
from services.certs.domain.holder import holder_violations
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.status import OPERATOR_LIMIT, REASON_LIMIT
from services.certs.domain.wording import stated_violations
from services.certs.usecases.ports import NewId, Registry
from services.certs.usecases.recourse_ports import Deadlines, Person, Place

HOLDER = "holder"
REGISTRY = "service/certs"
BY_RULE = Grounds("certs", "异议核查期间按规则暂停使用", "《中华人民共和国个人信息保护法》第四十六条")
OPENED_VERSION, DECIDED_VERSION = 1, 2
"""Versions of the two events of a dispute; in between nothing is told."""
_DECIDING = frozenset({DisputeAct.UPHOLD, DisputeAct.REJECT, DisputeAct.WITHDRAW})


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a holder disputes, in his words."""

    licence_id: str
    kind: DisputeKind | None
    usage_id: str
    statement: str


@dataclass(frozen=True, slots=True)
class DisputeRules:
    """By what the registry handles disputes: its calendar and its rule about freezing."""

    deadlines: Deadlines
    freeze: FreezeRule


async def open_dispute(
    registry: Registry,
    rules: DisputeRules,
    holder: Person,
    complaint: Complaint,
    new_id: NewId,
    now: datetime,
) -> Dispute:
    """Open a holder's dispute about one of his licences and tell its issuer.

    Who held it before may still dispute a use that is on record as of a licence of his; nothing is frozen by it
    at once. Raises INVALID_REQUEST, LICENCE_NOT_FOUND, USE_NOT_FOUND, DISPUTE_OPEN_ALREADY.
    """
    told = complaint
    found = opening_violations(told.licence_id, told.kind, told.usage_id, told.statement)
    refuse([*holder_violations(*holder), *found])
    assert told.kind is not None
    licence = await registry.licences.get(told.licence_id)
    if licence is None or not await _may_dispute(registry, licence, holder, told):
        raise LICENCE_NOT_FOUND()
    usage_id, consumer = "", ""
    if told.kind is DisputeKind.USE:
        consumer = await registry.recourse.disputes.use_of(told.usage_id, licence.licence_id) or ""
        if not consumer:
            raise USE_NOT_FOUND()
        usage_id = told.usage_id
    due_on = rules.deadlines.due(now, told.kind)
    dispute = Dispute(
        new_id(),
        licence.licence_id,
        told.kind,
        usage_id,
        consumer,
        licence.issuer_code,
        now,
        due_on,
        told.statement,
    )
    step = Step(1, DisputeAct.OPEN, now, HOLDER, Grounds("", "", ""))
    if not await registry.recourse.disputes.add(dispute, holder, step):
        raise DISPUTE_OPEN_ALREADY()
    registry.publish(_opened(dispute), OPENED_VERSION)
    if freezes_at_once(rules.freeze, told.kind) and licence.is_held_by(*holder):
        return await _act(registry, dispute, DisputeAct.FREEZE, BY_RULE, REGISTRY, now)
    return dispute


async def _may_dispute(registry: Registry, licence: Licence, holder: Person, told: Complaint) -> bool:
    if licence.is_held_by(*holder):
        return True
    if told.kind is not DisputeKind.USE:
        return False
    return await registry.recourse.disputes.used_when_held(told.usage_id, licence.licence_id, holder)


async def withdraw_dispute(
    registry: Registry, holder: Person, dispute_id: str, etag: str, reason: str, now: datetime
) -> Dispute:
    """Take a holder's own dispute back. Raises INVALID_REQUEST, DISPUTE_NOT_FOUND, ETAG_MISMATCH, DISPUTE_NOT_OPEN."""
    wrong = [*holder_violations(*holder), *_required(dispute_id, etag)]
    refuse([*wrong, *stated_violations("reason", reason, REASON_LIMIT, required=False)])
    disputes = registry.recourse.disputes
    dispute = await disputes.lock(dispute_id)
    if dispute is None or not await disputes.held_by(dispute_id, holder):
        raise DISPUTE_NOT_FOUND()
    _check_etag(dispute, etag)
    return await _act(registry, dispute, DisputeAct.WITHDRAW, Grounds("", reason, ""), HOLDER, now)


async def handle_dispute(
    registry: Registry,
    department: str,
    dispute_id: str,
    etag: str,
    act: DisputeAct,
    grounds: Grounds,
    now: datetime,
) -> Dispute:
    """Carry out an act of the issuer on a dispute about one of its licences.

    Raises INVALID_REQUEST, DISPUTE_NOT_FOUND, ETAG_MISMATCH, DISPUTE_NOT_OPEN.
    """
    wrong = _required(dispute_id, etag)
    if act is DisputeAct.START:
        wrong += stated_violations("operator", grounds.operator, OPERATOR_LIMIT)
    else:
        wrong += grounds_violations(grounds)
    refuse(wrong)
    dispute = await registry.recourse.disputes.lock(dispute_id)
    if dispute is None or dispute.issuer_code != department:
        raise DISPUTE_NOT_FOUND()
    _check_etag(dispute, etag)
    return await _act(registry, dispute, act, grounds, f"department/{department}", now)


async def get_dispute(registry: Registry, department: str, dispute_id: str) -> tuple[Dispute, list[Step]]:
    """Return a dispute about a department's licence, and its steps. Raises DISPUTE_NOT_FOUND."""
    dispute = await registry.recourse.disputes.lock(dispute_id) if dispute_id else None
    if dispute is None or dispute.issuer_code != department:
        raise DISPUTE_NOT_FOUND()
    return dispute, await registry.recourse.disputes.steps(dispute_id)


async def list_disputes(
    registry: Registry,
    department: str,
    licence_id: str,
    before: Place | None,
    limit: int,
    *,
    open_only: bool,
) -> list[Dispute]:
    """Return the disputes about a department's licences, newest first."""
    disputes = registry.recourse.disputes
    return await disputes.of_issuer(department, licence_id, before, limit, open_only=open_only)


async def list_holder_disputes(
    registry: Registry, holder: Person, before: Place | None, limit: int
) -> list[Dispute]:
    """Return a holder's disputes, newest first. Raises INVALID_REQUEST."""
    refuse(holder_violations(*holder))
    return await registry.recourse.disputes.of_holder(holder, before, limit)


async def _act(
    registry: Registry, dispute: Dispute, act: DisputeAct, grounds: Grounds, done_by: str, now: datetime
) -> Dispute:
    moved = take(dispute, act, grounds, now)
    await registry.recourse.disputes.save(moved, Step(moved.version, act, now, done_by, grounds))
    if act in _DECIDING:
        registry.publish(_decided(moved, now), DECIDED_VERSION)
    return moved


def _required(dispute_id: str, etag: str) -> list[Violation]:
    given = {"dispute_id": dispute_id, "etag": etag}
    return [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]


def _check_etag(dispute: Dispute, etag: str) -> None:
    if dispute.etag != etag:
        raise ETAG_MISMATCH()


def _opened(dispute: Dispute) -> DisputeOpened:
    return DisputeOpened(
        dispute_id=dispute.dispute_id,
        licence_id=dispute.licence_id,
        kind=dispute.kind,
        issuer_code=dispute.issuer_code,
        opened_at=dispute.opened_at,
    )


def _decided(dispute: Dispute, now: datetime) -> DisputeDecided:
    return DisputeDecided(
        dispute_id=dispute.dispute_id,
        licence_id=dispute.licence_id,
        kind=dispute.kind,
        issuer_code=dispute.issuer_code,
        state=dispute.state,
        decided_at=now,
    )
