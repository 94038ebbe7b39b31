"""Entrust an agent with one's licences, see what was entrusted, take it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from chassis.auth.person import ActingPerson
from chassis.errors import FIELD_TOO_LONG, REQUEST_ID_REUSED, refuse
from services.intake.domain.cases.plan import REAL_NAME_LEVEL_TOO_LOW
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.entrustment import (
    ENTRUSTMENT_NOT_FOUND,
    FIRST_TRY,
    LEVEL,
    REVOCATION_REASON_LIMIT,
    STATEMENT_KIND,
    Entrustment,
    EntrustmentWish,
    claims,
    whole_seconds,
    wish_violations,
)
from services.intake.domain.identity.person import Person
from services.intake.usecases.entrustment_ports import (
    EntrustmentRegistry,
    EntrustmentWork,
    OpenEntrustments,
    Place,
    Role,
)
from services.intake.usecases.handing_over import WITHDRAWN, hand_over
from services.intake.usecases.identity.contacts import addressed
from services.intake.usecases.identity.persons import principal
from services.intake.usecases.identity.ports import Allowance, Limits
from standards.persons import named

ENTRUSTMENTS_BY_PERSON = Allowance("entrustments_by_person", 30, 86_400)
"""More than anybody has agents; each is a line at the registry."""
_IDS = UUID("0d0f8b0a-55a1-5c3e-9c0c-6f2b8a1f4d77")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entrustments; empty is any. With an item or a type only those whose scope has it."""

    role: Role = ""
    in_force: bool = False
    item_code: str = ""
    type_code: str = ""

    def has(self, given: Entrustment) -> bool:
        """Say whether the scope of an entrustment has what is wanted."""
        by_item = not self.item_code or given.covers_item(self.item_code)
        return by_item and (not self.type_code or self.type_code in given.wish.type_codes)


_ANY = Wanted()


@dataclass(frozen=True, slots=True)
class EntrustingDesk:
    """Everything that entrusting needs."""

    open_work: OpenEntrustments
    registry: EntrustmentRegistry
    sign: Callable[[dict[str, Any], str], str]
    limits: Limits
    catalogue: Callable[[], Catalogue]


@dataclass(frozen=True, slots=True)
class SeenEntrustment:
    """An entrustment towards who looks at it, as of ``seen_at``."""

    entrustment: Entrustment
    is_given: bool
    """By who looks; else they are the agent."""
    seen_at: datetime
    grantor_name_masked: str = ""
    """Towards the agent only."""


async def entrust(
    desk: EntrustingDesk, actor: ActingPerson, wish: EntrustmentWish, request_id: str
) -> SeenEntrustment:
    """Keep and sign an entrustment of whom the actor acts for, and have the registry act on it.

    Repeated with the same id it is the same one, handed over again if the registry could not be reached.
    Raises REAL_NAME_LEVEL_TOO_LOW, TOO_MANY_REQUESTS, INVALID_REQUEST naming every wrong field,
    REQUEST_ID_REUSED for another wish under the same id, PEER_UNAVAILABLE.
    """
    _require_level(actor)
    await desk.limits.check(ENTRUSTMENTS_BY_PERSON, actor.person_id)
    wish = _normalised(wish)
    async with desk.open_work() as work:
        grantor = await principal(work, actor)
        entrustment_id = str(uuid5(_IDS, f"{grantor.person_id}|{actor.person_id}|{request_id}"))
        kept = await work.entrustments.load(entrustment_id)
        if kept is None:  # a repeat is not measured again
            made = _made(desk, actor, grantor, wish, entrustment_id, work.now())
            kept = await work.entrustments.add(made)
        if kept.wish != wish:
            raise REQUEST_ID_REUSED()
        now = work.now()
    if kept.recorded_at is None and kept.revoked_at is None and not kept.refusal:
        kept = await hand_over(desk.open_work, desk.registry, kept)
    return SeenEntrustment(kept, is_given=True, seen_at=now)


