"""What certs asks of a case and after an approval, what it answers, and what other services add to a case's timeline."""

from __future__ import annotations

from services.intake.domain.cases.applicant import UNIFIED_CODE
from services.intake.domain.cases.case import PART_NOT_FOUND, Case
from services.intake.domain.cases.issuing import PART_NOT_APPROVED, IssueData, issue_data
from services.intake.domain.cases.part import ResultLicence
from services.intake.domain.catalogue.model import Catalogue
from services.intake.usecases.cases.ports import TimelineEntry, Work
from services.intake.usecases.cases.record import record


async def get_issue_data(work: Work, catalogue: Catalogue, part_id: str) -> IssueData:
    """Return what the licence of an approved part is made of. Raises PART_NOT_FOUND, PART_NOT_APPROVED."""
    case = await work.cases.load_by_part(part_id)
    if case is None:
        raise PART_NOT_FOUND()
    part = case.part(part_id)
    if not part.approved:
        raise PART_NOT_APPROVED()
    applicant = await work.persons.load(case.person_id)
    if applicant is None:
        raise PART_NOT_FOUND()
    division = catalogue.divisions.get(part.item.county_code)
    return issue_data(case, part, applicant, division.zh if division else "")


async def get_case_parties(
    work: Work, case_id: str, item_code: str, department_code: str
) -> list[tuple[str, str]]:
    """Return kind and number of everybody whose licences an open case is about, for the part's department.

    That is the applicant; the business that the applicant represents and the form names; who acts for an
    applying organisation. An agent is none: the case is not theirs. Raises PART_NOT_FOUND.
    """
    case = await work.cases.load(case_id)
    if case is None or not _is_open(case):
        raise PART_NOT_FOUND()
    mine = (
        (each.item.item_code, each.item.department_code) == (item_code, department_code)
        for each in case.parts
    )
    applicant = await work.persons.load(case.person_id)
    if applicant is None or not any(mine):
        raise PART_NOT_FOUND()
    parties = [(applicant.id_type_code, applicant.id_number)]
    if applicant.kind == "natural":
        uscc = case.plan.named_business(case.form)
        if uscc and await work.persons.represents(case.person_id, uscc):
            parties.append((UNIFIED_CODE, uscc))
    elif case.handled_by and not case.entrustment_id:
        acting = await work.persons.load(case.handled_by)
        parties += [(acting.id_type_code, acting.id_number)] if acting else []
    return parties


def _is_open(case: Case) -> bool:
    return case.submitted_at is not None and case.closed_at is None and case.withdrawn_at is None


async def record_licence(work: Work, case_id: str, part_id: str, licence: ResultLicence) -> None:
    """Complete a part whose licence is in force, and close the case with its last result; once.

    A licence of no case of ours (stock, another installation) is none of our business.
    """
    case = await work.cases.load(case_id, lock=True)
    if case is None or all(part.part_id != part_id for part in case.parts):
        return
    if case.record_licence(part_id, licence, work.now()):
        await record(work, case)


async def add_to_timeline(work: Work, entry: TimelineEntry) -> None:
    """Keep what another service did for a case of ours; twice is once."""
    if entry.case_id:
        await work.timeline.add([entry])
