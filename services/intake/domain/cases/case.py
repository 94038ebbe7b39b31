"""The aggregate: a case with its parts. Its version counts what happened to it, one event each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chassis.errors import Kind, Violation, declare, refuse
from services.intake.domain.cases.materials import Supplied, SupplyKind, usable_by
from services.intake.domain.cases.part import (
    Decision,
    Defect,
    Part,
    ResultLicence,
    Signature,
    defect_mistakes,
)
from services.intake.domain.cases.plan import CasePlan
from services.intake.domain.cases.states import PartState
from services.intake.domain.catalogue.items import MaterialHolder
from standards.working_days import WorkingCalendar

CASE_NOT_FOUND = declare("CASE_NOT_FOUND", Kind.NOT_FOUND, "没有这个办件", "There is no such case")
PART_NOT_FOUND = declare("PART_NOT_FOUND", Kind.NOT_FOUND, "没有这个办件分项", "There is no such part")
CASE_ALREADY_SUBMITTED = declare(
    "CASE_ALREADY_SUBMITTED",
    Kind.FAILED_PRECONDITION,
    "该办件已提交，办件编号 {case_no}",
    "The case was submitted already, number {case_no}",
)
CASE_NOT_SUBMITTED = declare(
    "CASE_NOT_SUBMITTED", Kind.FAILED_PRECONDITION, "办件尚未提交", "The case is not submitted yet"
)
CASE_NOT_EDITABLE = declare(
    "CASE_NOT_EDITABLE",
    Kind.FAILED_PRECONDITION,
    "办件已提交，目前不能修改",
    "The case is with its departments and cannot be changed now",
)
WITHDRAWAL_TOO_LATE = declare(
    "WITHDRAWAL_TOO_LATE",
    Kind.FAILED_PRECONDITION,
    "已有部门作出决定，不能撤回",
    "A department has decided already; the case cannot be withdrawn",
)
DEFECT_TARGET_UNKNOWN = declare(
    "DEFECT_TARGET_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "不是该事项的材料或填写项",
    "Neither a material nor a form field of this item",
)
NO_SUPPLEMENT_ASKED = declare(
    "NO_SUPPLEMENT_ASKED", Kind.FAILED_PRECONDITION, "目前没有需要补正的内容", "Nothing is to be supplemented"
)
SUPPLEMENT_INCOMPLETE = declare(
    "SUPPLEMENT_INCOMPLETE",
    Kind.INVALID_ARGUMENT,
    "请补正：{problem}",
    "Still to be supplemented: {problem}",
)


class CaseState(StrEnum):
    """Where the case as a whole stands; derived from its parts."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    SUPPLEMENT = "supplement"
    IN_PROGRESS = "in_progress"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Step(StrEnum):
    """What can happen to a case; each is one event and one version."""

    SUBMITTED = "submitted"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    SUPPLEMENT_REQUESTED = "supplement_requested"
    SUPPLEMENT_RECEIVED = "supplement_received"
    REVIEWED = "reviewed"
    DECIDED = "decided"
    COMPLETED = "completed"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    RATED = "rated"
    RECTIFICATION_OPENED = "rectification_opened"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Happened:
    """One step since the case was loaded; ``part_id`` is None for steps of the whole case."""

    version: int
    step: Step
    at: datetime
    part_id: str | None = None


