"""Who is logged in, and the organisations they may act for."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field

from services.intake.api.doors import DoorsHere, EnteredHere
from services.intake.api.shapes import UUID_PATTERN, Body, View
from services.intake.usecases.identity.contacts import change_email
from services.intake.usecases.identity.organisations import (
    Organisation,
    list_organisations,
    register_organisation,
    revoke_representation,
)
from services.intake.usecases.identity.persons import whoami

router = APIRouter(prefix="/v1/me", tags=["me"])


class OrganisationView(View):
    """An organisation the person may act for, proved by its business licence."""

    organisation_id: str
    name: str
    uscc: str
    licence_id: str
    confirmed_at: datetime


class MeView(View):
    """The person logged in, masked for a screen in public."""

    person_id: str
    kind: str
    name_masked: str
    id_number_masked: str
    phone_masked: str
    email_masked: str
    """Empty when the person gave none."""
    assurance: int
    terminal_id: str
    session_expires_at: datetime
    acting_for: str | None
    organisations: list[OrganisationView]


class OrganisationBody(Body):
    """Unified social credit code (统一社会信用代码) of the organisation."""

    uscc: str = Field(min_length=1, max_length=18)


class EmailBody(Body):
    """An e-mail address, or null for none."""

    email: str | None = Field(max_length=254)


@router.get("", summary="当前登录人")
async def who_am_i(entered: EnteredHere, doors: DoorsHere) -> MeView:
    """Return who is logged in, masked."""
    async with doors.log_in.open_work() as work:
        found = await whoami(work, entered.person, entered.session)
    return MeView(
        person_id=found.person_id,
        kind=found.kind,
        name_masked=found.masked_name,
        id_number_masked=found.id_number_masked,
        phone_masked=found.phone_masked,
        email_masked=found.email_masked,
        assurance=entered.session.assurance,
        terminal_id=entered.session.terminal_id,
        session_expires_at=entered.session.expires_at,
        acting_for=found.acting_for,
        organisations=[_view(each) for each in found.organisations],
    )


@router.put("/email", status_code=204, summary="登记电子邮箱")
async def change_my_email(body: EmailBody, entered: EnteredHere, doors: DoorsHere) -> None:
    """Have notices go to an e-mail address as well, or to none any more; the person's own, whoever is acted for."""
    async with doors.log_in.open_work() as work:
        await change_email(work, entered.person.person_id, body.email or "")


@router.get("/organisations", summary="我可代表的单位")
async def my_organisations(entered: EnteredHere, doors: DoorsHere) -> list[OrganisationView]:
    """Return the organisations the person may act for now."""
    async with doors.log_in.open_work() as work:
        return [_view(each) for each in await list_organisations(work, entered.person)]


@router.post("/organisations", status_code=201, summary="登记代表单位")
async def represent(body: OrganisationBody, entered: EnteredHere, doors: DoorsHere) -> OrganisationView:
    """Register an organisation whose business licence names the person; repeating is harmless."""
    return _view(
        await register_organisation(doors.log_in.open_work, doors.registry, entered.person, body.uscc)
    )


@router.delete("/organisations/{organisation_id}", status_code=204, summary="解除代表关系")
async def stop_representing(
    organisation_id: Annotated[str, Path(pattern=UUID_PATTERN)], entered: EnteredHere, doors: DoorsHere
) -> None:
    """Stop acting for an organisation; tokens that act for it open nothing any more."""
    async with doors.log_in.open_work() as work:
        await revoke_representation(work, entered.person, organisation_id)


def _view(organisation: Organisation) -> OrganisationView:
    return OrganisationView(
        organisation_id=organisation.organisation_id,
        name=organisation.name,
        uscc=organisation.uscc,
        licence_id=organisation.representation.licence_id,
        confirmed_at=organisation.representation.confirmed_at,
    )
