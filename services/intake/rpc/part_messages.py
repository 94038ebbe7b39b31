"""Parts as departments read them: from the domain to the messages of ``tongban.intake.v1``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import FIELD_MALFORMED, Violation
from chassis.rpc.moments import stamp
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.deadlines import PartDeadline
from services.intake.domain.cases.materials import Supplied, SupplyKind
from services.intake.domain.cases.part import Decision, Part
from services.intake.domain.cases.states import PartState
from services.intake.domain.catalogue.guide import MaterialNeed
from services.intake.usecases.cases.deciding import PartView, etag_of
from services.intake.usecases.cases.ports import PartChange, PartSummary
from tongban.intake.v1 import part_pb2 as pb

_SUPPLIES = {
    SupplyKind.LICENCE: pb.SUPPLY_LICENCE,
    SupplyKind.UPLOAD: pb.SUPPLY_UPLOAD,
    SupplyKind.PROMISE: pb.SUPPLY_PROMISE,
    SupplyKind.TOLERANCE: pb.SUPPLY_TOLERANCE,
}
_DECISIONS = {Decision.APPROVE: pb.DECISION_APPROVE, Decision.REJECT: pb.DECISION_REJECT}
_STATES: dict[int, PartState] = {
    pb.PartState.Value(f"PART_STATE_{state.name}"): state
    for state in PartState
    if state is not PartState.DRAFT
}
DECISIONS_READ = {wire: decision for decision, wire in _DECISIONS.items()}


def state_of(state: PartState) -> pb.PartState.ValueType:
    """Return the wire value of a state."""
    return pb.PartState.Value(f"PART_STATE_{state.name}")


def states_read(wire: Sequence[int]) -> tuple[list[PartState], list[Violation]]:
    """Return the states of wire values, and what is said of each value that is none."""
    wrong = [FIELD_MALFORMED.at(f"states[{i}]") for i, each in enumerate(wire) if each not in _STATES]
    return [_STATES[each] for each in wire if each in _STATES], wrong


def timestamp(moment: datetime | None) -> Timestamp | None:
    """Return the wire value of a time."""
    return None if moment is None else stamp(moment)


def part_message(view: PartView) -> pb.Part:
    """Return a part with everything needed to decide it."""
    case, part = view.case, view.part
    return pb.Part(
        part_id=part.part_id,
        case_id=case.case_id,
        case_no=case.case_no or "",
        project_no=part.project_no or "",
        item_code=part.item.item_code,
        item_name=part.item.item_name,
        county_code=part.item.county_code,
        department_code=part.item.department_code,
        state=state_of(part.state),
        etag=etag_of(part),
        applicant=_applicant(case, view.applicant),
        form=case.form_of(part),
        materials=[
            _material(case, part, need) for need in case.plan.needs if part.item.item_id in need.parts
        ],
        signatures=[
            pb.Signature(
                staff_id=each.staff_id,
                decision=_DECISIONS[each.decision],
                opinion=each.opinion,
                signed_at=timestamp(each.signed_at),
            )
            for each in part.signatures
        ],
        signatures_required=part.signatures_required,
        claimed_by=part.claimed_by or "",
        promised=deadline_message(part.promised),
        statutory=deadline_message(part.statutory),
        submitted_at=timestamp(part.submitted_at),
        accepted_at=timestamp(part.accepted_at),
        decided_at=timestamp(part.decided_at),
        licence_identifier=part.licence.identifier if part.licence else "",
        defects=[
            pb.Defect(target=each.target, problem=each.problem, remedy=each.remedy) for each in part.defects
        ],
    )


def summary_message(summary: PartSummary) -> pb.PartSummary:
    """Return one line of a department's list."""
    return pb.PartSummary(
        part_id=summary.part_id,
        case_id=summary.case_id,
        case_no=summary.case_no,
        item_code=summary.item_code,
        item_name=summary.item_name,
        state=state_of(summary.state),
        claimed_by=summary.claimed_by or "",
        promised=deadline_message(summary.promised),
        submitted_at=timestamp(summary.submitted_at),
    )


def change_message(change: PartChange) -> pb.PartChange:
    """Return one change for the pages."""
    return pb.PartChange(
        revision=change.revision,
        part_id=change.part_id,
        change=change.change,
        state=state_of(change.state),
        changed_at=timestamp(change.changed_at),
    )


def watch_message(change: PartChange) -> pb.WatchPartsResponse:
    """Return one change for the stream."""
    return pb.WatchPartsResponse(
        revision=change.revision,
        part_id=change.part_id,
        change=change.change,
        state=state_of(change.state),
        changed_at=timestamp(change.changed_at),
    )


def deadline_message(deadline: PartDeadline | None) -> pb.Deadline | None:
    """Return a deadline; its day is empty before acceptance and while the calendar is pending."""
    if deadline is None:
        return None
    return pb.Deadline(
        due_date=deadline.due.isoformat() if deadline.due else "",
        working_days=deadline.term.length,
        calendar_pending=deadline.calendar_pending,
        calendar_version=deadline.calendar_version,
    )


def _applicant(case: Case, applicant: Applicant | None) -> pb.Applicant | None:
    if applicant is None:
        return None
    return pb.Applicant(
        kind=applicant.kind,
        name=applicant.name,
        id_type_code=applicant.id_type_code,
        id_number=applicant.id_number,
        phone=applicant.phone,
        assurance=str(case.assurance),
    )


def _material(case: Case, part: Part, need: MaterialNeed) -> pb.Material:
    supplied = case.supply_of(part, need.material.code)
    message = pb.Material(
        material_code=need.material.code,
        name=need.material.name.zh,
        required=need.supplied_by is None,
        supply=pb.SUPPLY_MISSING if supplied is None else _SUPPLIES[supplied.kind],
    )
    if supplied is not None:
        _fill(message, part, supplied)
    return message


def _fill(message: pb.Material, part: Part, supplied: Supplied) -> None:
    code = supplied.use_code_for(part.part_id)
    message.use_code = code.use_code if code else ""
    message.use_cause = part.use_cause if code else ""
    message.licence_type_code = supplied.licence_type_code
    message.licence_issuer_name = supplied.licence_issuer_name
    message.licence_county_code = supplied.licence_county_code
    message.file_name = supplied.file_name
    message.media_type = supplied.media_type
    message.sha256 = supplied.sha256
    message.size_bytes = supplied.size_bytes
    message.due_date = supplied.due.isoformat() if supplied.due else ""
