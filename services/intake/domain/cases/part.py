"""One service item of a case, handled by one department, and what may happen to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Kind, Violation, declare, refuse
from services.intake.domain.cases.deadlines import PartDeadline, deadline
from services.intake.domain.cases.plan import ItemPlan
from services.intake.domain.cases.states import TRANSITIONS, PartState, PartVerb, require_allowed
from standards.working_days import WorkingCalendar

MAX_SIGNATURES = 2
TEXT_LIMIT = 2_000
MAX_DEFECTS = 100

SIGNED_ALREADY = declare(
    "SIGNED_ALREADY",
    Kind.FAILED_PRECONDITION,
    "同一人员不能重复签批",
    "The same member of staff cannot sign twice",
)
SUPPLEMENT_ALREADY_REQUESTED = declare(
    "SUPPLEMENT_ALREADY_REQUESTED",
    Kind.FAILED_PRECONDITION,
    "补正内容须一次性告知，本件已告知过（行政许可法第三十二条）",
    "What is missing is told once and in full; it was told already",
)
PART_CLAIMED_BY_OTHER = declare(
    "PART_CLAIMED_BY_OTHER",
    Kind.FAILED_PRECONDITION,
    "该件已由其他工作人员承办",
    "Another member of staff has taken the part over",
)
OPINION_REQUIRED = declare(
    "OPINION_REQUIRED",
    Kind.INVALID_ARGUMENT,
    "不予许可须说明理由（行政许可法第三十八条）",
    "A rejection needs its reasons",
)


class Decision(StrEnum):
    """What one signature says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Signature:
    """One member of staff's word under the part (签批)."""

    staff_id: str
    decision: Decision
    opinion: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class Defect:
    """One thing that is missing or wrong: a material code or form field, what is wrong, what to do."""

    target: str
    problem: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class ResultLicence:
    """The licence an approval produced (结果证照)."""

    licence_id: str
    identifier: str
    name: str


