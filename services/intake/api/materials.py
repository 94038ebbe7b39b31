"""Supply the materials of a case."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from fastapi import APIRouter, File, Path, Query, UploadFile
from pydantic import Field

from chassis.errors import BODY_TOO_LARGE
from services.intake.api.case_views import CaseView, MaterialLineView, case_view, line_view
from services.intake.api.cases import CaseId
from services.intake.api.doors import DoorsHere, EnteredHere
from services.intake.api.shapes import CODE_LIMIT, Body
from services.intake.api.uploads import FORM_OVERHEAD_BYTES, MAX_UPLOAD_BYTES
from services.intake.domain.cases.materials import SupplyKind
from services.intake.usecases.cases.supplying import (
    SupplyChoice,
    attach_file,
    choose_supply,
    find_material_licences,
)
from services.intake.usecases.uploads import admit_upload

router = APIRouter(prefix="/v1/cases/{case_id}/materials", tags=["materials"])
MaterialCode = Annotated[str, Path(min_length=1, max_length=CODE_LIMIT)]


class SupplyBody(Body):
    """A licence (with licence_id and consent_version), a promise (告知承诺) or a tolerance (容缺受理)."""

    kind: Literal["licence", "promise", "tolerance"]
    agreed: bool
    licence_id: str = Field(default="", max_length=CODE_LIMIT)
    consent_version: str = Field(default="", max_length=CODE_LIMIT)
    entrustment_id: str = Field(default="", max_length=CODE_LIMIT)
    """Of a licence: under which entrustment it is another's."""


class ChoiceBody(Body):
    """How a material is supplied."""

    supply: SupplyBody


@router.get("", summary="材料清单与可用电子证照")
async def list_materials(
    case_id: CaseId,
    entered: EnteredHere,
    doors: DoorsHere,
    entrustment_id: Annotated[str, Query(max_length=CODE_LIMIT)] = "",
) -> list[MaterialLineView]:
    """Return the material list with the licences of every county that replace each, masked.

    An agent names the entrustment under which they look for its grantor's; a case begun under one has it already.
    """
    found = await find_material_licences(doors.cases, doors.licences, entered.person, case_id, entrustment_id)
    return [line_view(each) for each in found]


@router.put("/{material_code}", summary="选择材料提供方式")
async def supply_material(
    case_id: CaseId,
    material_code: MaterialCode,
    body: ChoiceBody,
    entered: EnteredHere,
    doors: DoorsHere,
) -> CaseView:
    """Supply a material by a licence (one use-code per part), a promise or a tolerance."""
    given = body.supply
    choice = SupplyChoice(
        kind=SupplyKind(given.kind),
        agreed=given.agreed,
        licence_id=given.licence_id,
        consent_version=given.consent_version,
        entrustment_id=given.entrustment_id,
    )
    case = await choose_supply(
        doors.cases,
        doors.licences,
        doors.catalogue(),
        entered.person,
        case_id,
        material_code,
        choice,
    )
    return case_view(case, doors.log_in.now())


@router.post(
    "/{material_code}/file",
    summary="上传材料",
    max_body_size=MAX_UPLOAD_BYTES + FORM_OVERHEAD_BYTES,
)
async def upload_material(
    case_id: CaseId,
    material_code: MaterialCode,
    file: Annotated[UploadFile, File(description="PDF, OFD, JPG, PNG")],
    entered: EnteredHere,
    doors: DoorsHere,
) -> CaseView:
    """Supply a material by a file of at most 7 MiB, which fits one message to a department.

    Its type is told by its content and must fit its name. It is refused with scripts, actions, files
    inside, unsafe names or too much to unpack; an image is kept without its metadata.
    """
    content = await file.read(MAX_UPLOAD_BYTES + 1)
    if len(content) > MAX_UPLOAD_BYTES:
        raise BODY_TOO_LARGE(limit_bytes=MAX_UPLOAD_BYTES)
    name = file.filename or ""
    admitted = await admit_upload(doors.limits, doors.inspector, entered.person.person_id, content, name)
    case = await attach_file(
        doors.cases,
        doors.files,
        entered.person,
        case_id,
        material_code,
        file_name=name,
        media_type=admitted.media_type,
        content=admitted.content,
        sha256=hashlib.sha256(admitted.content).hexdigest(),
        scan=admitted.scan,
    )
    return case_view(case, doors.log_in.now())
