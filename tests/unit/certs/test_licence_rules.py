"""Making, disclosing and presenting a licence; the catalogue's types and departments."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.department import parse_departments
from services.certs.domain.disclosure import disclosed, masked, public_identifier
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import make, serial_of, term_end
from services.certs.domain.licence_type import parse_licence_types
from services.certs.domain.presentation import (
    check_offline,
    handle_of,
    jws_of,
    read_summary,
    summarise,
    verdict,
)
from services.certs.domain.purpose import Basis, Purpose, check_purpose, is_writable, says_something
from services.certs.domain.status import LicenceStatus
from standards.identifiers import check_licence_identifier_for_issuing
from tests.unit.certs.conftest import FOOD, MARKET, NOW


def test_a_made_licence_has_a_strict_identifier_of_version_001(licence):
    assert check_licence_identifier_for_issuing(licence.identifier).valid
    assert licence.identifier.split(".")[-3:-1] == ["20260000007", "001"]
    assert licence.status is LicenceStatus.PENDING_SEAL
    assert (licence.valid_from, licence.valid_until) == (date(2026, 3, 9), date(2031, 3, 8))
    assert licence.quality_flags == ("FACE_FIELD_MISSING",)


def test_an_issuer_that_is_no_credit_code_gets_no_licence(types, data):
    with pytest.raises(Fault) as refused:
        make("id", replace(data, issuer_code="361103"), types[FOOD], 1)
    assert refused.value.code == "LICENCE_IDENTIFIER_ISSUER_NOT_USCC"


@given(st.dates(date(2000, 1, 1), date(2090, 12, 31)), st.integers(1, 50))
def test_a_term_of_years_ends_the_day_before_its_anniversary(first, years):
    end = term_end(first, years)
    assert end is not None
    following = end + timedelta(days=1)
    assert (following.month, following.day) in {(first.month, first.day), (3, 1)}
    assert following.year == first.year + years
    assert term_end(first, 0) is None


@pytest.mark.parametrize("sequence", [0, 10_000_000])
def test_a_serial_outside_seven_digits_is_refused(sequence):
    with pytest.raises(Fault):
        serial_of(2026, sequence)


def test_a_reader_without_a_use_code_sees_masked_values_only(licence, types):
    shown = masked(licence, types[FOOD])
    assert (shown.holder_name, shown.holder_id_number) == ("丰**", "")
    assert shown.face["KZ_FDDBR"] == "丰**"
    assert shown.face["KZ_ZTYT"] == "餐饮服务经营者"
    assert set(masked(licence, None).face["KZ_ZTYT"]) == {"*"}
    assert "11010519491231002X" not in repr(licence)


def test_a_consumer_sees_the_bound_fields_and_no_other(licence, types):
    shown = disclosed(licence, types[FOOD], ["KZ_JYCS"])
    assert set(shown.face) == {"KZ_JYCS"}
    assert (shown.holder_name, shown.holder_id_number) == ("丰小玉", "11010519491231002X")


def test_an_identifier_with_an_identity_number_is_not_public(licence):
    held = replace(licence, identifier=f"1.2.156.3005.2.{FOOD}.{MARKET}.11010519491231002X.001.0")
    assert public_identifier(held) == ""
    company = replace(held, holders=(Holder("001", MARKET, "公司"),))
    assert public_identifier(company) == company.identifier


@pytest.mark.parametrize("text", ["", " ", "\u200b", "\u3164", "\u2800", "\ufeff", "。", "--", "\0"])
def test_a_text_without_a_letter_or_a_digit_says_nothing(text):
    assert not says_something(text)


@pytest.mark.parametrize("text", ["审", "a", "7", "《食品安全法》", "\u200b核"])
def test_a_text_with_a_letter_or_a_digit_says_something(text):
    assert says_something(text)


@given(st.text(), st.sampled_from([*Basis, None]), st.sampled_from(["", "case-1"]))
def test_no_read_goes_ahead_without_cause_basis_and_for_consent_a_case(cause, basis, case_id):
    complete = says_something(cause) and is_writable(cause) and len(cause) <= 200 and basis is not None
    complete = complete and (basis is not Basis.CONSENT or bool(case_id))
    purpose = Purpose(cause, basis, "", case_id)
    if complete:
        check_purpose(purpose)
    else:
        with pytest.raises(Fault):
            check_purpose(purpose)


def test_a_summary_reads_back_and_ends_after_a_minute(licence):
    valid = replace(licence, status=LicenceStatus.VALID)
    summary = summarise(valid, "code", NOW)
    assert read_summary(summary.claims()) == summary
    assert summary.handle == handle_of("code")
    assert check_offline(summary, NOW + timedelta(seconds=59)) == summary
    with pytest.raises(Fault):
        check_offline(summary, NOW + timedelta(seconds=91))
    with pytest.raises(Fault):
        check_offline(replace(summary, expires_at=NOW + timedelta(hours=1)), NOW)


@pytest.mark.parametrize("claims", [{}, {"typ": "receipt"}, {"typ": "presentation", "iat": "x"}])
def test_claims_of_anything_else_are_no_summary(claims):
    with pytest.raises(Fault):
        read_summary(claims)
    with pytest.raises(Fault):
        jws_of("TB2.x")


@pytest.mark.parametrize(
    ("status", "sealed_verdict", "intact", "expected"),
    [
        (LicenceStatus.VALID, "VALID", True, "VALID"),
        (LicenceStatus.VALID, "INDETERMINATE", True, "INDETERMINATE"),
        (LicenceStatus.VALID, "VALID", False, "INVALID"),
        (LicenceStatus.VALID, "", None, "UNSEALED"),
        (LicenceStatus.SUSPENDED, "VALID", True, "NOT_IN_FORCE"),
    ],
)
def test_only_a_licence_in_force_with_an_unchanged_verified_document_is_valid(
    licence, status, sealed_verdict, intact, expected
):
    changed = replace(licence, status=status, sealing=replace(licence.sealing, verdict=sealed_verdict))
    assert verdict(changed, changed.sealing, intact, NOW) == expected


def test_the_types_of_the_catalogue_are_read_with_their_masks(types):
    assert len(types) > 10
    name = types["11100000000013127D001"].field("KZ_XM")
    assert name is not None
    assert name.mask == "name"


@pytest.mark.parametrize(
    "document",
    [
        None,
        {"licence_types": [{"code": "x"}]},
        {
            "licence_types": [
                {"code": "x", "name": {"zh": "证"}, "face_fields": [], "display": {"fields": ["K"]}}
            ]
        },
        {"licence_types": [{"code": "x", "name": {"zh": "证"}, "face_fields": []}] * 2},
    ],
)
def test_a_wrong_type_list_is_refused_with_the_place(document):
    with pytest.raises(Fault) as refused:
        parse_licence_types(document)
    assert refused.value.code == "LICENCE_TYPES_MALFORMED"


def test_a_department_that_is_not_listed_is_known_by_its_code():
    departments = parse_departments({"departments": []})
    assert departments.find(MARKET).county_code == "361103"
    with pytest.raises(Fault):
        parse_departments({"departments": [{"uscc": "x"}]})