async def list_entrustments(
    desk: EntrustingDesk,
    actor: ActingPerson,
    before: Place | None,
    limit: int,
    wanted: Wanted = _ANY,
) -> Sequence[SeenEntrustment]:
    """Return what whom the actor acts for gave and got, newest first; to an agent with the grantor's masked name."""
    async with desk.open_work() as work:
        person, now = await principal(work, actor), work.now()
        holder, moment = (person.id_type_code, person.id_number), now if wanted.in_force else None
        found: list[Entrustment] = []
        while len(found) < limit:
            rows = await work.entrustments.of(holder, person.person_id, before, limit, wanted.role, moment)
            found += [each for each in rows if wanted.has(each)]
            if len(rows) < limit:
                break
            before = rows[-1].granted_at, rows[-1].entrustment_id
        return [await _seen(work, each, person, now) for each in found[:limit]]


async def _seen(work: EntrustmentWork, given: Entrustment, person: Person, now: datetime) -> SeenEntrustment:
    if given.grantor_id == person.person_id:
        return SeenEntrustment(given, is_given=True, seen_at=now)
    grantor = await work.persons.read(given.grantor_id)
    return SeenEntrustment(
        given, is_given=False, seen_at=now, grantor_name_masked=addressed(grantor) if grantor else ""
    )


async def revoke_entrustment(
    desk: EntrustingDesk, actor: ActingPerson, entrustment_id: str, reason: str, request_id: str
) -> tuple[SeenEntrustment, int]:
    """Take an own entrustment back, at the registry first, and return it with how many use-codes went with it.

    Raises ENTRUSTMENT_NOT_FOUND, also for the agent; INVALID_REQUEST, PEER_UNAVAILABLE.
    """
    if len(reason) > REVOCATION_REASON_LIMIT:
        refuse([FIELD_TOO_LONG.at("reason", limit=REVOCATION_REASON_LIMIT)])
    async with desk.open_work() as work:
        grantor = await principal(work, actor)
        found = await _own(work, grantor, entrustment_id)
    said = reason.strip() if named(reason) else WITHDRAWN  # what says nothing the registry refuses
    count = await desk.registry.revoke(entrustment_id, found.grantor, said, request_id)
    async with desk.open_work() as work:
        found, now = (await _own(work, grantor, entrustment_id)).revoked(work.now()), work.now()
        await work.entrustments.save(found)
    return SeenEntrustment(found, is_given=True, seen_at=now), count


async def _own(work: EntrustmentWork, grantor: Person, entrustment_id: str) -> Entrustment:
    found = await work.entrustments.load(entrustment_id)
    if found is None or found.grantor_id != grantor.person_id:
        raise ENTRUSTMENT_NOT_FOUND()
    return found


def _made(
    desk: EntrustingDesk,
    actor: ActingPerson,
    grantor: Person,
    wish: EntrustmentWish,
    entrustment_id: str,
    now: datetime,
) -> Entrustment:
    holder = grantor.id_type_code, grantor.id_number
    refuse(wish_violations(wish, holder, desk.catalogue().licence_types, _items(desk), now))
    begins = wish.valid_from or whole_seconds(now)
    statement = desk.sign(claims(entrustment_id, holder, wish, begins), STATEMENT_KIND)
    return Entrustment(
        entrustment_id,
        grantor.person_id,
        actor.person_id,
        holder,
        wish,
        statement,
        begins,
        now,
        try_at=now + FIRST_TRY,
    )


def _normalised(wish: EntrustmentWish) -> EntrustmentWish:
    kind, number = wish.agent
    number = number.strip()
    return replace(
        wish,
        agent=(kind, number.upper()),
        type_codes=tuple(dict.fromkeys(wish.type_codes)),
        item_codes=tuple(dict.fromkeys(wish.item_codes)),
        powers=tuple(dict.fromkeys(wish.powers)),
        valid_from=whole_seconds(wish.valid_from) if wish.valid_from else None,
        expires_at=whole_seconds(wish.expires_at),
    )


def _items(desk: EntrustingDesk) -> frozenset[str]:
    """Return the codes that cases name items by."""
    items = desk.catalogue().items.values()
    return frozenset(offer.task_code for item in items for offer in item.offers)


def _require_level(actor: ActingPerson) -> None:
    if actor.assurance < LEVEL:
        raise REAL_NAME_LEVEL_TOO_LOW(required=LEVEL, found=actor.assurance)
