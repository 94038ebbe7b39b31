"""Who used my licences: to read, and to take away signed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AfterValidator, AwareDatetime

from services.intake.api.doors import Doors, DoorsHere, EnteredHere
from services.intake.api.holder_words import BASES, KINDS, said
from services.intake.api.shapes import CODE_LIMIT, TextView, View
from services.intake.usecases.holdings import (
    HolderDesk,
    LicenceUse,
    UseFilter,
    UsingAgent,
    export_uses,
    list_uses,
)

router = APIRouter(prefix="/v1/licences/uses", tags=["licences"])
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def in_our_time(moment: datetime) -> datetime:
    """Return a moment in UTC. Raises ValueError for one that no record can be of."""
    if not EARLIEST <= moment < LATEST:
        raise ValueError(moment)
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(in_our_time)]
"""A moment with its offset, of this or the next century."""
PageToken = Annotated[str, Query(max_length=500)]
LicenceWanted = Annotated[str, Query(max_length=CODE_LIMIT)]


class UsingAgentView(View):
    """Who acted for the holder under an entrustment; the name is empty for who never logged in."""

    id_type: str
    id_number_masked: str
    name_masked: str


class UseView(View):
    """Who used a licence, which fields, why, on which basis, with which outcome."""

    usage_id: str
    licence_id: str
    licence_type_name: str
    consumer_code: str
    consumer_name: str
    kind: str
    kind_text: TextView
    used_at: datetime
    use_cause: str
    item_code: str
    case_id: str
    basis: str
    basis_text: TextView
    consent_id: str
    """Of the agreement in a case of ours."""
    legal_article: str
    entrustment_id: str
    agent: UsingAgentView | None
    """Of a use under an entrustment that is still kept."""
    face_fields: list[str]
    """Short names of the fields that were given."""
    outcome: str
    """allowed, or the reason of the refusal."""
    dispute_id: str
    """A dispute that is open about this use; empty for none."""


class UsePage(View):
    """A page of uses; the token is empty on the last one."""

    uses: list[UseView]
    next_page_token: str


class UseStatementView(View):
    """A page of uses signed by the registry (compact JWS); the token is empty on the last one."""

    signed: str
    salt: str
    """With kind and number of the holder it gives the digest by which the statement names them."""
    uses: int
    next_page_token: str


@router.get("", summary="我的证照被谁使用")
async def my_uses(
    entered: EnteredHere,
    doors: DoorsHere,
    licence_id: LicenceWanted = "",
    used_from: Moment | None = None,
    used_before: Moment | None = None,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    page_token: PageToken = "",
) -> UsePage:
    """Return who used the holder's licences, newest first."""
    wanted = UseFilter(licence_id, used_from, used_before)
    uses, token = await list_uses(holder_desk(doors), entered.person, wanted, page_size, page_token)
    return UsePage(uses=[_use(each) for each in uses], next_page_token=token)


@router.get("/export", summary="导出用证记录（证照库签名）")
async def export_my_uses(
    entered: EnteredHere,
    doors: DoorsHere,
    licence_id: LicenceWanted = "",
    used_from: Moment | None = None,
    used_before: Moment | None = None,
    page_token: PageToken = "",
) -> UseStatementView:
    """Return a page of the same as a statement signed by the registry, to take away; 60 an hour."""
    wanted = UseFilter(licence_id, used_from, used_before)
    found = await export_uses(holder_desk(doors), entered.person, wanted, page_token)
    return UseStatementView(
        signed=found.signed, salt=found.salt, uses=found.uses, next_page_token=found.next_page_token
    )


def holder_desk(doors: Doors) -> HolderDesk:
    """Return what a holder's questions need."""
    return HolderDesk(doors.open_entrustments, doors.holdings, doors.limits)


def _use(use: LicenceUse) -> UseView:
    return UseView(
        usage_id=use.usage_id,
        licence_id=use.licence_id,
        licence_type_name=use.licence_type_name,
        consumer_code=use.consumer_code,
        consumer_name=use.consumer_name,
        kind=use.kind,
        kind_text=said(KINDS, use.kind),
        used_at=use.used_at,
        use_cause=use.use_cause,
        item_code=use.item_code,
        case_id=use.case_id,
        basis=use.basis,
        basis_text=said(BASES, use.basis),
        consent_id=use.consent_id,
        legal_article=use.legal_article,
        entrustment_id=use.entrustment_id,
        agent=_agent(use.agent) if use.agent else None,
        face_fields=list(use.face_fields),
        outcome=use.outcome,
        dispute_id=use.dispute_id,
    )


def _agent(agent: UsingAgent) -> UsingAgentView:
    return UsingAgentView(
        id_type=agent.id_type_code, id_number_masked=agent.id_number_masked, name_masked=agent.name_masked
    )
