"""Cases as their applicant sees them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from services.intake.api.catalogue_views import (
    FormFieldView,
    MaterialNeedView,
    TermView,
    field_view,
    need_view,
    term_view,
)
from services.intake.api.shapes import View
from services.intake.domain.cases.case import Case, CaseState
from services.intake.domain.cases.deadlines import PartDeadline
from services.intake.domain.cases.materials import Supplied
from services.intake.domain.cases.part import Part
from services.intake.usecases.cases.ports import CaseSummary, FoundLicence, TimelineEntry
from services.intake.usecases.cases.submitting import Receipt, preview_problems
from services.intake.usecases.cases.supplying import MaterialOptions


class CaseSummaryView(View):
    """One line of the applicant's list."""

    case_id: str
    case_no: str | None
    title: str
    county: str
    state: str
    created_at: datetime
    submitted_at: datetime | None
    closed_at: datetime | None


class CasePage(View):
    """A page of the list; the token is empty on the last one."""

    cases: list[CaseSummaryView]
    next_page_token: str


class DeadlineView(View):
    """When a department's time ends; ``pending`` while a calendar year is not published yet."""

    term: TermView
    due: date | None
    pending: bool


class DefectView(View):
    """One thing that is missing or wrong: a material code or form field."""

    target: str
    problem: str
    remedy: str


class PartView(View):
    """What one department does with its part."""

    part_id: str
    project_no: str | None
    item_id: str
    item_code: str
    item_name: str
    department_code: str
    department_name: str
    state: str
    promised: DeadlineView | None
    statutory: DeadlineView | None
    signatures: int
    signatures_required: int
    defects: list[DefectView]
    refusal_reason: str
    opinions: list[str]
    licence_id: str | None
    licence_identifier: str | None
    licence_name: str | None


class SuppliedView(View):
    """How a material is supplied; the use-codes themselves are for the departments only."""

    kind: str
    supplied_at: datetime
    licence_id: str
    licence_type_code: str
    licence_issuer_name: str
    licence_county: str
    entrustment_id: str
    """Of a licence that an agent chose: under which entrustment of its holder."""
    file_name: str
    media_type: str
    sha256: str
    size_bytes: int
    due: date | None


class StandingProblem(View):
    """What still stands against submitting, by form field or material."""

    field: str
    code: str
    title: str
    title_en: str


class CaseView(View):
    """A case with its parts, form and supplied materials."""

    case_id: str
    case_no: str | None
    etag: str
    state: str
    title: str
    target: dict[str, str]
    county: str
    entrustment_id: str
    """Under which entrustment of the applicant an agent began it; empty otherwise."""
    answers: dict[str, str]
    form_fields: list[FormFieldView]
    form: dict[str, str]
    supplies: dict[str, SuppliedView]
    staged_form: dict[str, str]
    staged_supplies: dict[str, SuppliedView]
    parts: list[PartView]
    created_at: datetime
    submitted_at: datetime | None
    withdrawn_at: datetime | None
    closed_at: datetime | None
    archived_at: datetime | None
    rated_at: datetime | None
    problems: list[StandingProblem]


class CandidateView(View):
    """A licence in the registry that replaces a material: masked preview."""

    licence_id: str
    type_code: str
    type_name: str
    number: str
    issuer_name: str
    county: str
    holder_name: str
    issued_date: str
    valid_until: str
    trust_grade: str
    face: dict[str, str]


class MaterialLineView(View):
    """One line of the material list with everything that can be done about it."""

    need: MaterialNeedView
    supplied: SuppliedView | None
    candidates: list[CandidateView]
    registry_unavailable: bool


class ReceiptView(View):
    """The receipt 收件凭证; ``receipt`` is a compact JWS anyone can verify with ``/.well-known/jwks.json``."""

    case_id: str
    case_no: str
    submitted_at: datetime
    document: dict[str, Any]
    receipt: str


class TimelineLine(View):
    """One thing that happened, in whichever service."""

    at: datetime
    service: str
    what: str
    reference: str


def summary_view(case: CaseSummary) -> CaseSummaryView:
    """Return one line of the list."""
    return CaseSummaryView(
        case_id=case.case_id,
        case_no=case.case_no,
        title=case.title,
        county=case.county_code,
        state=case.state.value,
        created_at=case.created_at,
        submitted_at=case.submitted_at,
        closed_at=case.closed_at,
    )


