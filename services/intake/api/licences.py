"""Own licences: list, show (亮证), fetch."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from services.intake.api.doors import DoorsHere, EnteredHere
from services.intake.api.once import KeyHere
from services.intake.api.shapes import CODE_LIMIT, View
from services.intake.usecases.licences import (
    DocumentForm,
    OwnLicence,
    list_own,
    own_document,
    present,
)

router = APIRouter(prefix="/v1/licences", tags=["licences"])
LicenceId = Annotated[str, Path(min_length=1, max_length=CODE_LIMIT)]
MEDIA = {DocumentForm.OFD: "application/ofd", DocumentForm.PDF: "application/pdf"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


class LicenceView(View):
    """A licence, masked; ``valid_until`` is empty for long-term ones."""

    licence_id: str
    identifier: str
    type_code: str
    type_name: str
    number: str
    status: str
    issuer_name: str
    county: str
    holder_name: str
    issued_date: str
    valid_from: str
    valid_until: str
    trust_grade: str
    face: dict[str, str]


class PresentationView(View):
    """What the screen shows as a QR code; good for one scan until ``expires_at``."""

    code: str
    qr_text: str
    expires_at: datetime


@router.get("", summary="我的电子证照")
async def my_licences(entered: EnteredHere, doors: DoorsHere) -> list[LicenceView]:
    """Return the holder's licences of every county."""
    found = await list_own(doors.log_in.open_work, doors.wallet, entered.person)
    return [licence_view(each) for each in found]


@router.post("/{licence_id}/presentation", status_code=201, summary="亮证")
async def show_licence(
    licence_id: LicenceId, key: KeyHere, entered: EnteredHere, doors: DoorsHere
) -> PresentationView:
    """Return a code that shows one own licence once; the same key gives the same code."""
    found = await present(doors.log_in.open_work, doors.wallet, entered.person, licence_id, key)
    return PresentationView(code=found.code, qr_text=found.qr_text, expires_at=found.expires_at)


@router.get(
    "/{licence_id}/document",
    response_class=Response,
    responses={200: {"content": dict.fromkeys(MEDIA.values(), _BINARY)}},
    summary="下载电子证照（OFD、PDF）",
)
async def fetch_document(
    licence_id: LicenceId,
    entered: EnteredHere,
    doors: DoorsHere,
    form: Annotated[DocumentForm, Query(alias="format")] = DocumentForm.OFD,
) -> Response:
    """Return the sealed OFD of an own licence, or with ``format=pdf`` its PDF; one that is being made is told so."""
    content = await own_document(doors.log_in.open_work, doors.wallet, entered.person, licence_id, form)
    headers = {"content-disposition": f'attachment; filename="licence.{form}"'}
    return Response(content, media_type=MEDIA[form], headers=headers)


def licence_view(licence: OwnLicence) -> LicenceView:
    """Return a licence."""
    return LicenceView(
        licence_id=licence.licence_id,
        identifier=licence.identifier,
        type_code=licence.type_code,
        type_name=licence.type_name,
        number=licence.number,
        status=licence.status,
        issuer_name=licence.issuer_name,
        county=licence.county_code,
        holder_name=licence.holder_name,
        issued_date=licence.issued_date,
        valid_from=licence.valid_from,
        valid_until=licence.valid_until,
        trust_grade=licence.trust_grade,
        face=dict(licence.face),
    )
