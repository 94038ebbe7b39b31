"""From answers to the exact material list, and what applicants fill in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.intake.catalogue_files import load_catalogue
from services.intake.domain.catalogue.codes import (
    build_handle_item_code,
    build_task_code,
    check_task_code,
    parse_catalog_code,
    parse_task_code,
)
from services.intake.domain.catalogue.forms import check_form
from services.intake.domain.catalogue.guide import merge_materials
from services.intake.domain.catalogue.licences import TrustGrade

CATALOGUE = load_catalogue(Path(__file__).parents[3] / "catalogue")
FOOD, SIGN, FIRE = "food-operation-licence", "signboard-permit", "fire-safety-check"
ANSWERS = {
    "premises_tenure": "own",
    "food_special_area": "false",
    "sign_on_shared_building": "false",
    "fire_promise": "promise",
}
FORM = {
    "shop_name": "测试小馆",
    "business_name": "测试小馆（个体工商户）",
    "business_uscc": "91350100M000100Y43",
    "business_address": "玉山县测试路 1 号",
    "floor_area": "88.5",
    "seats": "40",
    "food_business_kind": "restaurant",
    "food_scope": "hot_cold",
    "sign_kind": "wall",
    "sign_content": "测试小馆",
    "sign_width_m": "3",
    "sign_height_m": "0.8",
    "floors": "一层",
    "place_kind": "restaurant",
    "contact_mobile": "19900000000",
}


def _codes(answers):
    return [need.material.code for need in CATALOGUE.bundle_materials("open-restaurant", answers)]


def test_four_questions_give_the_exact_merged_list():
    assert len(CATALOGUE.bundle("open-restaurant").questions) == 4
    needs = {n.material.code: n.parts for n in CATALOGUE.bundle_materials("open-restaurant", ANSWERS)}
    assert needs == {
        "business_licence": (FOOD, SIGN, FIRE),
        "identity_card": (FOOD, SIGN, FIRE),
        "property_certificate": (FOOD, SIGN),
        "food_layout": (FOOD,),
        "food_safety_rules": (FOOD,),
        "health_certificate": (FOOD,),
        "sign_design": (SIGN,),
        "sign_site_photo": (SIGN,),
        "fire_promise_letter": (FIRE,),
        "fire_safety_rules": (FIRE,),
        "fire_floor_plan": (FIRE,),
        "fire_completion": (FIRE,),
        "fire_training_record": (FIRE,),
    }


@pytest.mark.parametrize(
    ("question", "answer", "gone", "come"),
    [
        ("premises_tenure", "rented", {"property_certificate"}, {"lease_contract"}),
        ("food_special_area", "true", set(), {"food_special_area_plan"}),
        ("sign_on_shared_building", "true", set(), {"neighbours_consent"}),
        ("fire_promise", "inspection", {"fire_promise_letter"}, {"fire_facility_test"}),
    ],
)
def test_each_answer_changes_exactly_its_own_materials(question, answer, gone, come):
    before, after = set(_codes(ANSWERS)), set(_codes(ANSWERS | {question: answer}))
    assert before - after == gone
    assert after - before == come


def test_missing_wrong_and_unknown_answers_are_all_named_at_once():
    with pytest.raises(Fault) as caught:
        CATALOGUE.bundle_materials("open-restaurant", {"premises_tenure": "stolen", "colour": "red"})
    assert {(v.field_path, v.reason.code) for v in caught.value.violations} == {
        ("answers.colour", "GUIDE_QUESTION_UNKNOWN"),
        ("answers.premises_tenure", "GUIDE_ANSWER_UNKNOWN"),
        ("answers.food_special_area", "GUIDE_ANSWER_MISSING"),
        ("answers.sign_on_shared_building", "GUIDE_ANSWER_MISSING"),
        ("answers.fire_promise", "GUIDE_ANSWER_MISSING"),
    }


def test_a_merged_material_is_as_strict_as_its_strictest_part():
    food = CATALOGUE.item(FOOD).material("business_licence")
    sign = CATALOGUE.item(SIGN).material("business_licence")
    (merged,) = (
        need.material
        for need in CATALOGUE.bundle_materials("open-restaurant", ANSWERS)
        if need.material.code == "business_licence"
    )
    assert merged.replaced_by[0].face_fields == ("KZ_MC", "KZ_TYSHXYDM", "KZ_JYFW")
    stricter = replace(
        sign,
        minimum_grade=TrustGrade.A,
        copies=3,
        ways_out=replace(sign.ways_out, promise=False),
        replaced_by=(),
    )
    both = merge_materials(food, stricter)
    assert (both.minimum_grade, both.copies, both.ways_out.promise) == (TrustGrade.A, 3, False)
    assert both.replaced_by == ()


def test_what_one_part_produces_is_not_asked_for_the_next():
    answers = {"applied_by_agent": "self", "premises_tenure": "own", "food_special_area": "false"}
    needs = CATALOGUE.bundle_materials("start-restaurant-business", answers)
    supplied = {need.material.code: need.supplied_by for need in needs if need.supplied_by}
    assert supplied == {"business_licence": "individual-business-registration"}
    assert "business_uscc" not in {field.code for field in CATALOGUE.bundle("start-restaurant-business").form}


@given(st.data())
def test_every_item_gives_a_list_of_its_own_materials_for_any_answers(data):
    item = CATALOGUE.items[data.draw(st.sampled_from(sorted(CATALOGUE.items)))]
    questions = CATALOGUE.item_questions(item.item_id)
    answers = {
        question.question_id: data.draw(st.sampled_from([answer.value for answer in question.answers]))
        for question in questions
    }
    needs = CATALOGUE.item_materials(item.item_id, answers)
    codes = [need.material.code for need in needs]
    assert len(codes) == len(set(codes))
    assert set(codes) <= {material.code for material in item.materials}
    assert {m.code for m in item.materials if m.necessity == "required"} <= set(codes)


def test_a_complete_form_is_cleaned_and_kept():
    fields = CATALOGUE.bundle("open-restaurant").form
    assert check_form(fields, FORM | {"shop_name": " 测试小馆 "}) == FORM
    kind = next(field for field in fields if field.code == "food_business_kind")
    assert kind.shown("restaurant") == "餐饮服务经营者"


def test_every_wrong_field_of_a_form_is_named_at_once():
    wrong = FORM | {
        "shop_name": "长" * 61,
        "business_uscc": "91350100M000100Y44",
        "floor_area": "1",
        "seats": "many",
        "food_scope": "everything",
        "sign_content": "a\x00b",
        "contact_mobile": "12345",
        "colour": "red",
    }
    del wrong["floors"]
    with pytest.raises(Fault) as caught:
        check_form(CATALOGUE.bundle("open-restaurant").form, wrong)
    assert {(v.field_path, v.reason.code) for v in caught.value.violations} == {
        ("form.colour", "FORM_FIELD_UNKNOWN"),
        ("form.shop_name", "FIELD_TOO_LONG"),
        ("form.business_uscc", "USCC_CHECK_WRONG"),
        ("form.floor_area", "FIELD_OUT_OF_RANGE"),
        ("form.seats", "FIELD_MALFORMED"),
        ("form.food_scope", "FIELD_NOT_A_CHOICE"),
        ("form.sign_content", "FIELD_MALFORMED"),
        ("form.contact_mobile", "FIELD_MALFORMED"),
        ("form.floors", "FIELD_REQUIRED"),
    }


@pytest.mark.parametrize(
    ("value", "good"), [("2026-03-02", True), ("2026-02-30", False), ("20260302", False), ("soon", False)]
)
def test_a_date_is_a_real_day_in_one_form(value, good):
    fields = [
        field for field in CATALOGUE.item("construction-permit").form if field.code == "planned_start_on"
    ]
    if good:
        assert check_form(fields, {"planned_start_on": value})
    else:
        with pytest.raises(Fault):
            check_form(fields, {"planned_start_on": value})


def test_an_instant_rule_names_what_is_not_met():
    rule = CATALOGUE.item("old-age-allowance").instant
    assert rule.unmet({"applicant.age_years": "80", "materials.all_by_licence": "true"}) == ()
    young = rule.unmet({"applicant.age_years": "79", "materials.all_by_licence": "true"})
    assert [condition.text.zh for condition in young] == ["年满八十周岁"]
    assert len(rule.unmet({"applicant.age_years": "old"})) == 2


@pytest.mark.parametrize(
    ("lookup", "code"),
    [
        (lambda: CATALOGUE.item("x"), "ITEM_NOT_FOUND"),
        (lambda: CATALOGUE.bundle("x"), "BUNDLE_NOT_FOUND"),
        (lambda: CATALOGUE.department("x"), "DEPARTMENT_NOT_FOUND"),
        (lambda: CATALOGUE.department_by_uscc("x"), "DEPARTMENT_NOT_FOUND"),
        (lambda: CATALOGUE.licence_type("x"), "LICENCE_TYPE_NOT_FOUND"),
        (lambda: CATALOGUE.offer(FOOD, "361100"), "ITEM_NOT_OFFERED"),
        (lambda: CATALOGUE.item_by_task_code("x"), "ITEM_NOT_FOUND"),
    ],
)
def test_what_is_not_there_is_refused_by_name(lookup, code):
    with pytest.raises(Fault) as caught:
        lookup()
    assert caught.value.code == code
    assert "x" in caught.value.zh or "361100" in caught.value.zh


def test_published_item_codes_have_the_stated_parts():
    plain = parse_task_code("11370800MB285591843370117002011")
    assert (plain.department_uscc, plain.use_level, plain.handle_sequence) == (
        "11370800MB28559184",
        "3",
        None,
    )
    assert str(plain.catalog) == "370117002011"
    handled = parse_task_code("11370800MB28559184337011800900413")
    assert (handled.task_code, handled.handle_sequence) == ("11370800MB285591843370118009004", "13")
    assert str(handled) == "11370800MB28559184337011800900413"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("11370800MB28559184337011700201", "TASK_CODE_MALFORMED"),
        ("11370800MB2855918433701170020111", "TASK_CODE_MALFORMED"),
        ("11370800MB285591853370117002011", "TASK_CODE_DEPARTMENT_WRONG"),
    ],
)
def test_invalid_item_codes_say_what_is_wrong(value, reason):
    assert check_task_code(value).reason == reason


def test_item_codes_are_built_from_their_parts():
    task = build_task_code("11370800MB28559184", "3", "370118009004")
    assert build_handle_item_code(task, 13) == "11370800MB28559184337011800900413"
    assert parse_catalog_code("370118009004").main_item == "009"
    for broken in (
        lambda: build_task_code("11370800MB28559185", "3", "370118009004"),
        lambda: build_task_code("11370800MB28559184", "", "370118009004"),
        lambda: build_handle_item_code(task, 100),
        lambda: parse_catalog_code("37"),
    ):
        with pytest.raises(Fault):
            broken()
