"""Entrust an agent with one's licences, see what was entrusted, take it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

from chassis.auth.person import ActingPerson
from chassis.errors import FIELD_TOO_LONG, REQUEST_ID_REUSED, refuse
from services.intake.domain.cases.plan import REAL_NAME_LEVEL_TOO_LOW
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.entrustment import (
    ENTRUSTMENT_NOT_FOUND,
    LEVEL,
    REVOCATION_REASON_LIMIT,
    STATEMENT_KIND,
    Entrustment,
    EntrustmentWish,
    Holder,
    claims,
    whole_seconds,
    wish_violations,
)
from services.intake.domain.identity.person import Person
from services.intake.usecases.identity.persons import principal
from services.intake.usecases.identity.ports import Allowance, IdentityWork, Limits

ENTRUSTMENTS_BY_PERSON = Allowance("entrustments_by_person", 30, 86_400)
"""More than anybody has agents; each is a line at the registry."""
_IDS = UUID("0d0f8b0a-55a1-5c3e-9c0c-6f2b8a1f4d77")
WITHDRAWN = "本人撤回委托"
"""The reason of who gives none."""
Place = tuple[datetime, str]


class EntrustmentStore(Protocol):
    """The entrustments."""

    async def add(self, entrustment: Entrustment) -> Entrustment:
        """Store a new one and return it; the one that has its id already is returned instead."""
        ...

    async def load(self, entrustment_id: str) -> Entrustment | None:
        """Return one, or None; nobody else changes it until the transaction ends."""
        ...

    async def save(self, entrustment: Entrustment) -> None:
        """Store since when the registry knows it and since when it is taken back."""
        ...

    async def of(self, holder: Holder, person_id: str, before: Place | None, limit: int) -> list[Entrustment]:
        """Return those a person gave or got, newest first."""
        ...


class EntrustmentWork(IdentityWork, Protocol):
    """One open transaction."""

    @property
    def entrustments(self) -> EntrustmentStore:
        """The entrustments."""
        ...


class EntrustmentRegistry(Protocol):
    """The licence registry (certs), as the acting person of the current call."""

    async def record(self, statement: str, request_id: str) -> None:
        """Have the registry act on a signed entrustment; again is no change."""
        ...

    async def revoke(self, entrustment_id: str, grantor: Holder, reason: str, request_id: str) -> int:
        """Have it take one back, with the unused codes under it; return how many. One it never had: 0."""
        ...


@dataclass(frozen=True, slots=True)
class EntrustingDesk:
    """Everything that entrusting needs."""

    open_work: Callable[[], AbstractAsyncContextManager[EntrustmentWork]]
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
    if kept.recorded_at is None and kept.revoked_at is None:
        await desk.registry.record(kept.statement, kept.entrustment_id)
        async with desk.open_work() as work:
            found = await work.entrustments.load(kept.entrustment_id)
            assert found is not None, "nothing deletes an entrustment"
            kept, now = found.recorded(work.now()), work.now()
            await work.entrustments.save(kept)
        if kept.revoked_at is not None:  # taken back before the registry had it
            await desk.registry.revoke(kept.entrustment_id, kept.grantor, WITHDRAWN, kept.entrustment_id)
    return SeenEntrustment(kept, is_given=True, seen_at=now)


async def list_entrustments(
    desk: EntrustingDesk, actor: ActingPerson, before: Place | None, limit: int
) -> Sequence[SeenEntrustment]:
    """Return what whom the actor acts for gave and got, newest first."""
    async with desk.open_work() as work:
        person, now = await principal(work, actor), work.now()
        found = await work.entrustments.of(
            (person.id_type_code, person.id_number), person.person_id, before, limit
        )
    return [SeenEntrustment(each, each.grantor_id == person.person_id, now) for each in found]


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
    said = reason.strip() or WITHDRAWN
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
        entrustment_id, grantor.person_id, actor.person_id, holder, wish, statement, begins, now
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
