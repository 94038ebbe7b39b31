"""Issue, consume and revoke use-codes; list who used a holder's licences."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Reason, refuse
from events.certs import LicenceUsed
from services.certs.domain.disclosure import Shown, disclosed
from services.certs.domain.holder import Holder, holder_violations
from services.certs.domain.licence import LICENCE_NOT_FOUND, LICENCE_NOT_USABLE, require_usable
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.presentation import code_digest
from services.certs.domain.purpose import CODE_LIMIT, USE_CAUSE_LIMIT, Basis, Purpose
from services.certs.domain.usage import Reader, ShownUse, Usage, UsageKind
from services.certs.domain.use_code import (
    USE_CODE_EXPIRED,
    USE_CODE_REVOKED,
    USE_CODE_SPENT,
    USE_CODE_UNKNOWN,
    USE_CODE_WRONG_CASE,
    USE_CODE_WRONG_CONSUMER,
    USE_CODE_WRONG_ITEM,
    USE_CODE_WRONG_PURPOSE,
    Attempt,
    Binding,
    Consent,
    UseCode,
    check_binding,
    check_grant,
    refusal_of,
)
from services.certs.usecases.ports import NewId, Registry

CODE_BYTES = 24
REFUSALS: frozenset[Reason] = frozenset(
    {
        USE_CODE_UNKNOWN,
        USE_CODE_WRONG_CONSUMER,
        USE_CODE_WRONG_ITEM,
        USE_CODE_WRONG_CASE,
        USE_CODE_WRONG_PURPOSE,
        USE_CODE_REVOKED,
        USE_CODE_EXPIRED,
        USE_CODE_SPENT,
        LICENCE_NOT_USABLE,
    }
)
"""What a consumption is refused for; each such refusal leaves a usage line of its own."""


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a department gets for a use-code."""

    usage_id: str
    shown: Shown


async def issue_use_code(
    registry: Registry,
    types: LicenceTypes,
    binding: Binding,
    consent: Consent,
    holder: tuple[str, str],
    new_id: NewId,
    now: datetime,
) -> str:
    """Store a use-code and return it; it is shown this once and kept nowhere.

    Raises INVALID_REQUEST, LICENCE_OF_ANOTHER_HOLDER (as not found), LICENCE_NOT_USABLE.
    """
    check_binding(binding, consent, holder, now)
    licence = await registry.licences.get(binding.licence_id)
    if licence is None:
        raise LICENCE_NOT_FOUND()
    check_grant(binding, licence, types.get(licence.type_code), holder, now)
    code = secrets.token_urlsafe(CODE_BYTES)
    await registry.use_codes.add(
        UseCode(new_id(), binding, binding.max_uses, None), code_digest(code), consent
    )
    return code


async def consume_use_code(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    attempt: Attempt,
    code: str,
    new_id: NewId,
    now: datetime,
) -> Consumption:
    """Take one use of a code and return the licence with the bound fields in clear.

    Raises one of `REFUSALS`; the caller must record it with `record_refusal` in a transaction of its
    own, since this one is rolled back.
    """
    _check_attempt(attempt, code)
    held = await registry.use_codes.find(code_digest(code))
    if held is None:
        raise USE_CODE_UNKNOWN()
    attempt = _as_granted(attempt, held)
    refusal = refusal_of(held, attempt, now)
    if refusal:
        raise refusal()
    licence = await registry.licences.lock(held.binding.licence_id)  # before its codes, as imports do
    if licence is None:
        raise USE_CODE_UNKNOWN()
    if not await registry.use_codes.take_one_use(held.use_code_id, now):
        fresh = await registry.use_codes.find(code_digest(code))
        raise ((refusal_of(fresh, attempt, now) if fresh else None) or USE_CODE_SPENT)()
    require_usable(licence, now)
    usage = Usage(
        new_id(),
        UsageKind.CONSUME,
        reader,
        _purpose(attempt),
        now,
        licence_id=licence.licence_id,
        use_code_id=held.use_code_id,
        holder=licence.holders[0],
    )
    await registry.usages.add([usage])
    used = replace(licence, version=licence.version + 1)
    await registry.licences.save_state(used)
    event = LicenceUsed(
        licence_id=licence.licence_id,
        usage_id=usage.usage_id,
        consumer_code=attempt.consumer_code,
        item_code=attempt.item_code,
        case_id=attempt.case_id,
        used_at=now,
    )
    registry.publish(event, used.version)
    shown = disclosed(used, types.get(licence.type_code), held.binding.face_fields)
    return Consumption(usage.usage_id, shown)


async def record_refusal(
    registry: Registry,
    reader: Reader,
    attempt: Attempt,
    code: str,
    reason: Reason,
    new_id: NewId,
    now: datetime,
) -> None:
    """Append the line of a refused consumption, naming the licence and its holder if the code is known."""
    held = await registry.use_codes.find(code_digest(code))
    licence = await registry.licences.get(held.binding.licence_id) if held else None
    await registry.usages.add(
        [
            Usage(
                new_id(),
                UsageKind.CONSUME,
                reader,
                _purpose(attempt),
                now,
                outcome=reason.code,
                licence_id=licence.licence_id if licence else "",
                use_code_id=held.use_code_id if held else "",
                holder=licence.holders[0] if licence else None,
            )
        ]
    )


async def revoke_use_codes(registry: Registry, case_id: str, reason: str, now: datetime) -> int:
    """Revoke the unused codes of a case and return how many. Raises INVALID_REQUEST."""
    given = {"case_id": case_id, "reason": reason}
    refuse(FIELD_REQUIRED.at(name) for name, value in given.items() if not value.strip())
    return await registry.use_codes.revoke(case_id, reason, now)


async def list_uses(
    registry: Registry, holder: tuple[str, str], before: tuple[datetime, str] | None, limit: int
) -> list[ShownUse]:
    """Return the uses of a holder's licences, newest first. Raises INVALID_REQUEST."""
    refuse(holder_violations(*holder))
    asked = Holder(*holder)
    return await registry.usages.of_holder(asked.id_type_code, asked.id_number, before, limit)


def _check_attempt(attempt: Attempt, code: str) -> None:
    given = {"use_code": code, "item_code": attempt.item_code, "case_id": attempt.case_id}
    wrong = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    limits = {**dict.fromkeys(given, CODE_LIMIT), "use_cause": USE_CAUSE_LIMIT}
    given["use_cause"] = attempt.use_cause
    refuse(wrong + [FIELD_TOO_LONG.at(name, limit=n) for name, n in limits.items() if len(given[name]) > n])


def _as_granted(attempt: Attempt, held: UseCode) -> Attempt:
    """Take an attempt that states no purpose as one for the granted purpose: the department was not told it."""
    return attempt if attempt.use_cause else replace(attempt, use_cause=held.binding.use_cause)


def _purpose(attempt: Attempt) -> Purpose:
    return Purpose(attempt.use_cause, Basis.CONSENT, attempt.item_code, attempt.case_id)
