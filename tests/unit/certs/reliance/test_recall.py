"""Whom a fall touches: everybody who relied on an earlier version, once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.reliance import (
    Acknowledgement,
    Fall,
    FallCause,
    Flag,
    RelianceOutcome,
    Relied,
    acknowledge,
    cause_of,
    corrects,
    flags_of,
    relies,
)
from services.certs.domain.status import TRANSITIONS, Act, LicenceStatus
from services.certs.domain.usage import Reader, Usage, UsageKind

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
S = LicenceStatus
DEPARTMENT = Reader("11361103TB1000011X", "市场监督管理局", True)

uses = st.lists(
    st.builds(
        Relied,
        st.sampled_from(["L1", "L2"]),
        st.integers(1, 9),
        st.sampled_from(["D1", "D2", "D3"]),
        st.sampled_from(["c1", "c2", "c3"]),
        st.sampled_from(["i1", "i2", ""]),
        st.just(NOW),
    ),
    max_size=40,
)


def fall(version: int, cause: FallCause = FallCause.REVOKED) -> Fall:
    return Fall("L1", version, cause, NOW, NOW)


@given(uses, st.integers(1, 10), st.integers(1, 5))
def test_repeated_in_steps_a_fall_is_told_once_to_every_department_and_case_that_relied(
    relied, version, step
):
    ids, told, sent = count(), set(), Counter()
    while True:  # as the recall does it: what is told already is left out, a step takes so many pairs
        flags = flags_of(fall(version), relied, told, lambda: str(next(ids)), NOW)[:step]
        if not flags:
            break
        for flag in flags:
            pair = (flag.consumer_code, flag.case_id)
            told.add(pair)
            sent[pair] += 1
    expected = {
        (each.consumer_code, each.case_id)
        for each in relied
        if each.licence_id == "L1" and each.licence_version < version
    }
    assert set(sent) == expected
    assert set(sent.values()) <= {1}


@given(uses, st.integers(1, 10))
def test_a_flag_names_the_newest_version_relied_on_and_every_item(relied, version):
    for flag in flags_of(fall(version), relied, (), lambda: "f", NOW):
        mine = [
            each
            for each in relied
            if (each.licence_id, each.consumer_code, each.case_id) == ("L1", flag.consumer_code, flag.case_id)
            and each.licence_version < version
        ]
        assert flag.relied_version == max(each.licence_version for each in mine)
        assert set(flag.item_codes) == {each.item_code for each in mine} - {""}


@pytest.mark.parametrize("act", list(Act))
def test_every_act_that_takes_a_licence_out_of_force_is_a_fall_but_the_end_of_its_term(act: Act):
    allowed, following = TRANSITIONS[act]
    for previous in allowed:
        falls = cause_of(previous, following)
        never = previous in {S.DRAFT, S.PENDING_SEAL} or act in {Act.EXPIRE, Act.RESTORE}
        renewed = previous is S.EXPIRED and act is Act.REPLACE
        assert (falls is None) == (never or renewed), (previous, following)


def test_new_content_is_a_fall_of_its_own_unless_the_status_fell_with_it():
    assert corrects(S.VALID, S.VALID)
    assert corrects(S.SUSPENDED, S.VALID)
    assert not corrects(S.VALID, S.CANCELLED)
    assert not corrects(S.PENDING_SEAL, S.VALID)


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        ({}, True),
        ({"outcome": "USE_CODE_SPENT"}, False),
        ({"kind": UsageKind.FIND}, False),
        ({"kind": UsageKind.PRESENT}, False),
        ({"licence_id": ""}, False),
        ({"purpose": Purpose("核验", Basis.STATUTORY_DUTY)}, False),
        ({"reader": Reader("service/intake", "", False)}, False),
        ({"kind": UsageKind.ANSWER}, True),
        ({"kind": UsageKind.ANSWER, "is_relied_on": False}, False),
    ],
)
def test_a_department_relies_on_what_it_was_given_for_a_case(changed, counts):
    given_ = {
        "usage_id": "u",
        "kind": UsageKind.CONSUME,
        "reader": DEPARTMENT,
        "purpose": Purpose("核验", Basis.CONSENT, "i1", "c1"),
        "used_at": NOW,
        "licence_id": "L1",
    } | changed
    assert relies(Usage(**given_)) is counts


def flag() -> Flag:
    return Flag("f1", fall(3), "D1", "c1", ("i1",), 2, NOW - timedelta(days=9), NOW)


def test_a_flag_is_answered_once_and_with_a_reason_where_the_decision_is_kept():
    reopened = Acknowledgement(RelianceOutcome.REOPENED, "", "z1", NOW)
    answered = acknowledge(flag(), '"1"', reopened)
    assert (answered.answer, answered.etag) == (reopened, '"2"')
    for etag, answer, code in (
        ('"2"', reopened, "ETAG_MISMATCH"),
        ('"1"', Acknowledgement(RelianceOutcome.KEPT, " ", "", NOW), "INVALID_REQUEST"),
        ('"1"', Acknowledgement(None, "x" * 501, "z1", NOW), "INVALID_REQUEST"),
    ):
        with pytest.raises(Fault) as refused:
            acknowledge(flag(), etag, answer)
        assert refused.value.code == code
    with pytest.raises(Fault) as again:
        acknowledge(answered, '"2"', reopened)
    assert again.value.code == "RELIANCE_ANSWERED"
