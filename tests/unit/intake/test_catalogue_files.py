"""The shipped catalogue is sound, and a broken copy is refused with every mistake named."""

from __future__ import annotations

import shutil
import string
from datetime import date
from pathlib import Path

import pytest

from chassis.datafiles import read_tree
from chassis.errors import Fault
from services.intake.catalogue_files import load_catalogue, read_catalogue
from services.intake.domain.catalogue.codes import check_task_code, parse_task_code
from services.intake.domain.catalogue.licences import CodeStatus
from standards.identifiers import check_licence_type_code, check_uscc

SHIPPED = Path(__file__).parents[3] / "catalogue"
COUNTIES = {"361103", "361123", "422827"}


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue(SHIPPED)


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(SHIPPED, tmp_path / "catalogue"))


def _replace(copy, name, old, new):
    path = copy / name
    text = path.read_text(encoding="utf-8")
    assert old in text, (name, old)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_shipped_catalogue_has_no_mistake():
    _, problems = read_catalogue(SHIPPED)
    assert [(problem.field_path, problem.en) for problem in problems] == []


def test_it_covers_three_counties_and_at_least_fourteen_items(catalogue):
    assert len(catalogue.items) >= 14
    assert {department.division for department in catalogue.departments.values()} == COUNTIES
    for county in COUNTIES:
        assert len(catalogue.offered_in(county)) >= 14
    assert len({catalogue.offer(item, "361103").department_id for item in catalogue.items}) >= 9


def test_every_code_of_departments_types_and_items_has_right_check_characters(catalogue):
    for department in catalogue.departments.values():
        assert check_uscc(department.uscc).flags == ()
    for licence_type in catalogue.licence_types.values():
        assert check_licence_type_code(licence_type.code).valid
        assert (licence_type.code[18:] >= "900") == (licence_type.code_status is CodeStatus.PROVISIONAL)
    for item in catalogue.items.values():
        for offer in item.offers:
            assert check_task_code(offer.task_code).valid
            assert check_task_code(offer.handle_item_code).valid
            assert parse_task_code(offer.handle_item_code).catalog.task_type == item.task_type
            assert catalogue.item_by_task_code(offer.task_code) == (item, offer)
            assert catalogue.item_by_task_code(offer.handle_item_code) == (item, offer)


def test_the_calendar_of_both_years_is_loaded_and_the_next_is_refused(catalogue):
    assert catalogue.calendar.version == "2025:2025.1+2026:2026.1"
    assert catalogue.calendar.due(date(2026, 2, 10), 20) == date(2026, 3, 16)
    with pytest.raises(Fault):
        catalogue.calendar.due(date(2026, 12, 21), 20)


def test_the_version_follows_the_content_and_not_the_layout(copy, catalogue):
    assert load_catalogue(copy).version == catalogue.version
    _replace(copy, "timers.yaml", "# Terms", "# The terms")
    assert load_catalogue(copy).version == catalogue.version
    _replace(copy, "items/signboard-permit.yaml", 'version: "2026.1"', 'version: "2026.2"')
    assert load_catalogue(copy).version != catalogue.version


BREAKS = [
    ("departments.yaml", "11361103TB1000011X", "11361103TB1000011Y", "departments.yaml: 361103-market.uscc", "CODE_WRONG"),
    ("departments.yaml", '"36110302R1"', '"36110301R1"', "departments.yaml: staff", "DUPLICATE"),
    ("divisions.csv", "county,422800", "county,422801", "divisions.csv: 422827", "REFERENCE_UNKNOWN"),
    ("licence_types.yaml", "{kind: years, years: 5}", "{kind: years}", "licence_types.yaml: 11100000MB0143028R901.validity", "CONTRADICTION"),
    ("licence_types.yaml", "personal: true, mask: name", "personal: true", "licence_types.yaml: 11100000000013127D001.KZ_XM", "CONTRADICTION"),
    ("calendar/2026.yaml", "2026-02-14", "2026-02-13", "calendar/2026.yaml", "CONTRADICTION"),
    ("items/signboard-permit.yaml", "signatures_required: 1", "signatures_required: 3", "items/signboard-permit.yaml: signatures_required", "CONTRADICTION"),
    ("items/signboard-permit.yaml", "real_name_level: 3", "real_name_level: 7", "items/signboard-permit.yaml: real_name_level", "REFERENCE_UNKNOWN"),
    ("items/fire-safety-check.yaml", "length: 7", "length: 17", "items/fire-safety-check.yaml: promised", "CONTRADICTION"),
    ("items/fire-safety-check.yaml", "form.shop_name", "form.no_such", "items/fire-safety-check.yaml: product", "REFERENCE_UNKNOWN"),
    ("items/fire-safety-check.yaml", "includes: [fire_promise_letter]", "includes: [no_such]", "items/fire-safety-check.yaml: materials.fire_promise_letter", "CONTRADICTION"),
    ("items/nurse-registration.yaml", "copies: 1", "copies: many", "items/nurse-registration.yaml: materials.0.copies", "SHAPE_WRONG"),
    ("items/nurse-registration.yaml", "id_only: false", "id_only: false\ncolour: red", "items/nurse-registration.yaml: colour", "SHAPE_WRONG"),
    ("items/hotel-special-trade.yaml", "  - code: hotel_floor_plan", "  - code: no_such", "items/hotel-special-trade.yaml: materials.3", "SHAPE_WRONG"),
    ("items/public-place-hygiene.yaml", "item_id: public-place-hygiene", "item_id: other", "items/public-place-hygiene.yaml: item_id", "SHAPE_WRONG"),
    ("materials.yaml", "face_fields: [KZ_CSMC, KZ_CSDZ]", "face_fields: [KZ_NONE]", "items/hotel-special-trade.yaml: materials.fire_check_opinion", "REFERENCE_UNKNOWN"),
    ("bundles/open-restaurant.yaml", "  - fire_promise\n", "", "bundles/open-restaurant.yaml: questions", "CONTRADICTION"),
    ("bundles/open-restaurant.yaml", "  - sign_content\n", "", "bundles/open-restaurant.yaml: form", "CONTRADICTION"),
    ("bundles/start-restaurant-business.yaml", "registration.KZ_MC", "registration.KZ_NONE", "bundles/start-restaurant-business.yaml: feeds", "REFERENCE_UNKNOWN"),
    ("timers.yaml", "timers:", "timers:\n  - {key: precheck_online}", "timers.yaml: 0: term", "SHAPE_WRONG"),
    ("holder_id_types.yaml", 'code: "099"', 'code: "001"', "holder_id_types.yaml: code", "SHAPE_WRONG"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "path", "code"), BREAKS)
