"""May this seal be used for this document now: granted, approved by enough persons, within its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.seal.domain.authorisation import (
    Grant,
    LastUse,
    Purpose,
    SealRules,
    check_limits,
    check_quorum,
    grant_for,
    implicit_grant,
)
from services.seal.domain.register import RegisteredSeal
from services.seal.usecases.ports import Work


@dataclass(frozen=True, slots=True)
class Permit:
    """The right by which a seal is used: the grant, the rules that held, and how many approved the document."""

    grant_id: str
    rules: SealRules
    approvers: int


async def authorise(
    work: Work, seal: RegisteredSeal, purpose: Purpose, document_sha256: str, now: datetime
) -> Permit:
    """Return the right to use a seal; while the seal's row is held, neither grants nor rules of it change.

    Raises SEAL_USE_NOT_GRANTED, SEAL_QUORUM_MISSING, SEAL_LIMIT_REACHED.
    """
    grant = grant_for(await grants_of(work, seal), purpose, now)
    rules = await work.permissions.rules(seal.seal_id)
    approvers = 0
    if rules.quorum:
        approvals = await work.permissions.approvals(seal.seal_id, document_sha256)
        approvers = check_quorum(rules, approvals, purpose.reviewer)
    if rules.daily_limit or rules.burst_limit:
        await next_use(work, rules, now)
    return Permit(grant.grant_id, rules, approvers)


async def next_use(work: Work, rules: SealRules, now: datetime) -> LastUse:
    """Return what one more use is entered as; exact while the ledger's head is locked. Raises SEAL_LIMIT_REACHED."""
    last = await work.ledger.last_use(rules.seal_id)
    began = await work.ledger.used_at(rules.seal_id, rules.burst_limit) if rules.burst_limit else None
    return check_limits(rules, last, began, now)


async def grants_of(work: Work, seal: RegisteredSeal) -> Sequence[Grant]:
    """Return every grant of a seal, the implicit one first, each with its withdrawal."""
    explicit, withdrawals = await work.permissions.grants(seal.seal_id)
    own = implicit_grant(seal, None)
    return [replace(own, withdrawal=withdrawals.get(own.grant_id)), *explicit]
