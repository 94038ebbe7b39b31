"""The departments' verbs. Every one checks that the part is theirs, the etag, and the member of staff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, Kind, Violation, declare, refuse
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import PART_NOT_FOUND, Case
from services.intake.domain.cases.materials import MATERIAL_UNKNOWN, Supplied, SupplyKind
from services.intake.domain.cases.part import (
    Decision,
    Defect,
    Part,
    Signature,
    defect_mistakes,
    refusal_mistakes,
    signature_mistakes,
)
from services.intake.domain.cases.states import PartState
from services.intake.domain.catalogue.model import Catalogue
from services.intake.domain.catalogue.places import StaffMember, StaffRole
from services.intake.usecases.cases.ports import Files, OpenWork, Work
from services.intake.usecases.cases.record import record

STAFF_UNKNOWN = declare(
    "STAFF_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "不是本部门登记的工作人员",
    "Not a registered member of staff of this department",
)
STAFF_MAY_NOT_SIGN = declare(
    "STAFF_MAY_NOT_SIGN",
    Kind.INVALID_ARGUMENT,
    "该岗位没有签批权限，请由审查人员或首席代表签批",
    "This post signs nothing; a reviewer or the chief representative does",
)
SIGNING_ROLES = frozenset({StaffRole.REVIEWER, StaffRole.CHIEF_REPRESENTATIVE})
MATERIAL_FILE_MISSING = declare(
    "MATERIAL_FILE_MISSING", Kind.NOT_FOUND, "该材料没有上传文件", "The material has no uploaded file"
)


@dataclass(frozen=True, slots=True)
class PartCommand:
    """Who changes which part, and the part's etag as the department last read it."""

    department_code: str
    part_id: str
    etag: str
    staff_id: str


@dataclass(frozen=True, slots=True)
class PartView:
    """A part with everything needed to decide it."""

    case: Case
    part: Part
    applicant: Applicant | None


def etag_of(part: Part) -> str:
    """Return the part's etag: its version, quoted."""
    return f'"{part.version}"'


async def get_part(work: Work, department_code: str, part_id: str) -> PartView:
    """Return a part of this department with the applicant in clear. Raises PART_NOT_FOUND."""
    case, part = await _load(work, department_code, part_id, lock=False)
    return PartView(case, part, await work.persons.load(case.person_id))


async def claim_part(work: Work, catalogue: Catalogue, command: PartCommand) -> PartView:
    """Note that a member of staff took the part over.

    Raises what `_open` raises, PART_CLAIMED_BY_OTHER, PART_STATE_WRONG.
    """
    case, part = await _open(work, catalogue, command)
    case.claim(part.part_id, command.staff_id, work.now())
    return await _close(work, case, part)


async def accept_part(work: Work, catalogue: Catalogue, command: PartCommand) -> PartView:
    """Accept the part (受理); both clocks run from the next day. Raises what `_open` raises, PART_STATE_WRONG."""
    case, part = await _open(work, catalogue, command)
    case.accept(part.part_id, work.now(), catalogue.calendar)
    return await _close(work, case, part)


async def refuse_part(
    work: Work, catalogue: Catalogue, command: PartCommand, reason: str, competent_authority: str
) -> PartView:
    """Do not accept the part (不予受理), with its reason. Raises what `_open` raises, PART_STATE_WRONG."""
    case, part = await _open(work, catalogue, command, refusal_mistakes(reason, competent_authority))
    case.refuse_part(part.part_id, reason, competent_authority, work.now())
    return await _close(work, case, part)


async def request_supplement(
    work: Work, catalogue: Catalogue, command: PartCommand, defects: tuple[Defect, ...]
) -> PartView:
    """Tell the applicant everything that is missing, once and in full (补正告知).

    Raises what `_open` raises, INVALID_REQUEST, SUPPLEMENT_ALREADY_REQUESTED, PART_STATE_WRONG.
    """
    case, part = await _open(work, catalogue, command, defect_mistakes(defects), defects=defects)
    case.request_supplement(part.part_id, defects, work.now())
    return await _close(work, case, part)


async def decide_part(
    work: Work, catalogue: Catalogue, command: PartCommand, decision: Decision | None, opinion: str
) -> PartView:
    """Put one signature under the part; the last one needed decides it.

    Reviewers and chief representatives sign, nobody else. Raises what `_open` raises, INVALID_REQUEST,
    SIGNED_ALREADY, PART_STATE_WRONG.
    """
    mistakes = signature_mistakes(decision, opinion)
    signer = _member(catalogue, command)
    if signer is not None and signer.role not in SIGNING_ROLES:
        mistakes = [*mistakes, STAFF_MAY_NOT_SIGN.at("staff_id")]
    case, part = await _open(work, catalogue, command, mistakes)
    assert decision is not None  # refused as required
    case.sign(part.part_id, Signature(command.staff_id, decision, opinion.strip(), work.now()))
    return await _close(work, case, part)


async def get_material_file(
    open_work: OpenWork, files: Files, department_code: str, part_id: str, material_code: str
) -> tuple[Supplied, bytes]:
    """Return an uploaded material of a part of this department.

    Raises PART_NOT_FOUND, MATERIAL_UNKNOWN, MATERIAL_FILE_MISSING.
    """
    async with open_work() as work:
        case, part = await _load(work, department_code, part_id, lock=False)
    need = case.plan.need(material_code)
    if need is None or part.item.item_id not in need.parts:
        raise MATERIAL_UNKNOWN(material=material_code)
    supplied = case.supply_of(part, material_code)
    if supplied is None or supplied.kind is not SupplyKind.UPLOAD:
        raise MATERIAL_FILE_MISSING()
    return supplied, await files.get(supplied.file_id)


async def _open(
    work: Work,
    catalogue: Catalogue,
    command: PartCommand,
    mistakes: Sequence[Violation] = (),
    *,
    defects: tuple[Defect, ...] = (),
) -> tuple[Case, Part]:
    """Return the locked case and part.

    Raises INVALID_REQUEST naming every wrong field (missing ones, STAFF_UNKNOWN, ``mistakes`` of the
    verb, defects of nothing the item has), PART_NOT_FOUND, ETAG_MISMATCH.
    """
    given = {"part_id": command.part_id, "etag": command.etag}
    problems = [FIELD_REQUIRED.at(name) for name, value in given.items() if not value]
    if _member(catalogue, command) is None:
        problems.append(STAFF_UNKNOWN.at("staff_id"))
    problems += mistakes
    if not command.part_id:
        refuse(problems)
    case, part = await _load(work, command.department_code, command.part_id, lock=True)
    refuse([*problems, *case.defect_target_mistakes(part, defects)])
    if command.etag != etag_of(part):
        raise ETAG_MISMATCH()
    return case, part


async def _load(work: Work, department_code: str, part_id: str, *, lock: bool) -> tuple[Case, Part]:
    case = await work.cases.load_by_part(part_id, lock=lock)
    if case is None:
        raise PART_NOT_FOUND()
    part = case.part(part_id)
    if part.item.department_code != department_code or part.state is PartState.DRAFT:
        raise PART_NOT_FOUND()
    return case, part


async def _close(work: Work, case: Case, part: Part) -> PartView:
    await record(work, case)
    return PartView(case, part, await work.persons.load(case.person_id))


def _member(catalogue: Catalogue, command: PartCommand) -> StaffMember | None:
    staff = (
        member
        for department in catalogue.departments.values()
        if department.uscc == command.department_code
        for member in department.staff
    )
    return next((member for member in staff if member.staff_id == command.staff_id), None)
