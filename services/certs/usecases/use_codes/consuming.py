"""Consume a use-code: every difference from what it is bound to is refused, each with its reason, and recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Reason, refuse
from events.certs import LicenceUsed
from services.certs.domain.disclosure import Shown, disclosed
from services.certs.domain.dispute import LICENCE_IN_DISPUTE
from services.certs.domain.holder import holder_violations
from services.certs.domain.licence import LICENCE_NOT_USABLE, Licence, require_usable
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.presentation import code_digest
from services.certs.domain.purpose import CODE_LIMIT, USE_CAUSE_LIMIT, Basis, Purpose, is_writable
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.domain.use_code import (
    USE_CODE_CASE_EMPTY,
    USE_CODE_EXPIRED,
    USE_CODE_REVOKED,
    USE_CODE_SPENT,
    USE_CODE_UNKNOWN,
    USE_CODE_WRONG_CASE,
    USE_CODE_WRONG_CONSUMER,
    USE_CODE_WRONG_FIELD,
    USE_CODE_WRONG_HOLDER,
    USE_CODE_WRONG_ITEM,
    USE_CODE_WRONG_PURPOSE,
    Attempt,
    Mode,
    UseCode,
    refusal_of,
)
from services.certs.usecases.ports import NewId, Registry

REFUSALS: frozenset[Reason] = frozenset(
    {
        USE_CODE_UNKNOWN,
        USE_CODE_CASE_EMPTY,
        USE_CODE_WRONG_CONSUMER,
        USE_CODE_WRONG_ITEM,
        USE_CODE_WRONG_CASE,
        USE_CODE_WRONG_PURPOSE,
        USE_CODE_WRONG_FIELD,
        USE_CODE_WRONG_HOLDER,
        USE_CODE_REVOKED,
        USE_CODE_EXPIRED,
        USE_CODE_SPENT,
        LICENCE_NOT_USABLE,
    }
)
"""What a consumption is refused for; each such refusal leaves a usage line of its own."""
FIELDS_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Consumption:
    """What a department gets for a use-code."""

    usage_id: str
    shown: Shown


async def consume_use_code(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    attempt: Attempt,
    code: str,
    new_id: NewId,
    now: datetime,
) -> Consumption:
    """Take one use of a code and return the licence with the bound fields in clear, or those asked for.

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
    if attempt.holder is not None and not licence.is_held_by(*attempt.holder):
        raise USE_CODE_WRONG_HOLDER()
    if not await registry.use_codes.take_one_use(held.use_code_id, now):
        fresh = await registry.use_codes.find(code_digest(code))
        raise ((refusal_of(fresh, attempt, now) if fresh else None) or USE_CODE_SPENT)()
    require_usable(licence, now)
    usage = _usage(reader, attempt, held, licence, new_id(), now)
    await registry.usages.add([usage])
    used = replace(licence, version=licence.version + 1)
    await registry.licences.save_state(used)
    registry.publish(_used(usage, attempt), used.version)
    fields = attempt.face_fields or held.binding.face_fields
    shared = len(used.holders) > 1
    giver = await registry.use_codes.holder_of(held.use_code_id, used.holders) if shared else None
    shown = disclosed(used, types.of(used), fields, held.grounds.mode.category, giver)
    return Consumption(usage.usage_id, shown)


async def require_still_given(registry: Registry, reader: Reader, code: str, now: datetime) -> None:
    """Do nothing if the answer to a consumption may be told again: nothing was taken back since.

    Raises USE_CODE_REVOKED, LICENCE_NOT_USABLE, LICENCE_IN_DISPUTE.
    """
    held = await registry.use_codes.find(code_digest(code))
    found = await registry.licences.get_each([held.binding.licence_id]) if held else []
    if held is None or not found:
        raise USE_CODE_UNKNOWN()
    if held.revoked_at is not None:
        raise USE_CODE_REVOKED()
    require_usable(found[0], now)
    if {"", reader.code} & set(found[0].frozen_for):
        raise LICENCE_IN_DISPUTE()


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
    line = _usage(reader, attempt, held, licence, new_id(), now)
    await registry.usages.add([replace(line, outcome=reason.code)])


def _check_attempt(attempt: Attempt, code: str) -> None:
    given = {"use_code": code, "item_code": attempt.item_code, "case_id": attempt.case_id}
    wrong = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    limits = {**dict.fromkeys(given, CODE_LIMIT), "use_cause": USE_CAUSE_LIMIT}
    given["use_cause"] = attempt.use_cause
    wrong += [FIELD_MALFORMED.at(name) for name, value in given.items() if not is_writable(value)]
    wrong += [FIELD_TOO_LONG.at(name, limit=n) for name, n in limits.items() if len(given[name]) > n]
    if len(attempt.face_fields) > FIELDS_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("face_fields", limit=FIELDS_LIMIT))
    wrong += holder_violations(*attempt.holder) if attempt.holder else []
    if [each.field_path for each in wrong] == ["case_id"] and not attempt.case_id:
        raise USE_CODE_CASE_EMPTY()
    refuse(wrong)


def _as_granted(attempt: Attempt, held: UseCode) -> Attempt:
    """Take an attempt that states no purpose as one for the granted purpose: the department was not told it."""
    return attempt if attempt.use_cause else replace(attempt, use_cause=held.binding.use_cause)


def _usage(
    reader: Reader,
    attempt: Attempt,
    held: UseCode | None,
    licence: Licence | None,
    usage_id: str,
    now: datetime,
) -> Usage:
    duty = held is not None and held.grounds.mode is Mode.STATUTORY_DUTY
    basis = Basis.STATUTORY_DUTY if duty else Basis.CONSENT
    version = licence.version if licence else 0
    return Usage(
        usage_id,
        UsageKind.CONSUME,
        reader,
        Purpose(attempt.use_cause, basis, attempt.item_code, attempt.case_id),
        now,
        licence_id=licence.licence_id if licence else "",
        use_code_id=held.use_code_id if held else "",
        holder=licence.holders[0] if licence else None,
        grounds=replace(held.grounds, licence_version=version) if held else None,
    )


def _used(usage: Usage, attempt: Attempt) -> LicenceUsed:
    return LicenceUsed(
        licence_id=usage.licence_id,
        usage_id=usage.usage_id,
        consumer_code=attempt.consumer_code,
        item_code=attempt.item_code,
        case_id=attempt.case_id,
        used_at=usage.used_at,
    )
