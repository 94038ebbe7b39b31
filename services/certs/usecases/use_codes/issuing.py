"""Issue use-codes: with the holder's consent, by an agent of the holder, or for a statutory duty."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import FIELD_TOO_LONG, Fault, Reason, Violation, refuse
from services.certs.domain.dispute import LICENCE_IN_DISPUTE
from services.certs.domain.licence import LICENCE_NOT_FOUND, LICENCE_NOT_USABLE, Licence, require_usable
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.presentation import code_digest
from services.certs.domain.purpose import (
    CODE_LIMIT,
    USE_CAUSE_LIMIT,
    Basis,
    Purpose,
    is_writable,
    says_something,
)
from services.certs.domain.usage import ALLOWED, Reader, Usage, UsageKind
from services.certs.domain.use_code import (
    LICENCE_OF_ANOTHER_HOLDER,
    USE_CODE_CASE_CLOSED,
    USE_CODE_CASE_EMPTY,
    USE_CODE_CASE_UNKNOWN,
    Binding,
    Consent,
    Grounds,
    Mode,
    Power,
    UseCode,
    article_violations,
    binding_violations,
    check_binding,
    check_fields,
    check_grant,
)
from services.certs.domain.use_code.entrustment import REFUSALS as ENTRUSTMENT_REFUSALS
from services.certs.domain.use_code.entrustment import Person
from services.certs.usecases.evidence_ports import CaseParties
from services.certs.usecases.ports import NewId, Registry
from services.certs.usecases.read import may_read
from services.certs.usecases.use_codes.entrusting import Agent, agent_violations, require_agent

CODE_BYTES = 24
ISSUE_REFUSALS: frozenset[Reason] = ENTRUSTMENT_REFUSALS | {
    LICENCE_NOT_FOUND,
    LICENCE_OF_ANOTHER_HOLDER,
    LICENCE_NOT_USABLE,
    LICENCE_IN_DISPUTE,
    USE_CODE_CASE_EMPTY,
    USE_CODE_CASE_UNKNOWN,
    USE_CODE_CASE_CLOSED,
}
"""What an issue is refused for that the holder should see; each leaves a usage line of its own."""


@dataclass(frozen=True, slots=True)
class Order:
    """A use-code to be issued for a holder: by himself, or by an agent under an entrustment."""

    binding: Binding
    consent: Consent
    holder: Person = field(repr=False)
    consent_id: str = ""
    agent: Agent | None = None

    @property
    def grounds(self) -> Grounds:
        """The grounds of the code."""
        if self.agent is None:
            return Grounds(Mode.CONSENT, consent_id=self.consent_id)
        return Grounds(Mode.ENTRUSTMENT, consent_id=self.consent_id, entrustment_id=self.agent.entrustment_id)


async def issue_use_code(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    order: Order,
    new_id: NewId,
    now: datetime,
) -> tuple[str, datetime]:
    """Store a use-code and return it with its end; it is shown this once and kept nowhere.

    A code that an agent issues ends with the entrustment at the latest, and leaves a usage line.
    Raises INVALID_REQUEST, or one of `ISSUE_REFUSALS`, which the caller must record with
    `record_refused_issue` in a transaction of its own.
    """
    binding, holder = order.binding, order.holder
    _require_case(binding)
    refuse(_order_violations(order))
    check_binding(binding, order.consent, holder, now)
    licence = await registry.licences.get(binding.licence_id)
    if licence is None:
        raise LICENCE_NOT_FOUND()
    check_grant(binding, licence, types.of(licence), holder, now, order.grounds.mode)
    await _require_open(registry, binding)
    if order.agent is not None:
        scope = (licence.type_code, binding.item_code)
        standing = await require_agent(registry, order.agent, holder, Power.ISSUE_USE_CODE, scope, now)
        binding = replace(binding, expires_at=min(binding.expires_at, standing.expires_at))
    code, use_code_id = await _issued(registry, binding, order.consent, order.grounds, new_id)
    if len(licence.holders) > 1:
        await registry.use_codes.note_holder(use_code_id, holder)
    if order.agent is not None:
        grounds = replace(order.grounds, licence_version=licence.version)
        await _record(registry, reader, binding, grounds, licence, new_id(), now, ALLOWED, use_code_id)
    return code, binding.expires_at


async def parties_of(cases: CaseParties, binding: Binding) -> Collection[Person]:
    """Return whose licences the case of a binding is about; nobody's if it names no case, item or department.

    To be asked before the transaction of the code opens: intake answers.
    """
    named = (binding.case_id, binding.item_code, binding.consumer_code)
    if not all(says_something(each) and is_writable(each) and len(each) <= CODE_LIMIT for each in named):
        return ()
    return await cases.of_part(*named)


async def issue_duty_code(
    registry: Registry,
    types: LicenceTypes,
    reader: Reader,
    binding: Binding,
    legal_article: str,
    parties: Collection[Person],
    new_id: NewId,
    now: datetime,
) -> tuple[str, datetime]:
    """Store a use-code for a department's statutory duty and return it with its end.

    The department must handle the item in that very case, the case must be open, the licence must be one
    of its ``parties`` (see `parties_of`), and the article that gives the duty must be named. Raises as
    `issue_use_code` does.
    """
    if is_writable(legal_article):  # else the refusal could not be put on record
        _require_case(binding)
    refuse([*binding_violations(binding, now), *article_violations(legal_article)])
    grounds = Grounds(Mode.STATUTORY_DUTY, legal_article=legal_article.strip())
    licence = await registry.licences.get(binding.licence_id)
    if licence is None or not may_read(reader, _purpose(binding, grounds), licence):
        raise LICENCE_NOT_FOUND()
    part = await registry.evidence.cases.find(binding.case_id, binding.item_code, binding.consumer_code)
    if part is None:
        raise USE_CODE_CASE_UNKNOWN()
    if part.closed_at is not None:
        raise USE_CODE_CASE_CLOSED()
    if not any(licence.is_held_by(*each) for each in parties):
        raise LICENCE_OF_ANOTHER_HOLDER()
    require_usable(licence, now)
    check_fields(binding, licence, types.of(licence), Mode.STATUTORY_DUTY)
    code, use_code_id = await _issued(registry, binding, Consent("", now), grounds, new_id)
    grounds = replace(grounds, licence_version=licence.version)
    await _record(registry, reader, binding, grounds, licence, new_id(), now, ALLOWED, use_code_id)
    return code, binding.expires_at


def as_told(refusal: Fault) -> Fault:
    """Return a refusal as its caller is told: somebody else's licence is as one that there is not."""
    return LICENCE_NOT_FOUND() if refusal.reason is LICENCE_OF_ANOTHER_HOLDER else refusal


