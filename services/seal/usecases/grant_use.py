"""Grant and withdraw the use of a seal, change its rules, approve a document: each recorded, none ever changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.clock import Clock
from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, refuse
from services.seal.domain.authorisation import (
    GRANT_NOT_FOUND,
    GRANT_WITHDRAWN,
    Approval,
    Grant,
    SealRules,
    Withdrawal,
    changed_rules,
    check_approval,
    check_grant,
    check_withdrawal,
    distinct_approvers,
    uses_today,
)
from services.seal.usecases.authorise_use import grants_of
from services.seal.usecases.ports import Work
from services.seal.usecases.read_register import own_seal


@dataclass(frozen=True, slots=True)
class Approved:
    """How far a document's approval is."""

    approval_id: str
    approvers: int
    quorum: int


async def grant_use(work: Work, grant: Grant, clock: Clock) -> Grant:
    """Have the grant in force; sealings under way with this seal end first. Raises SEAL_NOT_FOUND, INVALID_REQUEST."""
    check_grant(grant)
    await own_seal(work, grant.seal_id, None, lock=True)
    entered = replace(grant, granted_at=clock())  # after the lock
    await work.permissions.add_grant(entered)
    return entered


async def withdraw_grant(
    work: Work, seal_id: str, grant_id: str, withdrawal: Withdrawal, clock: Clock
) -> Grant:
    """Have a grant ended, the implicit one too; no later sealing rests on it.

    Raises SEAL_NOT_FOUND, GRANT_NOT_FOUND, GRANT_WITHDRAWN, INVALID_REQUEST.
    """
    check_withdrawal(withdrawal)
    seal = await own_seal(work, seal_id, None, lock=True)
    grant = next((each for each in await grants_of(work, seal) if each.grant_id == grant_id), None)
    if grant is None:
        raise GRANT_NOT_FOUND()
    if grant.withdrawal is not None:
        raise GRANT_WITHDRAWN()
    ended = replace(withdrawal, withdrawn_at=clock())
    await work.permissions.withdraw(seal_id, grant_id, ended)
    return replace(grant, withdrawal=ended)


async def list_grants(work: Work, seal_id: str, owner_code: str | None) -> Sequence[Grant]:
    """Return every grant of a seal, the implicit one first. Raises SEAL_NOT_FOUND for another's seal."""
    return await grants_of(work, await own_seal(work, seal_id, owner_code))


async def change_rules(work: Work, etag: str, wanted: SealRules, clock: Clock) -> SealRules:
    """Have new rules for a seal; sealings under way end first, by the old ones.

    Raises SEAL_NOT_FOUND, ETAG_MISMATCH, INVALID_REQUEST.
    """
    refuse([] if etag else [FIELD_REQUIRED.at("etag")])
    changed_rules(wanted)
    await own_seal(work, wanted.seal_id, None, lock=True)
    present = await work.permissions.rules(wanted.seal_id)
    if etag != present.etag:
        raise ETAG_MISMATCH()
    entered = replace(wanted, version=present.version + 1, changed_at=clock())
    await work.permissions.add_rules(entered)
    return entered


async def read_rules(
    work: Work, seal_id: str, owner_code: str | None, now: datetime
) -> tuple[SealRules, int]:
    """Return a seal's rules and its uses of the present day. Raises SEAL_NOT_FOUND for another's seal."""
    await own_seal(work, seal_id, owner_code)
    return await work.permissions.rules(seal_id), uses_today(await work.ledger.last_use(seal_id), now)


async def approve_use(work: Work, approval: Approval, owner_code: str | None, clock: Clock) -> Approved:
    """Have one person's approval of a document; it counts for the next use of the seal under that document.

    Raises SEAL_NOT_FOUND for another's seal, INVALID_REQUEST.
    """
    check_approval(approval)
    await own_seal(work, approval.seal_id, owner_code)
    await work.permissions.add_approval(replace(approval, approved_at=clock()))
    given = await work.permissions.approvals(approval.seal_id, approval.document_sha256)
    rules = await work.permissions.rules(approval.seal_id)
    return Approved(approval.approval_id, distinct_approvers(given), rules.quorum)
