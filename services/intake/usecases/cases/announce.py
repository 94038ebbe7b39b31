"""Which event each step of a case is, and which change its departments hear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chassis.event import Event
from events import intake
from services.intake.domain.cases.case import Case, Happened, Step, approved_parts
from services.intake.domain.cases.part import Part
from services.intake.domain.ratings import Rating, Rectification
from services.intake.usecases.cases.ports import PartChange, TimelineEntry


@dataclass(frozen=True, slots=True)
class Details:
    """What a step needs to tell beyond the case itself."""

    rating: Rating | None = None
    order: Rectification | None = None
    package_sha256: str = ""


def event_of(case: Case, step: Happened, details: Details) -> Event:
    """Return the event of one step of a case, as the case stands after its command."""
    if step.part_id is not None:
        return _PART_EVENTS[step.step](case, case.part(step.part_id), step.at)
    return _CASE_EVENTS[step.step](case, step.at, details)


def changes_of(case: Case, step: Happened) -> list[PartChange]:
    """Return what the departments hear of a step: their part was handed in, changed, or withdrawn."""
    if step.part_id is not None:
        parts = [case.part(step.part_id)]
    elif step.step in {Step.SUBMITTED, Step.WITHDRAWN}:
        parts = case.parts
    else:
        parts = []
    return [
        PartChange(part.item.department_code, part.part_id, step.step.value, part.state, step.at)
        for part in parts
    ]


def entry_of(case: Case, step: Happened) -> TimelineEntry:
    """Return the timeline's line of a step."""
    what = f"part_{step.step.value}" if step.part_id else f"case_{step.step.value}"
    return TimelineEntry(case.case_id, step.at, "intake", what, step.part_id or case.case_id)


def _submitted(case: Case, at: datetime, _: Details) -> Event:
    return intake.CaseSubmitted(
        case_id=case.case_id,
        case_no=case.case_no or "",
        person_id=case.person_id,
        title=case.plan.title,
        county_code=case.plan.county_code,
        terminal_id=case.terminal_id,
        submitted_at=at,
        parts=[
            intake.PartRef(
                part_id=part.part_id,
                item_code=part.item.item_code,
                item_name=part.item.item_name,
                county_code=part.item.county_code,
                department_code=part.item.department_code,
            )
            for part in case.parts
        ],
    )


def _closed(case: Case, at: datetime, _: Details) -> Event:
    approved = approved_parts(case)
    return intake.CaseClosed(
        case_id=case.case_id,
        case_no=case.case_no or "",
        person_id=case.person_id,
        title=case.plan.title,
        county_code=case.plan.county_code,
        approved_parts=approved,
        rejected_parts=len(case.parts) - approved,
        closed_at=at,
    )


def _withdrawn(case: Case, at: datetime, _: Details) -> Event:
    return intake.CaseWithdrawn(
        case_id=case.case_id, case_no=case.case_no or "", person_id=case.person_id, withdrawn_at=at
    )


def _rated(case: Case, at: datetime, details: Details) -> Event:
    assert details.rating is not None
    return intake.CaseRated(
        case_id=case.case_id,
        case_no=case.case_no or "",
        person_id=case.person_id,
        grade=details.rating.grade,
        rated_at=at,
    )


def _rectification(case: Case, at: datetime, details: Details) -> Event:
    assert details.order is not None
    return intake.RectificationOpened(
        case_id=case.case_id,
        case_no=case.case_no or "",
        person_id=case.person_id,
        order_id=details.order.order_id,
        contact_due=details.order.contact_due,
        rectify_due=details.order.rectify_due,
        opened_at=at,
    )


def _archived(case: Case, at: datetime, details: Details) -> Event:
    return intake.CaseArchived(
        case_id=case.case_id,
        case_no=case.case_no or "",
        package_sha256=details.package_sha256,
        archived_at=at,
    )