def case_view(case: Case, now: datetime) -> CaseView:
    """Return a case as its applicant sees it."""
    standing = preview_problems(case, now) if case.state is CaseState.DRAFT else []
    return CaseView(
        case_id=case.case_id,
        case_no=case.case_no,
        etag=f'"{case.version}"',
        state=case.state.value,
        title=case.plan.title,
        target={"kind": case.plan.target_kind, "id": case.plan.target_id},
        county=case.plan.county_code,
        entrustment_id=case.entrustment_id,
        answers=dict(case.answers),
        form_fields=[field_view(each) for each in case.plan.form],
        form=dict(case.form),
        supplies={code: _supplied(each) for code, each in case.supplies.items()},
        staged_form=dict(case.staged_form),
        staged_supplies={code: _supplied(each) for code, each in case.staged_supplies.items()},
        parts=[_part(each) for each in case.parts],
        created_at=case.created_at,
        submitted_at=case.submitted_at,
        withdrawn_at=case.withdrawn_at,
        closed_at=case.closed_at,
        archived_at=case.archived_at,
        rated_at=case.rated_at,
        problems=[
            StandingProblem(field=each["field"], code=each["reason"], title=each["zh"], title_en=each["en"])
            for each in standing
        ],
    )


def line_view(options: MaterialOptions) -> MaterialLineView:
    """Return one line of the material list."""
    return MaterialLineView(
        need=need_view(options.need),
        supplied=_supplied(options.supplied) if options.supplied else None,
        candidates=[_candidate(each) for each in options.candidates],
        registry_unavailable=options.registry_unavailable,
    )


def receipt_view(receipt: Receipt) -> ReceiptView:
    """Return the receipt."""
    return ReceiptView(
        case_id=receipt.case_id,
        case_no=receipt.case_no,
        submitted_at=receipt.submitted_at,
        document=receipt.document,
        receipt=receipt.signed,
    )


def timeline_line(entry: TimelineEntry) -> TimelineLine:
    """Return one line of the timeline."""
    return TimelineLine(at=entry.at, service=entry.service, what=entry.what, reference=entry.reference)


def _part(part: Part) -> PartView:
    return PartView(
        part_id=part.part_id,
        project_no=part.project_no,
        item_id=part.item.item_id,
        item_code=part.item.item_code,
        item_name=part.item.item_name,
        department_code=part.item.department_code,
        department_name=part.item.department_name,
        state=part.state.value,
        promised=_deadline(part.promised),
        statutory=_deadline(part.statutory),
        signatures=len(part.signatures),
        signatures_required=part.signatures_required,
        defects=[
            DefectView(target=each.target, problem=each.problem, remedy=each.remedy) for each in part.defects
        ],
        refusal_reason=part.refusal_reason,
        opinions=[each.opinion for each in part.signatures if part.state.decided and each.opinion],
        licence_id=part.licence.licence_id if part.licence else None,
        licence_identifier=part.licence.identifier if part.licence else None,
        licence_name=part.licence.name if part.licence else None,
    )


def _deadline(deadline: PartDeadline | None) -> DeadlineView | None:
    if deadline is None:
        return None
    return DeadlineView(term=term_view(deadline.term), due=deadline.due, pending=deadline.calendar_pending)


def _supplied(supplied: Supplied) -> SuppliedView:
    return SuppliedView(
        kind=supplied.kind.value,
        supplied_at=supplied.supplied_at,
        licence_id=supplied.licence_id,
        licence_type_code=supplied.licence_type_code,
        licence_issuer_name=supplied.licence_issuer_name,
        licence_county=supplied.licence_county_code,
        entrustment_id=supplied.entrustment_id,
        file_name=supplied.file_name,
        media_type=supplied.media_type,
        sha256=supplied.sha256,
        size_bytes=supplied.size_bytes,
        due=supplied.due,
    )


def _candidate(found: FoundLicence) -> CandidateView:
    return CandidateView(
        licence_id=found.licence_id,
        type_code=found.type_code,
        type_name=found.type_name,
        number=found.number,
        issuer_name=found.issuer_name,
        county=found.county_code,
        holder_name=found.holder_name,
        issued_date=found.issued_date,
        valid_until=found.valid_until,
        trust_grade=found.trust_grade,
        face=dict(found.face),
    )
