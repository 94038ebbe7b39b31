"""Yes, no, unknown: what cannot be told is never said to be no, and a conjunction is decided by one NO."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.certs.domain.evidence.predicate import (
    REASONS,
    Covers,
    Operator,
    ValidOn,
    Verdict,
    answer_all,
    asked_digest,
    predicate_violations,
)
from services.certs.domain.licence import Origin
from services.certs.domain.status import Act, LicenceStatus, StatusChange
from tests.unit.certs.conftest import FOOD, NOW, data, licence, types

__all__ = ["data", "licence", "types"]
V = Verdict
TODAY = date(2026, 3, 9)


@pytest.fixture
def valid(licence):
    return replace(licence, status=LicenceStatus.VALID, issued_date=date(2026, 1, 1), valid_from=None)


def change(to: LicenceStatus, days: int, previous: LicenceStatus = LicenceStatus.VALID) -> StatusChange:
    return StatusChange(previous, to, Act.SUSPEND, "r", "b", "o", NOW + timedelta(days=days))


@pytest.mark.parametrize(
    ("name", "operator", "values", "verdict"),
    [
        ("KZ_ZTYT", Operator.EQ, ("餐饮服务经营者",), V.YES),
        ("KZ_ZTYT", Operator.EQ, (" 餐饮服务经营者 ",), V.YES),
        ("KZ_ZTYT", Operator.EQ, ("食品销售经营者",), V.NO),
        ("KZ_ZTYT", Operator.IN, ("食品销售经营者", "餐饮服务经营者"), V.YES),
        ("KZ_ZTYT", Operator.CONTAINS, ("餐饮", "服务"), V.YES),
        ("KZ_ZTYT", Operator.CONTAINS, ("餐饮", "烟草"), V.NO),
        ("KZ_ZTYT", Operator.GE, ("5",), V.UNKNOWN),
        ("KZ_FDDBR", Operator.EQ, ("丰小玉",), V.YES),
        ("KZ_FDDBR", Operator.IN, ("丰小玉",), V.UNKNOWN),
        ("KZ_NONE", Operator.EQ, ("x",), V.UNKNOWN),
    ],
)
def test_a_field_covers_as_it_is_compared(valid, types, name, operator, values, verdict):
    found = answer_all(valid, types[FOOD], [], [Covers(name, operator, values)], NOW)
    assert found.verdict is verdict
    assert found.reason in REASONS


@pytest.mark.parametrize(
    ("value", "operator", "asked", "verdict"),
    [
        ("12.50", Operator.GE, "12.5", V.YES),
        ("12.50", Operator.LE, "12", V.NO),
        ("2026-03-09", Operator.LE, "2026-03-10", V.YES),
        ("2026-03-09", Operator.GE, "7", V.UNKNOWN),
        ("NaN", Operator.GE, "7", V.UNKNOWN),
    ],
)
def test_numbers_and_dates_have_an_order_and_nothing_else_has(valid, types, value, operator, asked, verdict):
    given_licence = replace(valid, face={"KZ_ZTYT": value})
    found = answer_all(given_licence, types[FOOD], [], [Covers("KZ_ZTYT", operator, (asked,))], NOW)
    assert found.verdict is verdict


def test_one_no_decides_then_one_unknown(valid, types):
    no = Covers("KZ_ZTYT", Operator.EQ, ("x",))
    unknown = Covers("KZ_NONE", Operator.EQ, ("x",))
    yes = ValidOn(TODAY)
    assert answer_all(valid, types[FOOD], [], [yes, unknown, no], NOW).verdict is V.NO
    assert answer_all(valid, types[FOOD], [], [yes, unknown], NOW).verdict is V.UNKNOWN
    assert answer_all(valid, types[FOOD], [], [yes], NOW).verdict is V.YES
    assert answer_all(None, None, [], [yes], NOW).reason == "LICENCE_NOT_FOUND"


def test_the_past_is_judged_by_the_acts_that_were_in_effect(valid, types):
    history = [
        change(LicenceStatus.SUSPENDED, -30),
        change(LicenceStatus.VALID, -20, LicenceStatus.SUSPENDED),
        change(LicenceStatus.REVOKED, -10),
    ]
    revoked = replace(valid, status=LicenceStatus.REVOKED)

    def on(days: int) -> Verdict:
        return answer_all(revoked, types[FOOD], history, [ValidOn(TODAY + timedelta(days=days))], NOW).verdict

    days = (-40, -30, -25, -20, -15, -10, -5, 0, 1)
    assert [on(each) for each in days] == [
        *(V.YES, V.UNKNOWN, V.NO, V.UNKNOWN, V.YES, V.UNKNOWN, V.NO, V.NO, V.UNKNOWN),
    ]


def test_stock_that_came_in_fallen_has_no_past(valid, types):
    fallen = replace(valid, status=LicenceStatus.REVOKED, origin=Origin.IMPORTED)
    found = answer_all(fallen, types[FOOD], [], [ValidOn(date(2026, 2, 1))], NOW)
    assert (found.verdict, found.reason) == (V.UNKNOWN, "STATUS_HISTORY_ABSENT")


@given(st.lists(st.sampled_from(["a", "b", ""]), max_size=3), st.sampled_from(list(Operator)))
def test_what_was_asked_is_bound_by_its_digest(values, operator):
    asked = [Covers("KZ_ZTYT", operator, tuple(values))]
    other = [Covers("KZ_ZTYT", operator, (*values, "c"))]
    assert asked_digest(asked, "salt") == asked_digest(asked, "salt")
    assert len({asked_digest(asked, "salt"), asked_digest(other, "salt"), asked_digest(asked, "pepper")}) == 3


def test_a_question_says_everything_that_is_wrong_with_it():
    wrong = [
        Covers("", Operator.EQ, ("a", "b")),
        Covers("x" * 65, Operator.IN, ()),
        Covers("a", Operator.EQ, (" ",)),
    ]
    assert {each.field_path for each in predicate_violations(wrong)} == {
        "predicates[0].covers.field",
        "predicates[0].covers.values",
        "predicates[1].covers.field",
        "predicates[1].covers.values",
        "predicates[2].covers.values[0]",
    }
    assert {each.field_path for each in predicate_violations([])} == {"predicates"}
