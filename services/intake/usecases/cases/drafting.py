"""Begin a case, fill its form, look at it: the applicant's side before and after submitting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import uuid_utils.compat

from chassis.auth.person import ActingPerson
from chassis.errors import FIELD_REQUIRED, Fault, refuse
from services.intake.domain.cases.case import CASE_NOT_FOUND, Case
from services.intake.domain.cases.part import Part
from services.intake.domain.cases.plan import draft_mistakes, plan_case, require_applicant, require_level
from services.intake.domain.cases.submission import cleaned_form
from services.intake.domain.catalogue.model import Catalogue
from services.intake.usecases.cases.mandates import mandated_applicant, mandates, principal_of
from services.intake.usecases.cases.ports import CaseSummary, TimelineEntry, Work
from services.intake.usecases.cases.record import load_own, load_to_act, record

PAGE_LIMIT = 100


async def create_draft(
    work: Work,
    catalogue: Catalogue,
    actor: ActingPerson,
    *,
    kind: str,
    target_id: str,
    county: str,
    answers: Mapping[str, str],
    form: Mapping[str, str],
    entrustment_id: str = "",
) -> Case:
    """Begin a case for an item or a bundle in a county; nobody but the applicant and their agent sees it yet.

    With an entrustment to whom the actor acts for, its grantor is the applicant. The form may be incomplete.
    Raises INVALID_REQUEST naming every wrong answer and field, ITEM_NOT_FOUND, BUNDLE_NOT_FOUND,
    ITEM_NOT_OFFERED, CASE_NOT_OFFERED, REAL_NAME_LEVEL_TOO_LOW, APPLICANT_NOT_ADMITTED,
    ENTRUSTMENT_NOT_FOUND, ENTRUSTMENT_NOT_IN_FORCE, ENTRUSTMENT_NOT_COVERING.
    """
    refuse(draft_mistakes(catalogue, kind, target_id, answers, form))
    plan = plan_case(catalogue, kind, target_id, county, answers)
    require_level(plan, actor.assurance)
    applicant_id = principal_of(actor)
    if entrustment_id:
        codes = [item.item_code for item in plan.items]
        applicant_id = await mandated_applicant(work, actor, entrustment_id, codes)
    applicant = await work.persons.load(applicant_id)
    if applicant is None:
        raise CASE_NOT_FOUND()
    require_applicant(plan, applicant.kind)
    case = Case(
        case_id=_new_id(),
        person_id=applicant_id,
        handled_by=actor.person_id,
        entrustment_id=entrustment_id,
        plan=plan,
        parts=[Part(_new_id(), item) for item in plan.items],
        created_at=work.now(),
        terminal_id=actor.terminal_id,
        assurance=actor.assurance,
        answers=dict(answers),
    )
    case.put_form(_checked(case, form))
    await work.cases.add(case)
    return case


async def update_form(work: Work, actor: ActingPerson, case_id: str, form: Mapping[str, str]) -> Case:
    """Replace the form of a draft, or add the fields of a supplement; it may be incomplete.

    Raises INVALID_REQUEST naming every wrong field, CASE_NOT_FOUND, CASE_NOT_EDITABLE, REAL_NAME_LEVEL_TOO_LOW.
    """
    case = await load_to_act(work, actor, case_id)
    case.put_form(_checked(case, form))
    await record(work, case)
    return case


async def get_case(work: Work, actor: ActingPerson, case_id: str) -> Case:
    """Return one of the person's own cases. Raises CASE_NOT_FOUND."""
    return await load_own(work, actor, case_id)


async def list_cases(
    work: Work, actor: ActingPerson, *, before: tuple[datetime, str] | None = None, limit: int = 20
) -> Sequence[CaseSummary]:
    """Return the cases of whom the actor acts for and those they conduct as an agent, newest first.

    ``before`` is (created_at, case_id) of the last one seen.
    """
    names = list(await mandates(work, actor))
    return await work.cases.list_of_person(
        principal_of(actor), before=before, limit=min(limit, PAGE_LIMIT), entrustment_ids=names
    )


async def list_timeline(work: Work, actor: ActingPerson, case_id: str) -> Sequence[TimelineEntry]:
    """Return what happened to an own case in every service, in order of time. Raises CASE_NOT_FOUND."""
    case = await load_own(work, actor, case_id)
    return await work.timeline.of_case(case.case_id)


def _checked(case: Case, form: Mapping[str, str]) -> dict[str, str]:
    """Return the cleaned values; what is missing is no mistake yet."""
    try:
        return cleaned_form(case.plan, dict(form))
    except Fault as fault:
        refuse(each for each in fault.violations if each.reason is not FIELD_REQUIRED)
    stripped = {code: value.strip() for code, value in form.items()}
    return {code: value for code, value in stripped.items() if value}


def _new_id() -> str:
    return str(uuid_utils.compat.uuid7())
