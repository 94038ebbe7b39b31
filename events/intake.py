"""Events of intake: persons and cases (办件). Keys: ``person_id`` and ``case_id``."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel

from chassis.event import Event, declared_event

CASE = "intake.case.v1"
PERSON = "intake.person.v1"


class PartRef(BaseModel, frozen=True):
    """The part of a case that one department handles; a value inside case events."""

    part_id: str
    item_code: str
    item_name: str
    county_code: str
    department_code: str
    promised_due: date | None = None
    statutory_due: date | None = None


@declared_event(PERSON, "person_id", public=True)
class PersonRegistered(Event):
    """A natural or legal person got a unified identity (统一身份)."""

    person_id: str
    kind: str
    registered_at: datetime


@declared_event(CASE, "case_id", public=True)
class CaseSubmitted(Event):
    """The applicant handed the case in; its parts are now with their departments."""

    case_id: str
    case_no: str
    person_id: str
    title: str
    county_code: str
    terminal_id: str | None
    submitted_at: datetime
    parts: list[PartRef]


@declared_event(CASE, "case_id", public=True)
class PartClaimed(Event):
    """A member of the department's staff took the part over."""

    case_id: str
    part_id: str
    department_code: str
    claimed_at: datetime


@declared_event(CASE, "case_id", public=True)
class PartAccepted(Event):
    """The department accepted its part (受理); both clocks run from the next working day."""

    case_id: str
    case_no: str
    part_id: str
    person_id: str
    item_name: str
    department_code: str
    accepted_at: datetime
    promised_due: date | None
    statutory_due: date | None
    calendar_version: str
    deemed: bool = False


@declared_event(CASE, "case_id", public=True)
class PartRefused(Event):
    """The department did not accept its part (不予受理)."""

    case_id: str
    case_no: str
    part_id: str
    person_id: str
    item_name: str
    department_code: str
    refused_at: datetime


@declared_event(CASE, "case_id", public=True)
class SupplementRequested(Event):
    """The department told, once and in full, what is missing (补正告知)."""

    case_id: str
    case_no: str
    part_id: str
    person_id: str
    item_name: str
    department_code: str
    defects: int
    requested_at: datetime


@declared_event(CASE, "case_id", public=True)
class SupplementReceived(Event):
    """The applicant handed in everything that was missing."""

    case_id: str
    case_no: str
    part_id: str
    person_id: str
    department_code: str
    received_at: datetime


@declared_event(CASE, "case_id", public=True)
class PartReviewed(Event):
    """The first of two signatures stands under the part."""

    case_id: str
    part_id: str
    department_code: str
    reviewed_at: datetime


@declared_event(CASE, "case_id", public=True)
class PartDecided(Event):
    """The last signature stands under the part: approved or rejected."""

    case_id: str
    case_no: str
    part_id: str
    person_id: str
    item_code: str
    item_name: str
    county_code: str
    department_code: str
    approved: bool
    licence_type_code: str | None
    signatures: int
    decided_at: datetime


@declared_event(CASE, "case_id", public=True)
class PartCompleted(Event):
    """The part has its result; for an approval with a licence, the licence is in force."""

    case_id: str
    case_no: str
    part_id: str
    person_id: str
    item_name: str
    department_code: str
    licence_id: str | None
    licence_identifier: str | None
    licence_name: str | None
    completed_at: datetime


@declared_event(CASE, "case_id", public=True)
class CaseClosed(Event):
    """Every part has its result (办结)."""

    case_id: str
    case_no: str
    person_id: str
    title: str
    county_code: str
    approved_parts: int
    rejected_parts: int
    closed_at: datetime


@declared_event(CASE, "case_id", public=True)
class CaseWithdrawn(Event):
    """The applicant withdrew the case before its decision."""

    case_id: str
    case_no: str
    person_id: str
    withdrawn_at: datetime


@declared_event(CASE, "case_id", public=True)
class CaseRated(Event):
    """The applicant rated the service (好差评), 1 to 5."""

    case_id: str
    case_no: str
    person_id: str
    grade: int
    rated_at: datetime


@declared_event(CASE, "case_id", public=True)
class RectificationOpened(Event):
    """A bad rating (差评) opened an order with a deadline to contact and one to mend."""

    case_id: str
    case_no: str
    person_id: str
    order_id: str
    contact_due: date | None
    rectify_due: date | None
    opened_at: datetime


@declared_event(CASE, "case_id", public=True)
class CaseArchived(Event):
    """The case's package was sealed into the archive (归档)."""

    case_id: str
    case_no: str
    package_sha256: str
    archived_at: datetime
