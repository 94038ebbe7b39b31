"""Archive 归档: what of a closed case goes into its package, as named entries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.deadlines import PartDeadline
from services.intake.domain.cases.materials import SupplyKind
from services.intake.domain.cases.part import Part
from services.intake.domain.cases.submission import handed_in, supply_record


def archive_entries(
    case: Case, applicant: Applicant | None, timeline: Sequence[dict[str, str]]
) -> dict[str, bytes]:
    """Return application, parts, notices, licence uses, receipt and timeline by their names in the package."""
    entries = {
        "application.json": {"applicant": _applicant(case, applicant), "handed_in": handed_in(case)},
        "licence_uses.json": _licence_uses(case),
        "timeline.json": list(timeline),
    }
    entries |= {f"parts/{part.part_id}.json": _part(case, part) for part in case.parts}
    entries |= {f"notices/{part.part_id}.json": _notices(part) for part in case.parts}
    written = {name: _json(value) for name, value in entries.items()}
    return written | {"receipt.jws": case.receipt.encode()}


def _applicant(case: Case, applicant: Applicant | None) -> dict[str, str]:
    known = {
        "person_id": case.person_id,
        "handled_by": case.handled_by,
        "terminal_id": case.terminal_id or "",
        "real_name_level": str(case.assurance),
    }
    if case.entrustment_id:
        known["entrustment_id"] = case.entrustment_id
    if applicant is None:
        return known
    return known | {
        "kind": applicant.kind,
        "name": applicant.name,
        "id_type_code": applicant.id_type_code,
        "id_number": applicant.id_number,
    }


def _part(case: Case, part: Part) -> dict[str, Any]:
    licence = part.licence
    return {
        "part_id": part.part_id,
        "project_no": part.project_no or "",
        "item_code": part.item.item_code,
        "item_name": part.item.item_name,
        "item_version": part.item.item_version,
        "department_code": part.item.department_code,
        "department_name": part.item.department_name,
        "state": part.state.value,
        "form": case.form_of(part),
        "materials": _materials(case, part),
        "submitted_at": _time(part.submitted_at),
        "accepted_at": _time(part.accepted_at),
        "deemed_accepted": part.deemed,
        "decided_at": _time(part.decided_at),
        "promised": _deadline(part.promised),
        "statutory": _deadline(part.statutory),
        "signatures": [
            {
                "staff_id": each.staff_id,
                "decision": each.decision.value,
                "opinion": each.opinion,
                "signed_at": _time(each.signed_at),
            }
            for each in part.signatures
        ],
        "licence": {"licence_id": licence.licence_id, "identifier": licence.identifier, "name": licence.name}
        if licence
        else {},
    }


def _materials(case: Case, part: Part) -> dict[str, Any]:
    """Return how each material was supplied to a part, with what its supplement changed."""
    found = {}
    for need in case.plan.needs:
        supplied = case.supply_of(part, need.material.code)
        if part.item.item_id in need.parts and supplied is not None:
            found[need.material.code] = supply_record(supplied)
    return found


def _notices(part: Part) -> dict[str, Any]:
    return {
        "acceptance": {"accepted_at": _time(part.accepted_at), "deemed": part.deemed},
        "refusal": {"reason": part.refusal_reason, "competent_authority": part.competent_authority},
        "supplement": {
            "requested_at": _time(part.supplement_requested_at),
            "defects": [
                {"target": each.target, "problem": each.problem, "remedy": each.remedy}
                for each in part.defects
            ],
        },
    }


def _licence_uses(case: Case) -> list[dict[str, str]]:
    uses = []
    for need in case.plan.needs:
        for part in case.parts:
            supplied = case.supply_of(part, need.material.code)
            wanted = part.item.item_id in need.parts
            if supplied is not None and wanted and supplied.kind is SupplyKind.LICENCE:
                uses.append(
                    {
                        "material_code": need.material.code,
                        "part_id": part.part_id,
                        "licence_id": supplied.licence_id,
                        "licence_type_code": supplied.licence_type_code,
                        "licence_county_code": supplied.licence_county_code,
                        "use_cause": part.use_cause,
                        "consent_version": supplied.consent_version,
                        "consent_id": supplied.consent_id,
                        "agreed_at": supplied.supplied_at.isoformat(),
                    }
                )
    return uses


def _deadline(deadline: PartDeadline | None) -> dict[str, str]:
    if deadline is None:
        return {}
    return {"due": _day(deadline.due), "calendar_version": deadline.calendar_version}


def _time(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _json(value: object) -> bytes:
    """Return readable JSON, the same for equal values."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1).encode()
