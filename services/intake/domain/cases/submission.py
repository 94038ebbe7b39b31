"""Submitting: everything that stands against it at once, what was handed in, and the receipt."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from chassis.errors import Fault, Kind, Violation, declare
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.materials import Supplied, SupplyKind, allowed_supplies, in_words, usable_by
from services.intake.domain.cases.part import Part
from services.intake.domain.cases.plan import CasePlan
from services.intake.domain.catalogue.forms import check_form

MATERIAL_MISSING = declare(
    "MATERIAL_MISSING",
    Kind.INVALID_ARGUMENT,
    "缺少材料“{name}”，可选方式：{allowed_zh}",
    "Material {name_en} is missing; possible: {allowed}",
)
USE_CODE_MISSING = declare(
    "USE_CODE_MISSING",
    Kind.INVALID_ARGUMENT,
    "材料“{name}”的电子证照授权已失效，请重新选择",
    "The authorisation to use the licence for {name_en} is gone; choose it again",
)
RECEIPT_KIND = "receipt"


def problems(case: Case, now: datetime, lapsed: Collection[str] = ()) -> list[Violation]:
    """Return everything that stands against submitting: ``form.<code>`` and ``materials.<code>``.

    ``lapsed`` are materials whose use-codes went with the entrustment they were issued under.
    """
    found: list[Violation] = []
    try:
        check_form(case.plan.form, case.form)
    except Fault as fault:
        found += fault.violations
    for need in case.plan.needs:
        allowed = allowed_supplies(need)
        if need.supplied_by is not None:
            continue
        path, name = f"materials.{need.material.code}", need.material.name
        supplied = case.supplies.get(need.material.code)
        if supplied is None:
            found.append(MATERIAL_MISSING.at(path, name=name.zh, name_en=name.en, **in_words(allowed)))
        elif supplied.kind is SupplyKind.LICENCE and (
            need.material.code in lapsed or not _all_bound(case, need.parts, supplied, now)
        ):
            found.append(USE_CODE_MISSING.at(path, name=name.zh, name_en=name.en))
    return found


def cleaned_form(plan: CasePlan, values: dict[str, str]) -> dict[str, str]:
    """Return the form as it is handed in. Raises INVALID_REQUEST naming every wrong field."""
    return check_form(plan.form, values)


def handed_in(case: Case) -> dict[str, Any]:
    """Return what was handed in, as plain values; its digest stands in the receipt.

    The salt keeps anyone who only has the receipt from guessing short values from the digest.
    """
    return {
        "case_id": case.case_id,
        "person_id": case.person_id,
        "target": {"kind": case.plan.target_kind, "id": case.plan.target_id},
        "county_code": case.plan.county_code,
        "catalogue_version": case.plan.catalogue_version,
        "answers": dict(case.answers),
        "form": dict(case.form),
        "materials": {code: supply_record(supplied) for code, supplied in sorted(case.supplies.items())},
        "salt": case.salt,
    }


def receipt_document(case: Case, digest: str) -> dict[str, Any]:
    """Return the content of the receipt (收件凭证): no personal data, whole numbers and texts only."""
    if case.submitted_at is None or case.case_no is None:
        message = "a receipt needs a submitted case"
        raise ValueError(message)
    return {
        "case_id": case.case_id,
        "case_no": case.case_no,
        "title": case.plan.title,
        "county_code": case.plan.county_code,
        "terminal_id": case.terminal_id or "",
        "submitted_at": case.submitted_at.isoformat(),
        "handed_in_digest": digest,
        "parts": [_part_record(part) for part in case.parts],
    }


def _part_record(part: Part) -> dict[str, Any]:
    return {
        "part_id": part.part_id,
        "project_no": part.project_no or "",
        "item_code": part.item.item_code,
        "item_name": part.item.item_name,
        "department_code": part.item.department_code,
        "department_name": part.item.department_name,
        "promised": {"length": part.item.promised.length, "unit": part.item.promised.unit.value},
        "statutory": {"length": part.item.statutory.length, "unit": part.item.statutory.unit.value},
    }


def supply_record(supplied: Supplied) -> dict[str, Any]:
    """Return how a material was supplied, as plain values."""
    record: dict[str, Any] = {"kind": supplied.kind.value, "supplied_at": supplied.supplied_at.isoformat()}
    match supplied.kind:
        case SupplyKind.LICENCE:
            record |= {"licence_id": supplied.licence_id, "consent_version": supplied.consent_version}
            if supplied.consent_id:  # a case of a release before has none, and its digest stays
                record["consent_id"] = supplied.consent_id
            if supplied.entrustment_id:
                record["entrustment_id"] = supplied.entrustment_id
        case SupplyKind.UPLOAD:
            record |= {"sha256": supplied.sha256, "size_bytes": supplied.size_bytes}
        case _:
            record["due"] = supplied.due.isoformat() if supplied.due else ""
    return record


def _all_bound(case: Case, item_ids: tuple[str, ...], supplied: Supplied, now: datetime) -> bool:
    wanting = (part for part in case.parts if part.item.item_id in item_ids)
    return all(usable_by(supplied, part.part_id, now) for part in wanting)
