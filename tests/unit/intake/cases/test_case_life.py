"""No path through a case breaks its rules: signatures, decided parts, closing, version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.errors import Fault
from services.intake.catalogue_files import load_catalogue
from services.intake.domain.cases.case import Case, CaseState, Step
from services.intake.domain.cases.materials import Supplied, SupplyKind
from services.intake.domain.cases.part import Decision, Defect, Part, ResultLicence, Signature
from services.intake.domain.cases.plan import plan_case
from services.intake.domain.cases.states import PartState
from services.intake.usecases.cases.announce import Details, changes_of, entry_of, event_of

CATALOGUE = load_catalogue(Path(__file__).parents[4] / "catalogue")
START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
BUNDLE = CATALOGUE.bundles["open-restaurant"]
ANSWERS = {each.question_id: each.answers[0].value for each in BUNDLE.questions}
PLAN = plan_case(CATALOGUE, "bundle", "open-restaurant", "361123", ANSWERS)
PARTS = st.integers(0, len(PLAN.items) - 1)
STAFF = st.sampled_from(["A", "B", "C"])
DECISIONS = st.sampled_from(list(Decision))


def new_case() -> Case:
    parts = [Part(f"part-{at}", item) for at, item in enumerate(PLAN.items)]
    return Case("case", "person", PLAN, parts, START, handled_by="person", answers=ANSWERS)


class CaseLife(RuleBasedStateMachine):
    """Every verb at any time; refusals change nothing."""

    @initialize()
    def begin(self) -> None:
        self.case, self.now = new_case(), START
        self.events = 0
        self.settled: dict[str, tuple[object, ...]] = {}

    def attempt(self, verb: object, *arguments: object) -> None:
        self.now += timedelta(hours=1)
        before = self.picture()
        try:
            verb(*arguments)
        except Fault:
            assert self.picture() == before
            return
        for step in self.case.happened:
            event = event_of(self.case, step, Details())
            assert event.aggregate_id == "case"
            assert entry_of(self.case, step).case_id == "case"
            changes_of(self.case, step)
            self.events += 1
            assert step.version == self.events
        self.case.happened.clear()

    def picture(self) -> tuple[object, ...]:
        return (self.case.version, *(self.part_picture(part) for part in self.case.parts))

    @staticmethod
    def part_picture(part: Part) -> tuple[object, ...]:
        return (
            part.state,
            part.version,
            part.signatures,
            part.decided_at,
            part.accepted_at,
            part.licence,
            part.defects,
        )

    @rule()
    def submit(self) -> None:
        self.attempt(self.case.submit, "NO", lambda part: f"NO-{part.part_id}", self.now)

    @rule(at=PARTS, staff=STAFF)
    def claim(self, at: int, staff: str) -> None:
        self.attempt(self.case.claim, f"part-{at}", staff, self.now)

    @rule(at=PARTS)
    def accept(self, at: int) -> None:
        self.attempt(self.case.accept, f"part-{at}", self.now, CATALOGUE.calendar)

    @rule(at=PARTS)
    def deem_accepted(self, at: int) -> None:
        self.attempt(self.case.deem_accepted, f"part-{at}", self.now, CATALOGUE.calendar)

    @rule(at=PARTS, reason=st.sampled_from(["", "不属于职权"]))
    def refuse(self, at: int, reason: str) -> None:
        self.attempt(self.case.refuse_part, f"part-{at}", reason, "", self.now)

    @rule(at=PARTS)
    def request_supplement(self, at: int) -> None:
        needs = [each for each in PLAN.needs if PLAN.items[at].item_id in each.parts]
        defect = Defect(needs[0].material.code, "模糊", "重新上传")
        self.attempt(self.case.request_supplement, f"part-{at}", (defect,), self.now)

    @rule(at=PARTS)
    def stage(self, at: int) -> None:
        needs = [each for each in PLAN.needs if PLAN.items[at].item_id in each.parts]
        supplied = Supplied(SupplyKind.UPLOAD, self.now, file_id="f")
        self.attempt(self.case.put_supply, needs[0].material.code, supplied)

    @rule()
    def answer_supplement(self) -> None:
        self.attempt(self.case.answer_supplement, self.now)

    @rule(at=PARTS, staff=STAFF, decision=DECISIONS, opinion=st.sampled_from(["", "理由"]))
    def sign(self, at: int, staff: str, decision: Decision, opinion: str) -> None:
        self.attempt(self.case.sign, f"part-{at}", Signature(staff, decision, opinion, self.now))

    @rule(at=PARTS)
    def licence(self, at: int) -> None:
        self.attempt(self.case.record_licence, f"part-{at}", ResultLicence("L", "1.2", "证"), self.now)

    @rule()
    def withdraw(self) -> None:
        self.attempt(self.case.withdraw, self.now)

    @invariant()
    def never_a_third_signature_and_never_one_person_twice(self) -> None:
        for part in self.case.parts:
            assert len(part.signatures) <= part.signatures_required <= 2
            assert len({each.staff_id for each in part.signatures}) == len(part.signatures)
            assert all(each.opinion for each in part.signatures if each.decision is Decision.REJECT)

    @invariant()
    def a_decided_part_never_changes(self) -> None:
        for part in self.case.parts:
            word = (part.signatures, part.decided_at, part.approved, part.accepted_at, part.defects)
            if part.state.decided:
                assert self.settled.setdefault(part.part_id, word) == word
            else:
                assert part.part_id not in self.settled

    @invariant()
    def closed_exactly_when_every_part_has_its_result(self) -> None:
        submitted = self.case.submitted_at is not None
        results = all(part.state.has_result for part in self.case.parts)
        withdrawn = self.case.withdrawn_at is not None
        assert (self.case.closed_at is not None) == (submitted and results and not withdrawn)
        assert (self.case.state is CaseState.CLOSED) == (self.case.closed_at is not None)

    @invariant()
    def version_is_the_number_of_events(self) -> None:
        assert self.case.version == self.events

    @invariant()
    def both_clocks_run_from_acceptance(self) -> None:
        for part in self.case.parts:
            if part.state in {PartState.ACCEPTED, PartState.REVIEWED}:
                assert part.promised.due is not None
                assert part.statutory.due >= part.promised.due


TestCaseLife = CaseLife.TestCase
TestCaseLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_each_step_has_exactly_one_event() -> None:
    from services.intake.usecases.cases import announce

    assert set(announce._CASE_EVENTS) | set(announce._PART_EVENTS) == set(Step)
    assert not set(announce._CASE_EVENTS) & set(announce._PART_EVENTS)
