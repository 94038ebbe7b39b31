"""Rows of cases, parts and signatures, from and to the aggregate."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Record

from chassis.fields import FieldCipher
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.deadlines import PartDeadline
from services.intake.domain.cases.part import Decision, Part, ResultLicence, Signature
from services.intake.domain.cases.plan import CasePlan, ItemPlan
from services.intake.domain.cases.states import PartState
from services.intake.store.case_content import (
    OPINION_FIELD,
    open_content,
    open_texts,
    seal_content,
    seal_texts,
)
from services.intake.store.coded import SIGNATURE

CASE_COLUMNS = (
    "case_id, person_id, handled_by, version, plan_digest, case_no, terminal_id, assurance, content, digest, receipt, "
    "created_at, submitted_at, withdrawn_at, closed_at, archived_at, rated_at, entrustment_id"
)
PART_COLUMNS = (
    "part_id, position, state, version, project_no, claimed_by, promised_due, promised_pending, "
    "statutory_due, statutory_pending, calendar_version, received_at, submitted_at, accepted_at, deemed, "
    "supplement_requested_at, decided_at, completed_at, licence_id, licence_identifier, licence_name, texts"
)
SIGNATURE_COLUMNS = "part_id, position, staff_id, decision, opinion, signed_at, mac"


def case_of(
    cipher: FieldCipher, row: Record, plan: CasePlan, parts: Sequence[Record], signatures: Sequence[Record]
) -> Case:
    """Return the aggregate of its rows; parts in the order of their position."""
    content = open_content(cipher, row["content"])
    return Case(
        case_id=row["case_id"],
        person_id=row["person_id"],
        plan=plan,
        parts=[
            _part_of(cipher, part, plan.items[part["position"]], signatures)
            for part in sorted(parts, key=lambda each: each["position"])
        ],
        created_at=row["created_at"],
        handled_by=row["handled_by"],
        entrustment_id=str(row["entrustment_id"] or ""),
        terminal_id=row["terminal_id"],
        assurance=row["assurance"],
        answers=content.answers,
        form=content.form,
        supplies=content.supplies,
        staged_form=content.staged_form,
        staged_supplies=content.staged_supplies,
        part_form=content.part_form,
        part_supplies=content.part_supplies,
        version=row["version"],
        case_no=row["case_no"],
        submitted_at=row["submitted_at"],
        withdrawn_at=row["withdrawn_at"],
        closed_at=row["closed_at"],
        archived_at=row["archived_at"],
        rated_at=row["rated_at"],
        salt=content.salt,
        digest=row["digest"],
        receipt=row["receipt"],
    )


def case_values(cipher: FieldCipher, case: Case, plan_digest: str) -> tuple[Any, ...]:
    """Return the values of a case's row, in the order of the statements that write it."""
    return (
        case.case_id,
        case.person_id,
        case.version,
        case.state.value,
        case.case_no,
        case.plan.title,
        case.plan.county_code,
        case.plan.target_kind,
        case.plan.target_id,
        plan_digest,
        case.terminal_id,
        case.assurance,
        seal_content(cipher, case),
        case.digest,
        case.receipt,
        case.created_at,
        case.submitted_at,
        case.withdrawn_at,
        case.closed_at,
        case.archived_at,
        case.rated_at,
        case.handled_by,
        UUID(case.entrustment_id) if case.entrustment_id else None,
    )


def part_values(
    cipher: FieldCipher, case: Case, position: int, part: Part, changed_at: datetime
) -> tuple[Any, ...]:
    """Return the values of a part's row, in the order of the statement that writes it."""
    promised, statutory = part.promised, part.statutory
    return (
        part.part_id,
        case.case_id,
        position,
        part.item.department_code,
        part.item.item_code,
        part.state.value,
        part.version,
        part.project_no,
        part.claimed_by,
        promised.due if promised else None,
        bool(promised and promised.calendar_pending),
        statutory.due if statutory else None,
        bool(statutory and statutory.calendar_pending),
        promised.calendar_version if promised else "",
        part.received_at,
        part.submitted_at,
        part.accepted_at,
        part.deemed,
        part.supplement_requested_at,
        part.decided_at,
        part.completed_at,
        part.licence.licence_id if part.licence else None,
        part.licence.identifier if part.licence else None,
        part.licence.name if part.licence else None,
        seal_texts(cipher, part),
        changed_at,
    )


def signature_values(cipher: FieldCipher, part: Part) -> list[tuple[Any, ...]]:
    """Return the values of all signatures of a part, numbered from 1."""
    return [
        _signature_row(cipher, part.part_id, at, each) for at, each in enumerate(part.signatures, start=1)
    ]


def _signature_row(
    cipher: FieldCipher, part_id: str, position: int, signature: Signature
) -> tuple[object, ...]:
    values = (part_id, position, signature.staff_id, signature.decision.value, signature.signed_at)
    opinion = cipher.encrypt(signature.opinion, field=OPINION_FIELD)
    *known, signed_at, code = SIGNATURE.coded(cipher, values)
    return *known, opinion, signed_at, code


def _part_of(cipher: FieldCipher, row: Record, item: ItemPlan, signatures: Sequence[Record]) -> Part:
    texts = open_texts(cipher, row["texts"])
    submitted = row["submitted_at"] is not None
    version = row["calendar_version"]
    promised = PartDeadline(item.promised, row["promised_due"], row["promised_pending"], version)
    statutory = PartDeadline(item.statutory, row["statutory_due"], row["statutory_pending"], version)
    return Part(
        part_id=row["part_id"],
        item=item,
        state=PartState(row["state"]),
        version=row["version"],
        project_no=row["project_no"],
        claimed_by=row["claimed_by"],
        promised=promised if submitted else None,
        statutory=statutory if submitted else None,
        received_at=row["received_at"],
        submitted_at=row["submitted_at"],
        accepted_at=row["accepted_at"],
        deemed=row["deemed"],
        supplement_requested_at=row["supplement_requested_at"],
        decided_at=row["decided_at"],
        completed_at=row["completed_at"],
        defects=texts.defects,
        signatures=tuple(
            _signature_of(cipher, each) for each in signatures if each["part_id"] == row["part_id"]
        ),
        refusal_reason=texts.refusal_reason,
        competent_authority=texts.competent_authority,
        licence=ResultLicence(row["licence_id"], row["licence_identifier"], row["licence_name"])
        if row["licence_id"]
        else None,
    )


def _signature_of(cipher: FieldCipher, row: Record) -> Signature:
    SIGNATURE.check(cipher, row)
    opinion = cipher.decrypt(row["opinion"], field=OPINION_FIELD)
    return Signature(row["staff_id"], Decision(row["decision"]), opinion, row["signed_at"])