async def record_refused_issue(
    registry: Registry,
    reader: Reader,
    binding: Binding,
    grounds: Grounds,
    reason: Reason,
    new_id: NewId,
    now: datetime,
) -> None:
    """Append the line of a refused issue; the holder of the licence sees that somebody tried."""
    licence = await registry.licences.get(binding.licence_id)
    await _record(registry, reader, binding, grounds, licence, new_id(), now, reason.code)


async def _issued(
    registry: Registry, binding: Binding, consent: Consent, grounds: Grounds, new_id: NewId
) -> tuple[str, str]:
    code, use_code_id = secrets.token_urlsafe(CODE_BYTES), new_id()
    kept = UseCode(use_code_id, binding, binding.max_uses, None, grounds)
    await registry.use_codes.add(kept, code_digest(code), consent)
    return code, use_code_id


async def _require_open(registry: Registry, binding: Binding) -> None:
    """Refuse a case that is over, and one that was handed in without such a part with that department.

    Of a case not handed in yet the registry knows nothing: the applicant binds licences while the case is a
    draft, before CaseSubmitted. Such a case is taken on the word of intake, the only caller; a code of a case
    that never comes ends by its term.
    """
    cases = registry.evidence.cases
    if await cases.is_closed(binding.case_id):
        raise USE_CODE_CASE_CLOSED()
    if not await cases.is_known(binding.case_id):
        return
    if await cases.find(binding.case_id, binding.item_code, binding.consumer_code) is None:
        raise USE_CODE_CASE_UNKNOWN()


def _require_case(binding: Binding) -> None:
    """Refuse an empty case with its own reason where nothing else is missing: it is the mistake of the field."""
    named = (binding.licence_id, binding.item_code, binding.consumer_code, binding.use_cause)
    others = all(says_something(each) and is_writable(each) for each in named)
    if others and is_writable(binding.case_id) and not says_something(binding.case_id):
        raise USE_CODE_CASE_EMPTY()


def _order_violations(order: Order) -> list[Violation]:
    too_long = len(order.consent_id) > CODE_LIMIT
    found = [FIELD_TOO_LONG.at("consent_id", limit=CODE_LIMIT)] if too_long else []
    return [*found, *(agent_violations(order.agent) if order.agent else ())]


async def _record(
    registry: Registry,
    reader: Reader,
    binding: Binding,
    grounds: Grounds,
    licence: Licence | None,
    usage_id: str,
    now: datetime,
    outcome: str,
    use_code_id: str = "",
) -> None:
    usage = Usage(
        usage_id,
        UsageKind.ISSUE,
        reader,
        _purpose(binding, grounds),
        now,
        outcome,
        licence.licence_id if licence else "",
        use_code_id,
        licence.holders[0] if licence else None,
        grounds,
    )
    await registry.usages.add([usage])


def _purpose(binding: Binding, grounds: Grounds) -> Purpose:
    basis = Basis.STATUTORY_DUTY if grounds.mode is Mode.STATUTORY_DUTY else Basis.CONSENT
    item, case = binding.item_code[:CODE_LIMIT], binding.case_id[:CODE_LIMIT]
    return Purpose(binding.use_cause[:USE_CAUSE_LIMIT], basis, item, case)
