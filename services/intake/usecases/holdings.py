"""What a holder may ask of the registry about their licences: who used them, and dispute it.

Everybody learns who used what, which fields, when, why and on which basis (个人信息保护法 44, 45), may have
it corrected and is answered with reasons (46, 50). The registry keeps and decides; who asks is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from chassis.auth.person import ActingPerson
from services.intake.usecases.entrustment_ports import EntrustmentWork, OpenEntrustments
from services.intake.usecases.identity.contacts import addressed
from services.intake.usecases.identity.persons import principal
from services.intake.usecases.identity.ports import Allowance, Limits
from services.intake.usecases.licences import Holder
from standards.masking import mask_citizen_id

EXPORTS_BY_PERSON = Allowance("use_exports_by_person", 60, 3_600)
"""A page has 200 uses; a year of a busy business takes a handful."""
DISPUTES_BY_PERSON = Allowance("disputes_by_person", 20, 86_400)
"""Each opens a check at a department."""


@dataclass(frozen=True, slots=True)
class UseFilter:
    """Which uses; empty and None are any."""

    licence_id: str = ""
    used_from: datetime | None = None
    used_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class UsingAgent:
    """An agent as the holder's screen names them; the name is empty for who never logged in."""

    id_type_code: str
    id_number_masked: str
    name_masked: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LicenceUse:
    """One use of one of the holder's licences (用证记录): who, which fields, when, why, on which basis."""

    usage_id: str
    licence_id: str
    licence_type_name: str
    consumer_code: str
    consumer_name: str
    kind: str
    used_at: datetime
    use_cause: str
    item_code: str
    case_id: str
    basis: str
    consent_id: str
    legal_article: str
    entrustment_id: str
    face_fields: tuple[str, ...]
    outcome: str
    dispute_id: str
    """A dispute that is open about this use."""
    agent: UsingAgent | None = None
    """Who acted for the holder, of a use under an entrustment of theirs that is still kept."""


@dataclass(frozen=True, slots=True)
class UseStatement:
    """A page of uses that the registry signed: a compact JWS."""

    signed: str
    uses: int
    next_page_token: str
    salt: str
    """With kind and number of the holder it gives the digest by which the statement names them."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a holder disputes: "content" of a licence or a "use" of it, in their words."""

    licence_id: str
    kind: str
    usage_id: str
    statement: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class HolderDispute:
    """A dispute (异议) as its holder sees it; ``due_date`` is YYYY-MM-DD, empty while a calendar is pending."""

    dispute_id: str
    licence_id: str
    kind: str
    usage_id: str
    consumer_code: str
    issuer_code: str
    state: str
    statement: str = field(repr=False)
    opened_at: datetime
    due_date: str
    frozen_at: datetime | None
    settled_at: datetime | None
    reason: str
    legal_basis: str
    etag: str


class Holdings(Protocol):
    """The registry (certs), asked for one holder."""

    async def uses(
        self, holder: Holder, wanted: UseFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[LicenceUse], str]:
        """Return a page of uses, newest first, and the token of the next."""
        ...

    async def export(self, holder: Holder, wanted: UseFilter, page_token: str) -> UseStatement:
        """Return a page of uses as a signed statement."""
        ...

    async def open_dispute(self, holder: Holder, complaint: Complaint, request_id: str) -> HolderDispute:
        """Open a dispute, one per request id. Raises what the registry answers."""
        ...

    async def withdraw_dispute(
        self, holder: Holder, dispute_id: str, etag: str, reason: str, request_id: str
    ) -> HolderDispute:
        """Take a dispute back. Raises what the registry answers."""
        ...

    async def disputes(
        self, holder: Holder, page_size: int, page_token: str
    ) -> tuple[Sequence[HolderDispute], str]:
        """Return a page of the holder's disputes, newest first, and the token of the next."""
        ...


@dataclass(frozen=True, slots=True)
class HolderDesk:
    """Everything that a holder's questions need."""

    open_work: OpenEntrustments
    holdings: Holdings
    limits: Limits


async def list_uses(
    desk: HolderDesk, actor: ActingPerson, wanted: UseFilter, page_size: int, page_token: str
) -> tuple[Sequence[LicenceUse], str]:
    """Return who used the licences of whom the actor acts for, newest first, and the token of the next page.

    A use under an entrustment names the agent.
    """
    async with desk.open_work() as work:
        holder = await principal(work, actor)
    number = holder.id_type_code, holder.id_number
    uses, token = await desk.holdings.uses(number, wanted, page_size, page_token)
    names = {each.entrustment_id for each in uses if each.entrustment_id}
    async with desk.open_work() as work:
        agents = {name: await _agent_of(work, name, holder.person_id) for name in names}
    return [replace(each, agent=agents.get(each.entrustment_id)) for each in uses], token


async def export_uses(
    desk: HolderDesk, actor: ActingPerson, wanted: UseFilter, page_token: str
) -> UseStatement:
    """Return a page of the same, signed by the registry, to take away. Raises TOO_MANY_REQUESTS."""
    await desk.limits.check(EXPORTS_BY_PERSON, actor.person_id)
    return await desk.holdings.export(await _holder(desk, actor), wanted, page_token)


async def open_dispute(
    desk: HolderDesk, actor: ActingPerson, complaint: Complaint, request_id: str
) -> HolderDispute:
    """Have what an own licence says, or a use of it, checked by its issuer.

    Raises TOO_MANY_REQUESTS, INVALID_REQUEST, LICENCE_NOT_FOUND for a licence of somebody else,
    USE_NOT_FOUND, DISPUTE_OPEN_ALREADY.
    """
    await desk.limits.check(DISPUTES_BY_PERSON, actor.person_id)
    return await desk.holdings.open_dispute(await _holder(desk, actor), complaint, request_id)


async def withdraw_dispute(
    desk: HolderDesk, actor: ActingPerson, dispute_id: str, etag: str, reason: str, request_id: str
) -> HolderDispute:
    """Take an own dispute back. Raises DISPUTE_NOT_FOUND, ETAG_MISMATCH, DISPUTE_NOT_OPEN."""
    holder = await _holder(desk, actor)
    return await desk.holdings.withdraw_dispute(holder, dispute_id, etag, reason, request_id)


async def list_disputes(
    desk: HolderDesk, actor: ActingPerson, page_size: int, page_token: str
) -> tuple[Sequence[HolderDispute], str]:
    """Return the disputes of whom the actor acts for, newest first, and the token of the next page."""
    return await desk.holdings.disputes(await _holder(desk, actor), page_size, page_token)


async def _agent_of(work: EntrustmentWork, entrustment_id: str, grantor_id: str) -> UsingAgent | None:
    given = await work.entrustments.read(entrustment_id)
    if given is None or given.grantor_id != grantor_id:
        return None
    kind, number = given.wish.agent
    person = await work.persons.find(kind, number)
    return UsingAgent(kind, mask_citizen_id(number), addressed(person) if person else "")


async def _holder(desk: HolderDesk, actor: ActingPerson) -> Holder:
    async with desk.open_work() as work:
        person = await principal(work, actor)
    return person.id_type_code, person.id_number