def test_a_single_mistake_is_named_with_file_and_field(copy, name, old, new, path, code):
    _replace(copy, name, old, new)
    _, problems = read_catalogue(copy)
    assert (path, f"CATALOGUE_{code}") in {(problem.field_path, problem.reason.code) for problem in problems}


def test_every_mistake_in_every_file_is_named_at_once(copy):
    once = {}
    for name, old, new, path, code in BREAKS:
        if name not in once and not name.startswith("materials"):
            _replace(copy, name, old, new)
            once[name] = (path, f"CATALOGUE_{code}")
    (copy / "items" / "social-security-card.yaml").write_text("item_id: [", encoding="utf-8")
    (copy / "stray.yaml").write_text("{}", encoding="utf-8")
    (copy / "form_fields.yaml").unlink()
    with pytest.raises(Fault) as caught:
        load_catalogue(copy)
    found = {(problem.field_path, problem.reason.code) for problem in caught.value.violations}
    assert caught.value.code == "CATALOGUE_INVALID"
    assert caught.value.metadata["count"] == str(len(caught.value.violations))
    expected = {pair for name, pair in once.items() if not name.startswith(("items/", "bundles/"))}
    assert expected <= found
    assert {
        ("items/social-security-card.yaml", "DATA_FILE_UNREADABLE"),
        ("stray.yaml", "CATALOGUE_SHAPE_WRONG"),
        ("form_fields.yaml", "CATALOGUE_SHAPE_WRONG"),
        ("items/nurse-registration.yaml: materials.0.copies", "CATALOGUE_SHAPE_WRONG"),
    } <= found


def test_a_wrong_task_code_says_which_one_is_right(copy, catalogue):
    right = catalogue.offer("signboard-permit", "361123").task_code
    _replace(copy, "items/signboard-permit.yaml", f'task_code: "{right}"', f'task_code: "{right[:-1]}9"')
    _, problems = read_catalogue(copy)
    assert any(right in problem.en and "361123" in problem.field_path for problem in problems)


def test_one_material_code_has_one_meaning(copy):
    _replace(
        copy,
        "items/signboard-permit.yaml",
        "  - code: identity_card\n",
        "  - code: identity_card\n    holder: business\n",
    )
    _, problems = read_catalogue(copy)
    assert any("something else by this code" in problem.en for problem in problems)


def test_a_repeated_key_in_a_file_is_refused_and_not_overwritten(copy):
    _replace(copy, "items/signboard-permit.yaml", "id_only: false", "id_only: false\nid_only: true")
    _, problems = read_catalogue(copy)
    assert problems[0].field_path == "items/signboard-permit.yaml"
    assert "repeated key 'id_only'" in problems[0].en


def test_an_absent_directory_is_a_catalogue_without_its_files(tmp_path):
    with pytest.raises(Fault) as caught:
        load_catalogue(tmp_path / "none")
    assert {problem.reason.code for problem in caught.value.violations} == {"CATALOGUE_SHAPE_WRONG"}


def test_each_template_uses_exactly_its_parameters_and_no_personal_data():
    templates = read_tree(SHIPPED).under("templates")
    assert {name.removeprefix("templates/").removesuffix(".yaml") for name in templates} == {
        template["template_id"] for template in templates.values()
    }
    for template in templates.values():
        declared = {parameter["code"] for parameter in template["parameters"]}
        for language in ("zh", "en"):
            used = {name for _, name, _, _ in string.Formatter().parse(template["text"][language]) if name}
            assert used == declared, template["template_id"]
        assert not declared & {"name", "id_number", "mobile", "address"}
        assert template["category"] in {"code", "notice"}
        assert template["approved"] is True
