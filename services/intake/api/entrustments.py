"""Entrust an agent with one's licences (委托), see what was entrusted, take it back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, Field

from chassis.paging import TOKEN_LIMIT, page_token, read_page_token
from services.intake.api.doors import Doors, DoorsHere, EnteredHere
from services.intake.api.holder_words import ENTRUSTMENT_STATES, POWERS, said
from services.intake.api.licence_uses import Moment
from services.intake.api.once import KeyHere
from services.intake.api.shapes import CODE_LIMIT, UUID_PATTERN, Body, TextView, View
from services.intake.domain.entrustment import EntrustmentWish, Holder, Power
from services.intake.usecases.entrusting import (
    EntrustingDesk,
    SeenEntrustment,
    Wanted,
    entrust,
    list_entrustments,
    revoke_entrustment,
)
from standards.masking import mask_citizen_id

router = APIRouter(prefix="/v1/entrustments", tags=["entrustments"])
EntrustmentId = Annotated[str, Path(pattern=UUID_PATTERN)]
Code = Annotated[str, Field(min_length=1, max_length=CODE_LIMIT)]
CodeWanted = Annotated[str, Query(max_length=CODE_LIMIT)]


class AgentBody(Body):
    """Who may act: a citizen (111) or an organisation (001), by number; they need not be registered yet."""

    id_type: Literal["111", "001"]
    id_number: str = Field(min_length=1, max_length=18)


class EntrustmentBody(Body):
    """For which licences and items, with which powers, from (null: now) until when; no items means every item."""

    agent: AgentBody
    licence_types: list[Code] = Field(max_length=100)
    items: list[Code] = Field(default_factory=list, max_length=100)
    powers: list[Literal["present", "issue_use_code", "apply"]] = Field(max_length=10)
    valid_from: Moment | None = None
    valid_until: Moment


class RevocationBody(Body):
    """Why, if the holder wants to say."""

    reason: str = Field(default="", max_length=200)


class PowerView(View):
    """What the agent may do."""

    power: str
    text: TextView


class EntrustmentView(View):
    """An entrustment as its grantor (given) or its agent (received) sees it; numbers are masked."""

    entrustment_id: str
    role: Literal["given", "received"]
    other_id_type: str
    other_id_number_masked: str
    other_name_masked: str
    """Of the grantor, towards the agent; empty towards the grantor, who knows a number only."""
    licence_types: list[str]
    items: list[str]
    powers: list[PowerView]
    valid_from: datetime
    valid_until: datetime
    granted_at: datetime
    revoked_at: datetime | None
    state: str
    state_text: TextView
    refusal: str
    """Why the registry did not take it over; empty otherwise."""


class EntrustmentPage(View):
    """A page of entrustments; the token is empty on the last one."""

    entrustments: list[EntrustmentView]
    next_page_token: str


class RevokedView(View):
    """What was taken back, and how many unused use-codes with it."""

    entrustment: EntrustmentView
    revoked_use_codes: int


def _known_token(token: str) -> str:
    read_page_token(token)
    return token


@router.post("", status_code=201, summary="委托他人使用本人证照")
async def entrust_agent(
    body: EntrustmentBody, key: KeyHere, entered: EnteredHere, doors: DoorsHere
) -> EntrustmentView:
    """Entrust an agent; the same key gives the same entrustment, handed over again where that failed."""
    wish = EntrustmentWish(
        agent=(body.agent.id_type, body.agent.id_number),
        type_codes=tuple(body.licence_types),
        item_codes=tuple(body.items),
        powers=tuple(Power(each) for each in body.powers),
        valid_from=body.valid_from,
        expires_at=body.valid_until,
    )
    return _view(await entrust(_desk(doors), entered.person, wish, key))


@router.get("", summary="我的委托")
async def my_entrustments(
    entered: EnteredHere,
    doors: DoorsHere,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    page_token: Annotated[str, Query(max_length=TOKEN_LIMIT), AfterValidator(_known_token)] = "",
    role: Literal["given", "received"] | None = None,
    in_force: bool = False,
    item: CodeWanted = "",
    licence_type: CodeWanted = "",
) -> EntrustmentPage:
    """Return what the holder gave and got, newest first; narrowed to a role, to now, to an item, to a type."""
    before, wanted = read_page_token(page_token), Wanted(role or "", in_force, item, licence_type)
    found = await list_entrustments(_desk(doors), entered.person, before, page_size + 1, wanted)
    page = found[:page_size]
    return EntrustmentPage(
        entrustments=[_view(each) for each in page],
        next_page_token=_token(page[-1]) if len(found) > page_size else "",
    )


@router.post("/{entrustment_id}/revocation", summary="撤回委托")
async def take_entrustment_back(
    entrustment_id: EntrustmentId,
    body: RevocationBody,
    key: KeyHere,
    entered: EnteredHere,
    doors: DoorsHere,
) -> RevokedView:
    """Take an own entrustment back with the unused use-codes issued under it; repeating is harmless."""
    found, count = await revoke_entrustment(_desk(doors), entered.person, entrustment_id, body.reason, key)
    return RevokedView(entrustment=_view(found), revoked_use_codes=count)


def _desk(doors: Doors) -> EntrustingDesk:
    return EntrustingDesk(
        doors.open_entrustments, doors.entrustments, doors.sign, doors.limits, doors.catalogue
    )


def _token(seen: SeenEntrustment) -> str:
    return page_token((seen.entrustment.granted_at, seen.entrustment.entrustment_id))


def _view(seen: SeenEntrustment) -> EntrustmentView:
    given, wish = seen.entrustment, seen.entrustment.wish
    other: Holder = wish.agent if seen.is_given else given.grantor
    state = given.state(seen.seen_at)
    return EntrustmentView(
        entrustment_id=given.entrustment_id,
        role="given" if seen.is_given else "received",
        other_id_type=other[0],
        other_id_number_masked=mask_citizen_id(other[1]),
        other_name_masked=seen.grantor_name_masked,
        licence_types=list(wish.type_codes),
        items=list(wish.item_codes),
        powers=[PowerView(power=each, text=said(POWERS, each)) for each in wish.powers],
        valid_from=given.valid_from,
        valid_until=wish.expires_at,
        granted_at=given.granted_at,
        revoked_at=given.revoked_at,
        state=state,
        state_text=said(ENTRUSTMENT_STATES, state),
        refusal=given.refusal,
    )
