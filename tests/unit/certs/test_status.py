"""The life of a licence: only the acts of the table, each with reason, basis and operator."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from chassis.errors import Fault
from services.certs.domain.status import (
    REQUESTABLE,
    TRANSITIONS,
    Act,
    LicenceStatus,
    StatusOrder,
    after,
    carry_out,
    expiry,
    is_over,
)

NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
FINAL = {LicenceStatus.CANCELLED, LicenceStatus.REPLACED}


def order(status: LicenceStatus | None, **changed: object) -> StatusOrder:
    fields = {
        "status": status,
        "reason": "原因",
        "basis_document": "决定书",
        "operator": "Z1",
        "effective_at": NOW,
    }
    return StatusOrder(**(fields | changed))  # type: ignore[arg-type]


class LifeOfALicence(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.status = LicenceStatus.DRAFT
        self.history: list[tuple[Act, LicenceStatus]] = []
        self.sealed = False

    @rule(act=st.sampled_from(Act))
    def undergo(self, act: Act) -> None:
        try:
            following = after(act, self.status)
        except Fault:
            assert self.status not in TRANSITIONS[act][0]
            return
        self.sealed = self.sealed or act is Act.SEAL
        self.history.append((act, following))
        self.status = following

    @rule(status=st.sampled_from([*LicenceStatus, None]), days=st.integers(-400, 400))
    def be_ordered(self, status: LicenceStatus | None, days: int) -> None:
        until = NOW.date() + timedelta(days=days)
        before = self.status
        try:
            change = carry_out(order(status), self.status, until, NOW)
        except Fault:
            return
        assert change.previous is before
        assert not (change.act is Act.RESTORE and is_over(until, NOW))
        self.history.append((change.act, change.status))
        self.status = change.status

    @invariant()
    def final_states_are_final(self) -> None:
        for index, (_, status) in enumerate(self.history):
            assert status not in FINAL or index == len(self.history) - 1

    @invariant()
    def nothing_is_in_force_that_was_never_sealed(self) -> None:
        if self.status in {LicenceStatus.VALID, LicenceStatus.SUSPENDED, LicenceStatus.EXPIRED}:
            assert self.sealed

    @invariant()
    def what_fell_is_never_in_force_again(self) -> None:
        fell = {LicenceStatus.REVOKED, LicenceStatus.FORFEITED, LicenceStatus.EXPIRED}
        seen = False
        for _, status in self.history:
            assert not (seen and status is LicenceStatus.VALID)
            seen = seen or status in fell


TestLifeOfALicence = LifeOfALicence.TestCase


def test_the_end_of_a_term_is_counted_in_chinese_days():
    last_day = date(2026, 3, 9)
    assert not is_over(last_day, datetime(2026, 3, 9, 15, 59, 59, tzinfo=UTC))
    assert is_over(last_day, datetime(2026, 3, 9, 16, tzinfo=UTC))
    assert not is_over(None, NOW)


@pytest.mark.parametrize("status", [s for s in LicenceStatus if s not in REQUESTABLE])
def test_what_follows_from_sealing_time_or_reissue_cannot_be_ordered(status: LicenceStatus):
    with pytest.raises(Fault) as refused:
        carry_out(order(status), LicenceStatus.VALID, None, NOW)
    assert [each.field_path for each in refused.value.violations] == ["status"]


@given(st.sampled_from(["reason", "basis_document", "operator"]), st.sampled_from(["", " ", "字" * 501]))
def test_an_order_without_reason_basis_or_operator_is_refused(field: str, value: str):
    with pytest.raises(Fault) as refused:
        carry_out(order(LicenceStatus.REVOKED, **{field: value}), LicenceStatus.VALID, None, NOW)
    assert [each.field_path for each in refused.value.violations] == [field]


def test_a_licence_whose_term_is_over_is_not_restored():
    with pytest.raises(Fault) as refused:
        carry_out(order(LicenceStatus.VALID), LicenceStatus.SUSPENDED, date(2026, 3, 8), NOW)
    assert refused.value.code == "TERM_IS_OVER"


def test_expiry_moves_valid_and_suspended_only():
    assert expiry(LicenceStatus.VALID, NOW.date(), NOW).status is LicenceStatus.EXPIRED
    with pytest.raises(Fault):
        expiry(LicenceStatus.REVOKED, NOW.date(), NOW)