@dataclass(slots=True)
class Part:
    """A part (办件分项): one service item of a case, decided by one department."""

    part_id: str
    item: ItemPlan
    state: PartState = PartState.DRAFT
    version: int = 0
    """One step per change; the etag departments work with."""
    project_no: str | None = None
    claimed_by: str | None = None
    promised: PartDeadline | None = None
    statutory: PartDeadline | None = None
    received_at: datetime | None = None
    """When the part was last handed in completely: at submission, or with the supplement."""
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    deemed: bool = False
    supplement_requested_at: datetime | None = None
    decided_at: datetime | None = None
    completed_at: datetime | None = None
    defects: tuple[Defect, ...] = ()
    signatures: tuple[Signature, ...] = ()
    refusal_reason: str = ""
    competent_authority: str = ""
    licence: ResultLicence | None = None

    def submit(self, project_no: str, now: datetime) -> None:
        """Hand the part in to its department. Raises PART_STATE_WRONG."""
        self._step(PartVerb.SUBMIT, PartState.SUBMITTED)
        self.project_no = project_no
        self.submitted_at = self.received_at = now
        self.promised = PartDeadline(self.item.promised)
        self.statutory = PartDeadline(self.item.statutory)

    def claim(self, staff_id: str) -> bool:
        """Note who holds the part; return False when that is so already.

        Raises PART_STATE_WRONG, PART_CLAIMED_BY_OTHER.
        """
        require_allowed(PartVerb.CLAIM, self.state)
        if self.claimed_by == staff_id:
            return False
        if self.claimed_by is not None:
            raise PART_CLAIMED_BY_OTHER()
        self._step(PartVerb.CLAIM, self.state)
        self.claimed_by = staff_id
        return True

    def accept(self, accepted_at: datetime, calendar: WorkingCalendar, *, deemed: bool = False) -> None:
        """Start both clocks on the day after acceptance (民法典 201). Raises PART_STATE_WRONG."""
        self._step(PartVerb.ACCEPT, PartState.ACCEPTED)
        self.accepted_at, self.deemed = accepted_at, deemed
        self.promised = deadline(calendar, accepted_at, self.item.promised)
        self.statutory = deadline(calendar, accepted_at, self.item.statutory)

    def refuse(self, reason: str, competent_authority: str, now: datetime) -> None:
        """End the part without acceptance (许可法 32 (1), (2)). Raises INVALID_REQUEST, PART_STATE_WRONG."""
        refuse(refusal_mistakes(reason, competent_authority))
        self._step(PartVerb.REFUSE, PartState.REFUSED)
        self.refusal_reason, self.competent_authority = reason.strip(), competent_authority.strip()
        self.decided_at = self.completed_at = now

    def request_supplement(self, defects: tuple[Defect, ...], now: datetime) -> None:
        """Tell everything that is missing, once and in full (许可法 32 (4)).

        Raises INVALID_REQUEST naming every unusable defect, SUPPLEMENT_ALREADY_REQUESTED, PART_STATE_WRONG.
        """
        refuse(defect_mistakes(defects))
        require_allowed(PartVerb.REQUEST_SUPPLEMENT, self.state)
        if self.supplement_requested_at is not None:
            raise SUPPLEMENT_ALREADY_REQUESTED()
        self._step(PartVerb.REQUEST_SUPPLEMENT, PartState.SUPPLEMENT)
        self.defects, self.supplement_requested_at = defects, now

    def answer_supplement(self, now: datetime) -> None:
        """Put the part before its department again, with everything it asked for. Raises PART_STATE_WRONG."""
        self._step(PartVerb.ANSWER_SUPPLEMENT, PartState.SUBMITTED)
        self.received_at = now

    def sign(self, signature: Signature) -> None:
        """Put one signature under the part; the last one needed decides it.

        Raises INVALID_REQUEST for a rejection without reasons, SIGNED_ALREADY, PART_STATE_WRONG.
        """
        refuse(signature_mistakes(signature.decision, signature.opinion))
        require_allowed(PartVerb.SIGN, self.state)
        if any(earlier.staff_id == signature.staff_id for earlier in self.signatures):
            raise SIGNED_ALREADY()
        last = len(self.signatures) + 1 >= self.signatures_required
        target = _RESULT[signature.decision] if last else PartState.REVIEWED
        self._step(PartVerb.SIGN, target)
        self.signatures = (*self.signatures, signature)
        if last:
            self.decided_at = signature.signed_at
            if target is PartState.REJECTED:
                self.completed_at = signature.signed_at

    def load_calendar(self, calendar: WorkingCalendar) -> bool:
        """Compute deadlines that waited for a calendar year; return whether one is known now."""
        if self.accepted_at is None or self.state.decided:
            return False
        promised = deadline(calendar, self.accepted_at, self.item.promised)
        statutory = deadline(calendar, self.accepted_at, self.item.statutory)
        before = [each is not None and each.calendar_pending for each in (self.promised, self.statutory)]
        if before == [promised.calendar_pending, statutory.calendar_pending]:
            return False
        self.promised, self.statutory = promised, statutory
        self.version += 1
        return True

    def complete(self, now: datetime, licence: ResultLicence | None) -> None:
        """Note the result of an approval. Raises PART_STATE_WRONG."""
        self._step(PartVerb.COMPLETE, PartState.COMPLETED)
        self.completed_at, self.licence = now, licence

    def withdraw(self, now: datetime) -> None:
        """End the part on the applicant's wish. Raises PART_STATE_WRONG once it is decided."""
        self._step(PartVerb.WITHDRAW, PartState.WITHDRAWN)
        self.completed_at = now

    @property
    def use_cause(self) -> str:
        """The purpose (用证事由) its use-codes are bound to; the department states the same."""
        return f"办理{self.item.item_name}"

    @property
    def signatures_required(self) -> int:
        """One or two, as the item says; never more."""
        return min(self.item.signatures_required, MAX_SIGNATURES)

    @property
    def approved(self) -> bool:
        """Whether the department said yes."""
        return self.state in {PartState.APPROVED, PartState.COMPLETED}

    def _step(self, verb: PartVerb, target: PartState) -> None:
        require_allowed(verb, self.state)
        if target not in TRANSITIONS[verb][self.state]:
            message = f"{verb} may not lead from {self.state} to {target}"
            raise AssertionError(message)
        self.state = target
        self.version += 1


_RESULT = {Decision.APPROVE: PartState.APPROVED, Decision.REJECT: PartState.REJECTED}


def refusal_mistakes(reason: str, competent_authority: str) -> list[Violation]:
    """Return what is wrong with the words of a refusal to accept (不予受理)."""
    return _text("reason", reason, required=True) + _text("competent_authority", competent_authority)


def signature_mistakes(decision: Decision | None, opinion: str) -> list[Violation]:
    """Return what is wrong with a signature: no decision, a rejection without reasons, too many words."""
    found = [] if decision else [FIELD_REQUIRED.at("decision")]
    found += _text("opinion", opinion)
    if decision is Decision.REJECT and not opinion.strip():
        found.append(OPINION_REQUIRED.at("opinion"))
    return found


def defect_mistakes(defects: tuple[Defect, ...]) -> list[Violation]:
    """Return what is wrong with the defects told to an applicant, each empty or too long text."""
    if not defects:
        return [FIELD_REQUIRED.at("defects")]
    if len(defects) > MAX_DEFECTS:
        return [FIELD_TOO_LONG.at("defects", limit=MAX_DEFECTS)]
    problems: list[Violation] = []
    for index, defect in enumerate(defects):
        problems += _text(f"defects[{index}].target", defect.target, required=True)
        problems += _text(f"defects[{index}].problem", defect.problem, required=True)
        problems += _text(f"defects[{index}].remedy", defect.remedy)
    return problems


def _text(path: str, value: str, *, required: bool = False) -> list[Violation]:
    if required and not value.strip():
        return [FIELD_REQUIRED.at(path)]
    return [FIELD_TOO_LONG.at(path, limit=TEXT_LIMIT)] if len(value) > TEXT_LIMIT else []
