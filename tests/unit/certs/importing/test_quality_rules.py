"""Quality rules of a type on an imported row: every broken one is named at once, flags keep the row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.certs.domain.importing import ImportRow, Judgement, judge
from services.certs.domain.licence_type import QualityRule
from tests.unit.certs.conftest import FOOD, NOW
from tests.unit.certs.importing.rows import GOOD, OWN


def judged(types, *rules: QualityRule, **changed: str) -> Judgement:
    kinds = {FOOD: replace(types[FOOD], quality_rules=rules)}
    return judge(ImportRow(1, {name: v for name, v in (GOOD | changed).items() if v}), kinds, OWN, NOW)


def found(judgement: Judgement) -> set[tuple[str, str]]:
    return {(each.field_path, each.reason.code) for each in judgement.problems}


BROKEN = [
    (QualityRule("required", ("ZZYXQQSRQ",)), {}, ("ZZYXQQSRQ", "FIELD_REQUIRED")),
    (QualityRule("pattern", ("ZZBH",), "JY[0-9]{14}"), {}, ("ZZBH", "PATTERN_NOT_MET")),
    (QualityRule("date_order"), {"ZZYXQQSRQ": "2024-03-01"}, ("ZZYXQQSRQ", "DATES_OUT_OF_ORDER")),
    (
        QualityRule("code_table", ("KZ_ZTYT",), codes=frozenset({"食品销售经营者"})),
        {},
        ("KZ_ZTYT", "CODE_NOT_IN_TABLE"),
    ),
    (QualityRule("holder_check"), {"CZZTDM": "110105194912310021"}, ("CZZTDM", "HOLDER_NUMBER_WRONG")),
    (QualityRule("face_complete"), {"KZ_JYCS": ""}, ("KZ_JYCS", "FIELD_REQUIRED")),
]


@pytest.mark.parametrize(("rule", "changed", "named"), BROKEN, ids=[each[0].rule for each in BROKEN])
def test_a_broken_rule_refuses_the_row_and_a_kept_one_does_not(types, rule, changed, named):
    assert found(judged(types, rule, **changed)) == {named}
    marked = judged(types, replace(rule, flag=True), **changed)
    assert marked.licence is not None
    assert named[1] in marked.quality_flags


def test_every_broken_rule_and_every_other_problem_of_a_row_is_named_at_once(types):
    changed = {name: value for _, each, _ in BROKEN for name, value in each.items()}
    judgement = judged(types, *(rule for rule, _, _ in BROKEN), **changed, ZZYXQJZRQ="soon")
    named = {each for _, _, each in BROKEN} - {("ZZYXQQSRQ", "FIELD_REQUIRED")}  # it is there, out of order
    assert found(judgement) == {*named, ("ZZYXQJZRQ", "DATE_MALFORMED")}


def test_rules_that_hold_leave_no_trace(types):
    rules = (
        QualityRule("required", ("ZZBH",)),
        QualityRule("pattern", ("ZZBH", "KZ_ABSENT"), "JY[0-9]+"),
        QualityRule("date_order"),
        QualityRule("holder_check"),
        QualityRule("face_complete"),
    )
    judgement = judged(types, *rules)
    assert judgement.quality_flags == ()
