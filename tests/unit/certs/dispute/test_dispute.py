"""The life of a dispute, what a freeze refuses, and what of it shows at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.dispute import (
    OPEN_STATES,
    Dispute,
    DisputeAct,
    DisputeKind,
    DisputeState,
    FreezeRule,
    FrozenUse,
    Grounds,
    Step,
    freezes_at_once,
    frozen_at,
    opening_violations,
    refused_uses,
    take,
)
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, Usage, UsageKind

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
SAID = Grounds("z1", "核查", "《个人信息保护法》第四十六条")
ISSUER, OTHER, THIRD = (Reader(code, code, True) for code in ("ISSUER", "OTHER", "THIRD"))


def opened(kind: DisputeKind = DisputeKind.CONTENT) -> Dispute:
    use = kind is DisputeKind.USE
    return Dispute("d1", "L1", kind, "u1" if use else "", "OTHER" if use else "", "ISSUER", NOW, None, "不对")


@given(st.lists(st.sampled_from([each for each in DisputeAct if each is not DisputeAct.OPEN]), max_size=12))
def test_no_order_of_acts_leaves_a_settled_dispute_open_or_a_rejected_one_frozen(acts):
    dispute, steps = opened(), []
    for n, act in enumerate(acts, 1):
        at = NOW + timedelta(minutes=n)
        try:
            moved = take(dispute, act, SAID, at)
        except Fault as refused:
            assert refused.code == "DISPUTE_NOT_OPEN"  # noqa: PT017 - counted
            continue
        assert moved.version == dispute.version + 1
        assert dispute.state in OPEN_STATES or act is DisputeAct.UNFREEZE
        dispute = moved
        steps.append(Step(moved.version, act, at, "department/ISSUER", SAID))
    assert (dispute.settled_at is None) == dispute.is_open
    if dispute.state in {DisputeState.REJECTED, DisputeState.WITHDRAWN}:
        assert dispute.frozen_at is None
    assert frozen_at(steps, NOW + timedelta(hours=1)) == (dispute.frozen_at is not None)


@given(st.integers(0, 10))
def test_a_freeze_shows_from_its_moment_to_its_end_and_never_before(minute):
    steps = [
        Step(1, DisputeAct.OPEN, NOW, "holder", Grounds("", "", "")),
        Step(2, DisputeAct.FREEZE, NOW + timedelta(minutes=3), "department/ISSUER", SAID),
        Step(3, DisputeAct.UNFREEZE, NOW + timedelta(minutes=7), "department/ISSUER", SAID),
    ]
    assert frozen_at(steps, NOW + timedelta(minutes=minute)) == (3 <= minute < 7)


def use(reader: Reader, kind: UsageKind, **changed: object) -> Usage:
    given_ = {"licence_id": "L1"} | changed
    return Usage("u", kind, reader, Purpose("核验", Basis.STATUTORY_DUTY, "i", "c"), NOW, **given_)


@pytest.mark.parametrize("kind", list(UsageKind))
def test_a_frozen_licence_can_be_found_and_asked_after_and_nothing_else(kind: UsageKind):
    frozen = [FrozenUse("L1", "", "ISSUER")]
    refused = bool(refused_uses([use(OTHER, kind)], frozen))
    assert refused == (kind not in {UsageKind.FIND, UsageKind.STATUS})


def test_a_disputed_use_freezes_that_department_alone_and_the_issuer_may_look():
    frozen = [FrozenUse("L1", "OTHER", "ISSUER")]
    assert refused_uses([use(OTHER, UsageKind.CONSUME)], frozen)
    assert not refused_uses([use(THIRD, UsageKind.CONSUME)], frozen)
    everybody = [FrozenUse("L1", "", "ISSUER")]
    assert not refused_uses([use(ISSUER, UsageKind.READ)], everybody)
    assert refused_uses([use(ISSUER, UsageKind.CONSUME)], everybody)
    assert not refused_uses([use(OTHER, UsageKind.CONSUME, licence_id="L2")], everybody)
    assert not refused_uses([use(OTHER, UsageKind.CONSUME, outcome="USE_CODE_SPENT")], everybody)


def test_the_registrys_rule_says_which_disputes_freeze_at_once():
    kinds = list(DisputeKind)
    assert [freezes_at_once(FreezeRule.NONE, kind) for kind in kinds] == [False, False]
    assert [freezes_at_once(FreezeRule.USE, kind) for kind in kinds] == [False, True]
    assert [freezes_at_once(FreezeRule.ALL, kind) for kind in kinds] == [True, True]


def test_an_incomplete_dispute_names_every_wrong_field():
    wrong = opening_violations("", DisputeKind.USE, "", "x" * 2_001)
    assert {each.field_path for each in wrong} == {"licence_id", "usage_id", "statement"}
    assert {each.field_path for each in opening_violations("L1", None, "", " ")} == {"kind", "statement"}


def test_the_statement_does_not_show_in_a_printed_dispute():
    assert "不对" not in repr(opened())
