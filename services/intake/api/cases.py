"""Begin a case, fill it, look at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, Field

from chassis.paging import TOKEN_LIMIT, page_token, read_page_token
from services.intake.api.case_views import (
    CasePage,
    CaseView,
    TimelineLine,
    case_view,
    summary_view,
    timeline_line,
)
from services.intake.api.doors import DoorsHere, EnteredHere, WorkInTransaction
from services.intake.api.once import KeyHere, answer_once
from services.intake.api.shapes import CODE_LIMIT, UUID_PATTERN, Body, Target
from services.intake.usecases.cases.drafting import (
    create_draft,
    get_case,
    list_cases,
    list_timeline,
    update_form,
)
from services.intake.usecases.cases.ports import CaseSummary

router = APIRouter(prefix="/v1/cases", tags=["cases"])
CaseId = Annotated[str, Path(pattern=UUID_PATTERN)]
Values = dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=2_000)]]


def _known_token(token: str) -> str:
    read_page_token(token)
    return token


class DraftBody(Body):
    """For what, where, the answers to the guide, what is filled in already, and under which entrustment, if any."""

    target: Target
    county: str = Field(pattern=r"^[0-9]{6}$")
    answers: Values = Field(default_factory=dict, max_length=100)
    form: Values = Field(default_factory=dict, max_length=200)
    entrustment_id: str = Field(default="", max_length=CODE_LIMIT)
    """Set by an agent: its grantor is the applicant."""


class FormBody(Body):
    """Form fields by code; for a draft the whole form, for a supplement the fields to change."""

    form: Values = Field(max_length=200)


@router.post("", status_code=201, response_model=CaseView, summary="新建办件（草稿）")
async def begin_case(
    request: Request, body: DraftBody, key: KeyHere, entered: EnteredHere, doors: DoorsHere
) -> Response:
    """Begin a case for an item or a bundle; nobody but the applicant, and the agent who begins it for them, sees it yet."""

    async def work(cases: WorkInTransaction) -> CaseView:
        case = await create_draft(
            cases,
            doors.catalogue(),
            entered.person,
            kind=body.target.kind,
            target_id=body.target.id,
            county=body.county,
            answers=body.answers,
            form=body.form,
            entrustment_id=body.entrustment_id,
        )
        return case_view(case, cases.now())

    return await answer_once(request, doors, entered, key, body, work, status=201)


@router.get("", summary="我的办件")
async def my_cases(
    entered: EnteredHere,
    doors: DoorsHere,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    page_token: Annotated[str, Query(max_length=TOKEN_LIMIT), AfterValidator(_known_token)] = "",
) -> CasePage:
    """Return the applicant's cases, newest first."""
    before = read_page_token(page_token)
    async with doors.cases() as work:
        found = await list_cases(work, entered.person, before=before, limit=page_size)
    return CasePage(
        cases=[summary_view(each) for each in found],
        next_page_token=_next_token(found) if len(found) == page_size else "",
    )


@router.get("/{case_id}", summary="办件详情")
async def read_case(case_id: CaseId, entered: EnteredHere, doors: DoorsHere) -> CaseView:
    """Return an own case with who holds it and by when."""
    async with doors.cases() as work:
        return case_view(await get_case(work, entered.person, case_id), work.now())


@router.put("/{case_id}/form", summary="填写表单")
async def fill_form(case_id: CaseId, body: FormBody, entered: EnteredHere, doors: DoorsHere) -> CaseView:
    """Replace the form of a draft, or add the fields of a supplement; it may be incomplete."""
    async with doors.cases() as work:
        return case_view(await update_form(work, entered.person, case_id, body.form), work.now())


@router.get("/{case_id}/timeline", summary="办理过程")
async def read_timeline(case_id: CaseId, entered: EnteredHere, doors: DoorsHere) -> list[TimelineLine]:
    """Return what happened to an own case in every service, in order of time."""
    async with doors.cases() as work:
        return [timeline_line(each) for each in await list_timeline(work, entered.person, case_id)]


def _next_token(found: Sequence[CaseSummary]) -> str:
    return page_token((found[-1].created_at, found[-1].case_id))
