"""Dispute what an own licence says or that it was used (异议); see how it stands; take it back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from services.intake.api.doors import DoorsHere, EnteredHere
from services.intake.api.holder_words import DISPUTE_KINDS, DISPUTE_STATES, said
from services.intake.api.licence_uses import PageToken, holder_desk
from services.intake.api.licences import LicenceId
from services.intake.api.once import KeyHere
from services.intake.api.shapes import CODE_LIMIT, Body, TextView, View
from services.intake.usecases.holdings import (
    Complaint,
    HolderDispute,
    list_disputes,
    open_dispute,
    withdraw_dispute,
)

router = APIRouter(tags=["disputes"])
DisputeId = Annotated[str, Path(min_length=1, max_length=CODE_LIMIT)]


class ComplaintBody(Body):
    """Of a use: its line in the record (usage_id); of the content: none."""

    kind: Literal["content", "use"]
    usage_id: str = Field(default="", max_length=CODE_LIMIT)
    statement: str = Field(min_length=1, max_length=2_000)


class DisputeWithdrawalBody(Body):
    """The state that was seen (etag), and why, if the holder wants to say."""

    etag: str = Field(min_length=1, max_length=CODE_LIMIT)
    reason: str = Field(default="", max_length=200)


class DisputeView(View):
    """A dispute; the issuer decides until ``due_date`` (YYYY-MM-DD, empty while no calendar is loaded)."""

    dispute_id: str
    licence_id: str
    kind: str
    kind_text: TextView
    usage_id: str
    consumer_code: str
    issuer_code: str
    state: str
    state_text: TextView
    statement: str
    opened_at: datetime
    due_date: str
    frozen_at: datetime | None
    """Since when uses are refused; null: they are not."""
    settled_at: datetime | None
    reason: str
    legal_basis: str
    etag: str


class DisputePage(View):
    """A page of disputes; the token is empty on the last one."""

    disputes: list[DisputeView]
    next_page_token: str


@router.post("/v1/licences/{licence_id}/disputes", status_code=201, summary="提出异议")
async def dispute_licence(
    licence_id: LicenceId, body: ComplaintBody, key: KeyHere, entered: EnteredHere, doors: DoorsHere
) -> DisputeView:
    """Have what an own licence says, or a use of it, checked by its issuer; the same key gives the same dispute."""
    complaint = Complaint(licence_id, body.kind, body.usage_id, body.statement)
    return _view(await open_dispute(holder_desk(doors), entered.person, complaint, key))


@router.get("/v1/disputes", summary="我的异议")
async def my_disputes(
    entered: EnteredHere,
    doors: DoorsHere,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    page_token: PageToken = "",
) -> DisputePage:
    """Return the holder's disputes and how they stand, newest first."""
    found, token = await list_disputes(holder_desk(doors), entered.person, page_size, page_token)
    return DisputePage(disputes=[_view(each) for each in found], next_page_token=token)


@router.post("/v1/disputes/{dispute_id}/withdrawal", summary="撤回异议")
async def take_dispute_back(
    dispute_id: DisputeId,
    body: DisputeWithdrawalBody,
    key: KeyHere,
    entered: EnteredHere,
    doors: DoorsHere,
) -> DisputeView:
    """Take an own dispute back while it is open."""
    desk = holder_desk(doors)
    return _view(await withdraw_dispute(desk, entered.person, dispute_id, body.etag, body.reason, key))


def _view(dispute: HolderDispute) -> DisputeView:
    return DisputeView(
        dispute_id=dispute.dispute_id,
        licence_id=dispute.licence_id,
        kind=dispute.kind,
        kind_text=said(DISPUTE_KINDS, dispute.kind),
        usage_id=dispute.usage_id,
        consumer_code=dispute.consumer_code,
        issuer_code=dispute.issuer_code,
        state=dispute.state,
        state_text=said(DISPUTE_STATES, dispute.state),
        statement=dispute.statement,
        opened_at=dispute.opened_at,
        due_date=dispute.due_date,
        frozen_at=dispute.frozen_at,
        settled_at=dispute.settled_at,
        reason=dispute.reason,
        legal_basis=dispute.legal_basis,
        etag=dispute.etag,
    )