def _claimed(case: Case, part: Part, at: datetime) -> Event:
    return intake.PartClaimed(
        case_id=case.case_id,
        part_id=part.part_id,
        department_code=part.item.department_code,
        claimed_at=at,
    )


def _accepted(case: Case, part: Part, _: datetime) -> Event:
    assert part.accepted_at is not None
    assert part.promised is not None
    assert part.statutory is not None
    return intake.PartAccepted(
        case_id=case.case_id,
        case_no=case.case_no or "",
        part_id=part.part_id,
        person_id=case.person_id,
        item_name=part.item.item_name,
        department_code=part.item.department_code,
        accepted_at=part.accepted_at,
        promised_due=part.promised.due,
        statutory_due=part.statutory.due,
        calendar_version=part.promised.calendar_version,
        deemed=part.deemed,
    )


def _refused(case: Case, part: Part, at: datetime) -> Event:
    return intake.PartRefused(
        case_id=case.case_id,
        case_no=case.case_no or "",
        part_id=part.part_id,
        person_id=case.person_id,
        item_name=part.item.item_name,
        department_code=part.item.department_code,
        refused_at=at,
    )


def _supplement_requested(case: Case, part: Part, at: datetime) -> Event:
    return intake.SupplementRequested(
        case_id=case.case_id,
        case_no=case.case_no or "",
        part_id=part.part_id,
        person_id=case.person_id,
        item_name=part.item.item_name,
        department_code=part.item.department_code,
        defects=len(part.defects),
        requested_at=at,
    )


def _supplement_received(case: Case, part: Part, at: datetime) -> Event:
    return intake.SupplementReceived(
        case_id=case.case_id,
        case_no=case.case_no or "",
        part_id=part.part_id,
        person_id=case.person_id,
        department_code=part.item.department_code,
        received_at=at,
    )


def _reviewed(case: Case, part: Part, at: datetime) -> Event:
    return intake.PartReviewed(
        case_id=case.case_id,
        part_id=part.part_id,
        department_code=part.item.department_code,
        reviewed_at=at,
    )


def _decided(case: Case, part: Part, at: datetime) -> Event:
    return intake.PartDecided(
        case_id=case.case_id,
        case_no=case.case_no or "",
        part_id=part.part_id,
        person_id=case.person_id,
        item_code=part.item.item_code,
        item_name=part.item.item_name,
        county_code=part.item.county_code,
        department_code=part.item.department_code,
        approved=part.approved,
        licence_type_code=part.item.licence_type_code if part.approved else None,
        signatures=len(part.signatures),
        decided_at=at,
    )


def _completed(case: Case, part: Part, at: datetime) -> Event:
    licence = part.licence
    return intake.PartCompleted(
        case_id=case.case_id,
        case_no=case.case_no or "",
        part_id=part.part_id,
        person_id=case.person_id,
        item_name=part.item.item_name,
        department_code=part.item.department_code,
        licence_id=licence.licence_id if licence else None,
        licence_identifier=licence.identifier if licence else None,
        licence_name=licence.name if licence else None,
        completed_at=at,
    )


_CASE_EVENTS: dict[Step, Callable[[Case, datetime, Details], Event]] = {
    Step.SUBMITTED: _submitted,
    Step.CLOSED: _closed,
    Step.WITHDRAWN: _withdrawn,
    Step.RATED: _rated,
    Step.RECTIFICATION_OPENED: _rectification,
    Step.ARCHIVED: _archived,
}
_PART_EVENTS: dict[Step, Callable[[Case, Part, datetime], Event]] = {
    Step.CLAIMED: _claimed,
    Step.ACCEPTED: _accepted,
    Step.REFUSED: _refused,
    Step.SUPPLEMENT_REQUESTED: _supplement_requested,
    Step.SUPPLEMENT_RECEIVED: _supplement_received,
    Step.REVIEWED: _reviewed,
    Step.DECIDED: _decided,
    Step.COMPLETED: _completed,
}
