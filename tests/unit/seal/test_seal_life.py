"""The life of a seal as a state machine: whatever is tried in whatever order, only an active seal is ever used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from chassis.errors import Fault
from services.seal.domain.application import Application, ApplicationStatus, Verdict, Wish
from services.seal.domain.kinds import SealKind
from services.seal.domain.register import (
    ENDED,
    Change,
    HistoryEntry,
    RegisteredSeal,
    SealStatus,
    for_verifiers,
    needs_second_person,
    state_at,
    usable,
)
from services.seal.domain.verification import SealState

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PEOPLE = ("", " ", "张三", "李四")
WISH = Wish(SealKind.OFFICIAL, "11361103TB1000011X", "局", "361103", "局", "需要", "张三")


def reaches(previous: SealStatus, status: SealStatus) -> bool:
    """The steps as 国办发〔2025〕33号 has them, written down once more."""
    steps = {
        "made": {"filed", "cancelled"},
        "filed": {"active", "cancelled"},
        "active": {"suspended", "lost", "cancelled"},
        "suspended": {"active", "lost", "cancelled"},
        "lost": {"remade", "cancelled"},
    }
    return status.value in steps.get(previous.value, set())


T = TypeVar("T")


def attempt(act: Callable[[], T]) -> tuple[T | None, set[str] | None]:
    """What came of it, and the fields that a refusal names; None where nothing was refused."""
    try:
        return act(), None
    except Fault as fault:
        return None, {each.field_path for each in fault.violations}


class SealLife(RuleBasedStateMachine):
    """An application, then its seal, under random hands."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.application: Application | None = None
        self.seal: RegisteredSeal | None = None
        self.history: list[HistoryEntry] = []
        self.signed: list[datetime] = []

    @rule(seconds=st.integers(0, 100_000), fraction=st.integers(0, 999_999))
    def time_passes(self, seconds: int, fraction: int) -> None:
        self.now += timedelta(seconds=seconds, microseconds=fraction)

    @precondition(lambda self: self.application is None)
    @rule(
        reason=st.sampled_from(["", "需要"]),
        operator=st.sampled_from(PEOPLE),
        name=st.sampled_from(["", "局"]),
        kind=st.sampled_from(SealKind),
    )
    def apply(self, reason: str, operator: str, name: str, kind: SealKind) -> None:
        wish = replace(WISH, reason=reason, operator=operator, name=name, kind=kind, line="专用章")
        said = {"name": name, "reason": reason, "operator": operator}
        missing = {field for field, value in said.items() if not value.strip()}
        _, refused = attempt(wish.check)
        assert (refused or set()) == missing
        if refused is None:
            self.application = Application("a", wish, self.now)

    @precondition(lambda self: self.application is not None)
    @rule(
        status=st.sampled_from(
            [ApplicationStatus.APPROVED, ApplicationStatus.REJECTED, ApplicationStatus.WITHDRAWN]
        ),
        reason=st.sampled_from(["", "同意"]),
        operator=st.sampled_from(PEOPLE),
    )
    def judge(self, status: ApplicationStatus, reason: str, operator: str) -> None:
        assert self.application is not None
        before = self.application
        missing = {
            field for field, value in (("reason", reason), ("operator", operator)) if not value.strip()
        }
        if status is not ApplicationStatus.WITHDRAWN and operator == before.wish.operator:
            missing.add("operator")
        from_states = {"applied", "approved"} if status is ApplicationStatus.WITHDRAWN else {"applied"}
        judged, refused = attempt(lambda: before.judged(Verdict(status, reason, operator), self.now))
        assert (refused or set()) == missing
        assert (refused is None) == (not missing and before.state.value in from_states)
        self.application = judged or before

    @precondition(
        lambda self: (
            self.seal is None
            and self.application is not None
            and self.application.state is ApplicationStatus.APPROVED
        )
    )
    @rule()
    def make(self) -> None:
        assert self.application is not None
        at = self.now.replace(microsecond=0)
        self.application = replace(self.application, seal_id="s")
        self.seal = RegisteredSeal(
            "s",
            "o",
            "n",
            b"c",
            at,
            at + timedelta(days=3650),
            SealStatus.MADE,
            at,
            1,
            self.application.wish.kind,
        )
        self.history.append(HistoryEntry(1, SealStatus.MADE, at, at, "制章", "maker"))

    @precondition(lambda self: self.seal is not None)
    @rule(
        status=st.sampled_from(SealStatus),
        reason=st.sampled_from(["", "原因"]),
        operator=st.sampled_from(PEOPLE),
        second=st.sampled_from(PEOPLE),
    )
    def change(self, status: SealStatus, reason: str, operator: str, second: str) -> None:
        assert self.seal is not None
        before = self.seal
        missing = {
            field for field, value in (("reason", reason), ("operator", operator)) if not value.strip()
        }
        needs_two = needs_second_person(before, status)
        if (needs_two and not second.strip()) or (second.strip() and second == operator):
            missing.add("second_person")
        found, refused = attempt(lambda: before.changed(Change(status, reason, operator, second), self.now))
        assert (refused or set()) == missing
        assert (refused is None) == (not missing and reaches(before.status, status))
        if found is not None:
            self.seal, entry = found
            self.history.append(entry)

    @rule()
    def use(self) -> None:
        seals = [self.seal] if self.seal else []
        kind = self.seal.kind if self.seal else SealKind.OFFICIAL
        found, refused = attempt(lambda: usable(seals, self.now, kind))
        in_time = self.seal is not None and self.seal.valid_from <= self.now <= self.seal.valid_until
        may = in_time and self.seal is not None and self.seal.status is SealStatus.ACTIVE
        assert (refused is None) == may
        if found is not None:
            self.signed.append(self.now.replace(microsecond=0))

    @invariant()
    def nothing_was_made_that_nobody_approved(self) -> None:
        if self.seal is not None:
            assert self.application is not None
            assert self.application.status is ApplicationStatus.APPROVED
            assert self.application.decided is not None
            assert self.application.decided.operator != self.application.wish.operator

    @invariant()
    def every_signature_lies_in_an_active_span(self) -> None:
        for at in self.signed:
            entry = state_at(self.history, at)
            assert entry is not None
            assert for_verifiers(entry.status) is SealState.ACTIVE

    @invariant()
    def history_is_whole_and_in_order(self) -> None:
        assert [each.version for each in self.history] == list(range(1, len(self.history) + 1))
        assert [each.since for each in self.history] == sorted(each.since for each in self.history)
        ended = [each.status in ENDED for each in self.history]
        assert ended == sorted(ended), "what ended never comes back"


TestSealLife = SealLife.TestCase
TestSealLife.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("kind", SealKind)
def test_two_people_restore_remake_and_cancel(kind: SealKind) -> None:
    seal = RegisteredSeal("s", "o", "n", b"", NOW, NOW, SealStatus.SUSPENDED, NOW, 4, kind)
    assert needs_second_person(seal, SealStatus.ACTIVE)
    assert needs_second_person(replace(seal, status=SealStatus.LOST), SealStatus.REMADE)
    assert needs_second_person(seal, SealStatus.CANCELLED) is (kind is not SealKind.PERSONAL)
    assert not needs_second_person(replace(seal, status=SealStatus.ACTIVE), SealStatus.SUSPENDED)


@pytest.mark.parametrize("spelling", ["ｌｉ Ｓｉ", "LISI", "li\u200bsi", "li-si"])
def test_one_person_is_not_two_by_another_spelling(spelling: str) -> None:
    seal = RegisteredSeal("s", "o", "n", b"", NOW, NOW, SealStatus.SUSPENDED, NOW, 4, SealKind.OFFICIAL)
    _, refused = attempt(lambda: seal.changed(Change(SealStatus.ACTIVE, "原因", "li si", spelling), NOW))
    assert refused == {"second_person"}
