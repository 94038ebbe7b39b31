"""Hand a case in, answer a supplement, withdraw, rate, fetch the archive."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import Field

from services.intake.api.case_views import CaseView, ReceiptView, case_view, receipt_view
from services.intake.api.cases import CaseId, Values
from services.intake.api.doors import DoorsHere, EnteredHere, WorkInTransaction
from services.intake.api.once import KeyHere, answer_once
from services.intake.api.shapes import Body, View
from services.intake.usecases.archive import get_archive
from services.intake.usecases.cases.drafting import update_form
from services.intake.usecases.cases.following import answer_supplement, withdraw
from services.intake.usecases.cases.submitting import submit
from services.intake.usecases.ratings import rate_case

router = APIRouter(prefix="/v1/cases/{case_id}", tags=["cases"])
ZIP = "application/zip"


class SubmitBody(Body):
    """Nothing to say: what is handed in is what the case holds."""


class SupplementBody(Body):
    """Form fields still to be changed, if any; materials are supplied before."""

    form: Values = Field(default_factory=dict, max_length=200)


class WithdrawBody(Body):
    """Why, if the applicant wants to say."""

    reason: str = Field(default="", max_length=200)


class WithdrawnView(View):
    """A withdrawn case, and whether the registry has taken its use-codes back already."""

    case: CaseView
    use_codes_revoked: bool


class RatingBody(Body):
    """1 (非常不满意) to 5 (非常满意); 1 and 2 need an option or a text."""

    grade: int = Field(ge=1, le=5)
    options: list[Annotated[str, Field(max_length=8)]] = Field(default_factory=list, max_length=20)
    text: str = Field(default="", max_length=2_000)


class RatingView(View):
    """A rating, and the rectification order a bad one opens; dues are null while a calendar is pending."""

    case_id: str
    grade: int
    rated_at: datetime
    order_id: str | None
    contact_due: date | None
    rectify_due: date | None


@router.post("/submit", response_model=ReceiptView, summary="提交办件")
async def submit_case(
    request: Request,
    case_id: CaseId,
    key: KeyHere,
    entered: EnteredHere,
    doors: DoorsHere,
    body: SubmitBody | None = None,
) -> Response:
    """Hand the case in. The same key again gives the same receipt; nothing is ever submitted twice."""

    async def work(cases: WorkInTransaction) -> ReceiptView:
        return receipt_view(await submit(cases, doors.sign, entered.person, case_id))

    return await answer_once(request, doors, entered, key, body or SubmitBody(), work)


@router.post("/supplements", response_model=CaseView, summary="提交补正")
async def hand_in_supplement(
    request: Request,
    case_id: CaseId,
    body: SupplementBody,
    key: KeyHere,
    entered: EnteredHere,
    doors: DoorsHere,
) -> Response:
    """Hand in, all at once, everything the departments asked for."""

    async def work(cases: WorkInTransaction) -> CaseView:
        if body.form:
            await update_form(cases, entered.person, case_id, body.form)
        return case_view(await answer_supplement(cases, entered.person, case_id), cases.now())

    return await answer_once(request, doors, entered, key, body, work)


@router.post("/withdraw", summary="撤回办件")
async def withdraw_case(
    case_id: CaseId, body: WithdrawBody, entered: EnteredHere, doors: DoorsHere
) -> WithdrawnView:
    """Withdraw before any decision; repeating is harmless."""
    found = await withdraw(doors.cases, doors.licences, entered.person, case_id, reason=body.reason)
    return WithdrawnView(
        case=case_view(found.case, doors.log_in.now()), use_codes_revoked=found.use_codes_revoked
    )


@router.post("/rating", status_code=201, response_model=RatingView, summary="评价（好差评）")
async def rate(
    request: Request,
    case_id: CaseId,
    body: RatingBody,
    key: KeyHere,
    entered: EnteredHere,
    doors: DoorsHere,
) -> Response:
    """Rate the service once per case; a bad rating opens a rectification order."""

    async def work(cases: WorkInTransaction) -> RatingView:
        rating, order = await rate_case(
            cases,
            doors.catalogue(),
            entered.person,
            case_id,
            grade=body.grade,
            options=tuple(body.options),
            text=body.text,
            channel="kiosk",
        )
        return RatingView(
            case_id=case_id,
            grade=rating.grade,
            rated_at=rating.rated_at,
            order_id=order.order_id if order else None,
            contact_due=order.contact_due if order else None,
            rectify_due=order.rectify_due if order else None,
        )

    return await answer_once(request, doors, entered, key, body, work, status=201)


@router.get(
    "/archive",
    response_class=Response,
    responses={200: {"content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}},
    summary="归档包",
)
async def fetch_archive(case_id: CaseId, entered: EnteredHere, doors: DoorsHere) -> Response:
    """Return the package of an own closed case; it verifies without us."""
    record, package = await get_archive(doors.cases, doors.files, entered.person, case_id)
    name = f'attachment; filename="{record.case_id}.zip"'
    return Response(package, media_type=ZIP, headers={"content-disposition": name})