@dataclass(slots=True)
class Case:
    """A case (办件): one application for an item or a bundle, with a part for each item."""

    case_id: str
    person_id: str
    plan: CasePlan
    parts: list[Part]
    created_at: datetime
    handled_by: str = ""
    """The natural person who acts (经办人): the applicant, or who represents the applying organisation."""
    entrustment_id: str = ""
    """Of the applicant, under which an agent of theirs began it; empty for who began it themselves."""
    terminal_id: str | None = None
    assurance: int = 1
    """Real-name level at the log-in that began the case."""
    answers: Mapping[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict)
    supplies: dict[str, Supplied] = field(default_factory=dict)
    staged_form: dict[str, str] = field(default_factory=dict)
    staged_supplies: dict[str, Supplied] = field(default_factory=dict)
    """What the applicant has put together for a supplement that is not handed in yet."""
    part_form: dict[str, dict[str, str]] = field(default_factory=dict)
    part_supplies: dict[str, dict[str, Supplied]] = field(default_factory=dict)
    """By part id: what a supplement changed for that part only; other parts keep what they reviewed."""
    version: int = 0
    case_no: str | None = None
    submitted_at: datetime | None = None
    withdrawn_at: datetime | None = None
    closed_at: datetime | None = None
    archived_at: datetime | None = None
    rated_at: datetime | None = None
    salt: str = ""
    digest: str = ""
    receipt: str = ""
    happened: list[Happened] = field(default_factory=list)

    @property
    def state(self) -> CaseState:
        """Where the case stands."""
        if self.submitted_at is None:
            return CaseState.DRAFT
        if self.withdrawn_at is not None:
            return CaseState.WITHDRAWN
        states = {part.state for part in self.parts}
        if all(state.has_result for state in states):
            return CaseState.CLOSED
        if PartState.SUPPLEMENT in states:
            return CaseState.SUPPLEMENT
        return CaseState.SUBMITTED if states == {PartState.SUBMITTED} else CaseState.IN_PROGRESS

    def part(self, part_id: str) -> Part:
        """Return one part. Raises PART_NOT_FOUND."""
        for part in self.parts:
            if part.part_id == part_id:
                return part
        raise PART_NOT_FOUND()

    def submit(self, case_no: str, project_no: Callable[[Part], str], now: datetime) -> None:
        """Hand the case in. What stands against it was asked before (`submission.problems`).

        Raises CASE_ALREADY_SUBMITTED with the case's number.
        """
        if self.submitted_at is not None:
            raise CASE_ALREADY_SUBMITTED(case_no=self.case_no)
        for part in self.parts:
            part.submit(project_no(part), now)
        self.case_no, self.submitted_at = case_no, now
        self._record(Step.SUBMITTED, now)

    def claim(self, part_id: str, staff_id: str, now: datetime) -> None:
        """Note who holds a part; nothing happens when that is so already."""
        if self.part(part_id).claim(staff_id):
            self._record(Step.CLAIMED, now, part_id)

    def accept(self, part_id: str, now: datetime, calendar: WorkingCalendar) -> None:
        """Accept a part (受理); both clocks start the day after."""
        self.part(part_id).accept(now, calendar)
        self._record(Step.ACCEPTED, now, part_id)

    def deem_accepted(self, part_id: str, now: datetime, calendar: WorkingCalendar) -> None:
        """Accept a part from the day of receipt because its department stayed silent (许可法 32 (4))."""
        part = self.part(part_id)
        part.accept(part.received_at or now, calendar, deemed=True)
        self._record(Step.ACCEPTED, now, part_id)

    def refuse_part(self, part_id: str, reason: str, competent_authority: str, now: datetime) -> None:
        """Do not accept a part (不予受理); it has its result."""
        self.part(part_id).refuse(reason, competent_authority, now)
        self._record(Step.REFUSED, now, part_id)
        self._close_when_done(now)

    def request_supplement(self, part_id: str, defects: tuple[Defect, ...], now: datetime) -> None:
        """Tell all defects of a part at once; each names a material or form field of its item.

        Raises INVALID_REQUEST naming every unusable defect, and what `Part.request_supplement` raises.
        """
        part = self.part(part_id)
        refuse([*defect_mistakes(defects), *self.defect_target_mistakes(part, defects)])
        part.request_supplement(defects, now)
        self._record(Step.SUPPLEMENT_REQUESTED, now, part_id)

    def defect_target_mistakes(self, part: Part, defects: tuple[Defect, ...]) -> list[Violation]:
        """Return which defects name nothing that a part's item has; an empty target is another mistake."""
        known = {need.material.code for need in self.plan.needs if part.item.item_id in need.parts}
        known |= set(part.item.form_codes)
        return [
            DEFECT_TARGET_UNKNOWN.at(f"defects[{index}].target")
            for index, defect in enumerate(defects)
            if defect.target.strip() and defect.target not in known
        ]

    def answer_supplement(self, now: datetime) -> None:
        """Put every part that asked before its department again, with everything it asked for.

        Raises NO_SUPPLEMENT_ASKED, and INVALID_REQUEST naming everything still missing as
        ``supplements.<target>``; nothing changes then.
        """
        asking = self.parts_in_supplement()
        if not asking:
            raise NO_SUPPLEMENT_ASKED()
        refuse(
            SUPPLEMENT_INCOMPLETE.at(f"supplements.{defect.target}", problem=defect.problem)
            for part in asking
            for defect in part.defects
            if defect.target not in self._given_to(part, now)
        )
        for part in asking:
            self._apply_staged(part, now)
            part.answer_supplement(now)
            self._record(Step.SUPPLEMENT_RECEIVED, now, part.part_id)
        self.staged_form, self.staged_supplies = {}, {}

    def sign(self, part_id: str, signature: Signature) -> None:
        """Put one signature under a part; the last one needed decides it.

        An approval that produces no licence has its result at once.
        """
        part, now = self.part(part_id), signature.signed_at
        part.sign(signature)
        self._record(Step.DECIDED if part.state.decided else Step.REVIEWED, now, part_id)
        if part.state is PartState.APPROVED and part.item.product is None:
            part.complete(now, None)
            self._record(Step.COMPLETED, now, part_id)
        self._close_when_done(now)

    def record_licence(self, part_id: str, licence: ResultLicence, now: datetime) -> bool:
        """Note that the licence of an approved part is in force; return False when that is known already."""
        part = self.part(part_id)
        if part.licence is not None and part.licence.licence_id == licence.licence_id:
            return False
        part.complete(now, licence)
        self._record(Step.COMPLETED, now, part_id)
        self._close_when_done(now)
        return True

    def withdraw(self, now: datetime) -> bool:
        """Withdraw the case before any decision; return False when it is withdrawn already.

        Raises CASE_NOT_SUBMITTED, WITHDRAWAL_TOO_LATE.
        """
        self.require_submitted()
        if self.withdrawn_at is not None:
            return False
        if any(part.state.decided for part in self.parts):
            raise WITHDRAWAL_TOO_LATE()
        for part in self.parts:
            part.withdraw(now)
        self.withdrawn_at = now
        self._record(Step.WITHDRAWN, now)
        return True

    def require_submitted(self) -> None:
        """Raise CASE_NOT_SUBMITTED for a draft."""
        if self.submitted_at is None:
            raise CASE_NOT_SUBMITTED()

    def parts_in_supplement(self) -> tuple[Part, ...]:
        """Return the parts that wait for the applicant."""
        return tuple(part for part in self.parts if part.state is PartState.SUPPLEMENT)

    @property
    def editable(self) -> bool:
        """Whether anything may be supplied now."""
        return self.state is CaseState.DRAFT or bool(self.parts_in_supplement())

    def editable_parts(self) -> tuple[Part, ...]:
        """Return the parts whose material and form may be changed now.

        All of a draft, else those that asked for a supplement. Raises CASE_NOT_EDITABLE for none.
        """
        parts = tuple(self.parts) if self.state is CaseState.DRAFT else self.parts_in_supplement()
        if not parts:
            raise CASE_NOT_EDITABLE()
        return parts

    def put_supply(self, material_code: str, supplied: Supplied) -> None:
        """Take a material in, for the draft or for the supplement being put together."""
        self.editable_parts()
        target = self.supplies if self.state is CaseState.DRAFT else self.staged_supplies
        target[material_code] = supplied

    def put_form(self, values: Mapping[str, str]) -> None:
        """Replace the draft's form, or add to the supplement being put together.

        A draft that names another organisation than before loses the licences of the former one: who
        represents that one agreed to their use, for its own application.
        """
        self.editable_parts()
        if self.state is CaseState.DRAFT:
            if self.plan.named_business(self.form) != self.plan.named_business(values):
                self._drop_business_licences()
            self.form = dict(values)
        else:
            self.staged_form |= values

    def form_of(self, part: Part) -> dict[str, str]:
        """Return the form as one department sees it: only the fields of its item."""
        whole = self.form | self.part_form.get(part.part_id, {})
        return {code: whole[code] for code in part.item.form_codes if code in whole}

    def supply_of(self, part: Part, material_code: str) -> Supplied | None:
        """Return how a material was supplied to one part."""
        own = self.part_supplies.get(part.part_id, {}).get(material_code)
        return own or self.supplies.get(material_code)

    def record(self, step: Step, at: datetime) -> None:
        """Record a step of the whole case that another noun decides: rated, archived."""
        self._record(step, at)

    def _drop_business_licences(self) -> None:
        for need in self.plan.needs:
            supplied = self.supplies.get(need.material.code)
            if supplied is None or supplied.kind is not SupplyKind.LICENCE:
                continue
            if need.material.holder is MaterialHolder.BUSINESS:
                del self.supplies[need.material.code]

    def _given_to(self, part: Part, now: datetime) -> set[str]:
        """Return what is put together and of use to a part: a licence only with a use-code for it."""
        supplies = (code for code, each in self.staged_supplies.items() if usable_by(each, part.part_id, now))
        return {*self.staged_form, *supplies}

    def _apply_staged(self, part: Part, now: datetime) -> None:
        """Change what one part sees; a licence chosen before the part asked leaves what it has."""
        codes = {need.material.code for need in self.plan.needs if part.item.item_id in need.parts}
        supplies = {
            code: each
            for code, each in self.staged_supplies.items()
            if code in codes and usable_by(each, part.part_id, now)
        }
        form = {code: each for code, each in self.staged_form.items() if code in part.item.form_codes}
        self.part_supplies.setdefault(part.part_id, {}).update(supplies)
        self.part_form.setdefault(part.part_id, {}).update(form)

    def _close_when_done(self, now: datetime) -> None:
        if self.closed_at is None and self.state is CaseState.CLOSED:
            self.closed_at = now
            self._record(Step.CLOSED, now)

    def _record(self, step: Step, at: datetime, part_id: str | None = None) -> None:
        self.version += 1
        self.happened.append(Happened(self.version, step, at, part_id))


def approved_parts(case: Case) -> int:
    """Return how many parts were approved."""
    return sum(part.approved for part in case.parts)


__all__ = ["Case", "CaseState", "Decision", "Happened", "Step", "approved_parts"]
