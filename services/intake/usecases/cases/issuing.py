"""What certs asks after an approval, what it answers, and what other services add to a case's timeline."""

from __future__ import annotations

from services.intake.domain.cases.case import PART_NOT_FOUND
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
