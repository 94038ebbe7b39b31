"""Every published vector of shared/vectors/identifiers.json and what the codes promise to find."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chassis.errors import Fault
from standards import identifiers as ids
from standards.identifiers import casenumber, citizen, mod3736, uscc
from standards.identifiers.licence import LicenceIdentifier

BASE36 = st.text(mod3736.ALPHABET, min_size=1, max_size=60)


def _changed(value: str, position: int, character: str) -> str:
    return value[:position] + character + value[position + 1 :]


def _swapped(value: str, position: int) -> str:
    return value[:position] + value[position + 1] + value[position] + value[position + 2 :]


def test_every_published_licence_identifier_passes(vectors):
    for value in vectors["licence_identifier"]["valid"]:
        assert ids.check_licence_identifier(value).valid, value
        assert str(ids.parse_licence_identifier(value)) == value


def test_an_identifier_with_a_division_code_as_issuer_is_imported_but_never_issued(vectors):
    for case in vectors["licence_identifier"]["valid_check_but_not_issuable"]:
        loose = ids.check_licence_identifier(case["value"])
        assert loose.valid
        assert loose.flags == ("LICENCE_IDENTIFIER_ISSUER_NOT_USCC",)
        strict = ids.check_licence_identifier_for_issuing(case["value"])
        assert strict.reason == "LICENCE_IDENTIFIER_ISSUER_NOT_USCC"


def test_every_invalid_licence_identifier_is_refused_with_the_right_check(vectors):
    for case in vectors["licence_identifier"]["invalid"]:
        for check in (ids.check_licence_identifier, ids.check_licence_identifier_for_issuing):
            outcome = check(case["value"])
            assert not outcome.valid, case
            assert outcome.expected_check == case["expected_check"], case
            assert outcome.zh
            assert outcome.en


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("1.2.156.3005.3.11100000000013338W011.11430000006122244L.20230000403.001.U", "ROOT_WRONG"),
        ("1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.U", "PARTS_WRONG"),
        ("1.2.156.3005.2.11100000000013338W01.11430000006122244L.20230000403.001.U", "TYPE_WRONG"),
        ("1.2.156.3005.2.11100000000013338W011.11430000006122244l.20230000403.001.U", "ISSUER_WRONG"),
        ("1.2.156.3005.2.11100000000013338W011.11430000006122244L..001.U", "SERIAL_WRONG"),
        ("1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.1.U", "VERSION_WRONG"),
        ("1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.000.U", "VERSION_WRONG"),
        ("1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000404.001.U", "CHECK_WRONG"),
    ],
)
def test_the_answer_names_the_failed_rule(value, rule):
    assert ids.check_licence_identifier(value).reason == f"LICENCE_IDENTIFIER_{rule}"


def test_the_worked_example_and_the_edge_of_mod_37_36(vectors):
    example = vectors["licence_identifier"]["worked_example"]
    for length, product in example["p_after"].items():
        assert mod3736.running_product(example["body"][: int(length)]) == product
    edge = vectors["licence_identifier"]["p_equals_1_edge"]
    assert mod3736.running_product(edge["body"]) == edge["p_after_last_character"]
    assert mod3736.check_character(edge["body"]) == edge["check"]


@given(BASE36, st.data())
def test_mod_37_36_finds_every_single_wrong_character(body, data):
    full = body + mod3736.check_character(body)
    position = data.draw(st.integers(0, len(full) - 1))
    wrong = data.draw(st.sampled_from(mod3736.ALPHABET))
    assume(wrong != full[position])
    changed = _changed(full, position, wrong)
    assert mod3736.check_character(changed[:-1]) != changed[-1]


@given(st.from_regex(r"[0-9A-Z]{1,64}", fullmatch=True), st.integers(1, 999))
def test_a_built_identifier_is_issuable_and_reads_back(serial, version):
    value = ids.build_licence_identifier("11100000MB0143028R001", "11110000000021135M", serial, version)
    assert ids.check_licence_identifier_for_issuing(value).valid
    parts = ids.parse_licence_identifier(value)
    assert parts == LicenceIdentifier("11100000MB0143028R001", "11110000000021135M", serial, version)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("11100000MB0143028X001", "11110000000021135M", "1"), "LICENCE_IDENTIFIER_TYPE_DEFINER_WRONG"),
        (("11100000MB0143028R001", "340100", "1"), "LICENCE_IDENTIFIER_ISSUER_NOT_USCC"),
        (("11100000MB0143028R001", "11110000000021135M", "a"), "LICENCE_IDENTIFIER_SERIAL_WRONG"),
        (("11100000MB0143028R001", "11110000000021135M", "1", 1000), "LICENCE_IDENTIFIER_VERSION_WRONG"),
    ],
)
def test_nothing_wrong_is_issued(arguments, code):
    with pytest.raises(Fault) as caught:
        ids.build_licence_identifier(*arguments)
    assert caught.value.code == code


def test_the_next_version_keeps_the_serial_and_ends_at_999(vectors):
    first, second = vectors["licence_identifier"]["valid"][:2]
    assert str(ids.parse_licence_identifier(first).next_version()) == second
    last = ids.build_licence_identifier("11100000MB0143028R001", "11110000000021135M", "1", 999)
    with pytest.raises(Fault):
        ids.parse_licence_identifier(last).next_version()


def test_every_published_uscc_passes_with_both_checks(vectors):
    for value in vectors["uscc"]["valid"]:
        assert ids.check_uscc(value).flags == (), value


def test_every_invalid_uscc_is_refused(vectors):
    for case in vectors["uscc"]["invalid"]:
        outcome = ids.check_uscc(case["value"])
        assert not outcome.valid, case
        assert outcome.expected_check == case["expected_check"], case


def test_the_worked_uscc_and_organisation_codes(vectors):
    example = vectors["uscc"]["worked_example"]
    assert uscc.uscc_check_character(example["body"]) == example["check"]
    for case in vectors["uscc"]["organisation_code"]:
        assert uscc.organisation_check_character(case["body"]) == case["check"]
        assert ids.check_organisation_code(case["body"] + case["check"]).valid


def test_a_wrong_organisation_code_inside_a_right_uscc_is_a_warning_only():
    body = "91350100M000100Y5"
    outcome = ids.check_uscc(body + uscc.uscc_check_character(body))
    assert outcome.valid
    assert outcome.flags == ("ORGANISATION_CODE_WRONG",)


USCC = st.builds(
    ids.build_uscc,
    st.sampled_from(["11", "12", "51", "91", "92", "Y1", "A1"]),
    st.integers(110000, 659999).map(str),
    st.text(uscc.ALPHABET, min_size=8, max_size=8),
)


@given(USCC, st.data())
def test_a_uscc_finds_every_wrong_character_and_every_swap_of_neighbours(value, data):
    assert ids.check_uscc(value).flags == ()
    position = data.draw(st.integers(0, 17))
    wrong = data.draw(st.sampled_from(uscc.ALPHABET))
    if wrong != value[position]:
        assert not ids.check_uscc(_changed(value, position, wrong)).valid
    at = data.draw(st.integers(0, 16))
    if value[at] != value[at + 1]:
        assert not ids.check_uscc(_swapped(value, at)).valid


@pytest.mark.parametrize(
    "parts", [("11", "36110", "M000100Y"), ("11", "361103", "M00010OY"), ("11", "36110A", "M000100Y")]
)
def test_no_malformed_uscc_is_built(parts):
    with pytest.raises(Fault):
        ids.build_uscc(*parts)


def test_every_published_citizen_number_passes_and_every_wrong_one_is_refused(vectors):
    for value in vectors["citizen_id"]["valid"]:
        assert ids.check_citizen_id(value).valid, value
    for case in vectors["citizen_id"]["invalid"]:
        outcome = ids.check_citizen_id(case["value"])
        assert not outcome.valid, case
        assert outcome.expected_check == case["expected_check"], case
    for example in vectors["citizen_id"]["worked_example"]:
        assert citizen.citizen_check_character(example["body"]) == example["check"]


CITIZEN = st.builds(
    ids.build_citizen_id,
    st.integers(110000, 659999).map(str),
    st.dates(date(1900, 1, 1), date(2026, 1, 1)),
    st.integers(0, 999),
)


@given(CITIZEN, st.data())
def test_a_citizen_number_finds_every_wrong_digit_and_every_swap_of_neighbours(value, data):
    assert ids.check_citizen_id(value).valid
    position = data.draw(st.integers(0, 17))
    wrong = data.draw(st.sampled_from("0123456789X"))
    if wrong != value[position]:
        assert not ids.check_citizen_id(_changed(value, position, wrong)).valid
    at = data.draw(st.integers(0, 16))
    if value[at] != value[at + 1]:
        assert not ids.check_citizen_id(_swapped(value, at)).valid


@given(st.dates(date(1900, 1, 1), date(2026, 1, 1)))
def test_the_birth_date_reads_back(born):
    assert ids.citizen_birth_date(ids.build_citizen_id("110105", born, 2)) == born


def test_the_sex_is_the_parity_of_the_sequence():
    assert citizen.citizen_sex("11010519491231002X") == "female"
    assert citizen.citizen_sex("440524188001010014") == "male"


def test_nobody_is_born_in_the_future():
    value = ids.build_citizen_id("110105", date(2026, 8, 2), 1)
    assert ids.check_citizen_id(value).valid
    assert ids.check_citizen_id(value, today=date(2026, 8, 1)).reason == "CITIZEN_ID_BIRTH_DATE_WRONG"


def test_a_small_x_is_made_capital_and_nothing_else():
    assert citizen.normalise_citizen_id("11010519491231002x") == "11010519491231002X"
    assert citizen.normalise_citizen_id(" 11010519491231002X") == " 11010519491231002X"


def test_digits_of_other_scripts_are_no_digits():
    assert not ids.check_citizen_id("1101051949123100２X").valid
    assert not ids.check_uscc("9135０100M000100Y43").valid


def test_the_case_number_of_the_sample_pattern_gets_a_check_character(vectors):
    sample = vectors["project_no"]
    day = date.fromisoformat(sample["date"])
    assert casenumber.case_number_body(sample["task_code"], day, int(sample["seq"])) == sample["value"]
    number = ids.build_case_number(sample["task_code"], day, 1)
    assert number[:-1] == sample["value"]
    assert ids.check_case_number(number).valid
    assert ids.check_case_number(sample["value"]).reason in {
        "CASE_NUMBER_CHECK_WRONG",
        "CASE_NUMBER_MALFORMED",
    }


@given(st.from_regex(r"[0-9A-Z]{1,31}", fullmatch=True), st.integers(1, 999_999), st.data())
def test_one_wrong_character_in_a_case_number_is_found(prefix, sequence, data):
    number = ids.build_case_number(prefix, date(2026, 2, 10), sequence)
    assert ids.check_case_number(number).valid
    position = data.draw(st.integers(0, len(number) - 1))
    wrong = data.draw(st.sampled_from(mod3736.ALPHABET))
    assume(wrong != number[position])
    assert not ids.check_case_number(_changed(number, position, wrong)).valid


@pytest.mark.parametrize(
    ("prefix", "sequence"), [("", 1), ("a", 1), ("A" * 32, 1), ("A", 0), ("A", 1_000_000)]
)
def test_no_malformed_case_number_is_built(prefix, sequence):
    with pytest.raises(Fault):
        ids.build_case_number(prefix, date(2026, 2, 10), sequence)


@given(st.text(max_size=80))
def test_no_check_ever_raises_on_any_text(value):
    for check in (
        ids.check_licence_identifier,
        ids.check_licence_identifier_for_issuing,
        ids.check_licence_type_code,
        ids.check_uscc,
        ids.check_organisation_code,
        ids.check_citizen_id,
        ids.check_case_number,
    ):
        outcome = check(value)
        assert outcome.valid == (outcome.reason is None) == (not outcome.violations("field"))
