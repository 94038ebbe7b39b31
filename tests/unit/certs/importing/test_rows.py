"""The rules of an imported row: every problem at once, loose values flagged and not lost."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.certs.domain.importing import ImportRow, Judgement, judge
from services.certs.domain.importing.codes import county_of, lineage_key, read_status, serial_version_of
from services.certs.domain.metadata import read_date
from services.certs.domain.status import LicenceStatus
from standards.identifiers import build_licence_identifier
from tests.unit.certs.conftest import FOOD, MARKET, NOW
from tests.unit.certs.importing.rows import GOOD, OWN


def judged(types, **changed: str) -> Judgement:
    return judge(ImportRow(1, {name: v for name, v in (GOOD | changed).items() if v}), types, OWN, NOW)


def found(types, **changed: str) -> set[tuple[str, str]]:
    return {(each.field_path, each.reason.code) for each in judged(types, **changed).problems}


def test_a_complete_row_has_no_flag(types):
    judgement = judged(types)
    assert judgement.licence is not None
    assert judgement.quality_flags == ()
    assert judgement.licence.valid_until is None
    assert judgement.licence.status is LicenceStatus.VALID


def test_every_problem_of_a_row_is_named_at_once(types):
    assert found(
        types,
        ZZMC="",
        ZZBFRQ="2026-02-29",
        ZZYXQJZRQ="soon",
        CZZT="一^二",
        CZZTDMLXDM="777",
        JZJZZSY="办理贷款",
        ZZBFJGDM="11422827TB10000000",
    ) == {
        ("ZZMC", "FIELD_REQUIRED"),
        ("ZZBFRQ", "DATE_MALFORMED"),
        ("ZZYXQJZRQ", "DATE_MALFORMED"),
        ("CZZTDM", "HOLDER_COUNT_WRONG"),
        ("CZZTDMLXDM", "HOLDER_ID_TYPE_UNKNOWN"),
        ("JZJZZSY", "ANNOTATED_COPY_NO_SOURCE"),
        ("ZZBFJGDM", "ISSUER_OF_ANOTHER_COUNTY"),
    }


@pytest.mark.parametrize(
    ("changed", "flag"),
    [
        ({"ZZBS": GOOD["ZZBS"][:-1] + "*"}, "LICENCE_IDENTIFIER_CHECK_WRONG"),
        ({"ZZBS": "361103-2024-7"}, "LICENCE_IDENTIFIER_ROOT_WRONG"),
        ({"ZZBFJGDM": "361103"}, "USCC_LENGTH_WRONG"),
        ({"ZZLXDM": "X1"}, "LICENCE_IDENTIFIER_TYPE_WRONG"),
        ({"ZZLXDM": "X1"}, "LICENCE_TYPE_NOT_IN_CATALOGUE"),
        ({"ZZMC": "餐饮许可"}, "LICENCE_TYPE_NAME_DIFFERS"),
        ({"CZZTDM": "110105194912310021"}, "CITIZEN_ID_CHECK_WRONG"),
        ({"ZZLXDM": "11100000MB0143028R001"}, "LICENCE_IDENTIFIER_DISAGREES_WITH_ROW"),
        ({"KZ_JYCS": ""}, "FACE_FIELD_MISSING"),
        ({"BZ": "备注"}, "FIELD_NOT_KNOWN_AND_LEFT_OUT"),
        ({"ZZZT": "签注中"}, "STATUS_NOT_MAPPED"),
    ],
)
def test_a_loose_value_is_kept_as_received_and_flagged(types, changed, flag):
    judgement = judged(types, **changed)
    assert judgement.licence is not None, judgement.problems
    assert flag in judgement.quality_flags
    for name, value in changed.items():
        if name == "ZZBS":
            assert judgement.licence.identifier == value


def test_an_unmapped_status_keeps_the_licence_out_of_use():
    assert read_status("签注中") == (LicenceStatus.SUSPENDED, False)
    assert read_status("吊销") == (LicenceStatus.FORFEITED, True)
    assert read_status("") == (LicenceStatus.VALID, True)


def test_several_holders_keep_their_order(types):
    judgement = judged(types, CZZT="甲^乙", CZZTDM="440524188001010014^11010519491231002X")
    assert judgement.licence is not None
    assert [(each.name, each.id_number[:6]) for each in judgement.licence.holders] == [
        ("甲", "440524"),
        ("乙", "110105"),
    ]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-09", date(2026, 3, 9)),
        ("20260309", date(2026, 3, 9)),
        ("2026/3/9", date(2026, 3, 9)),
        ("2026年3月9日", date(2026, 3, 9)),
        ("长期", None),
        ("9999-12-31", None),
        ("99991231", None),
        ("9999年12月31日", None),
    ],
)
def test_the_date_forms_of_registers_are_read(text, day):
    assert read_date(text) == day


@pytest.mark.parametrize("name", ["ZZBFRQ", "ZZYXQQSRQ", "ZZYXQJZRQ"])
def test_a_date_before_1900_is_refused_by_its_field(types, name):
    assert (name, "DATE_TOO_EARLY") in found(types, **{name: "0001-01-01"})
    assert (name, "DATE_TOO_EARLY") not in found(types, **{name: "1900-01-01"})


def test_a_term_to_the_end_of_the_calendar_has_no_end(types):
    judgement = judged(types, ZZYXQJZRQ="9999-12-31")
    assert judgement.licence is not None
    assert (judgement.licence.valid_until, judgement.quality_flags) == (None, ())
    assert found(types, ZZBFRQ="9999-12-31") == {("ZZBFRQ", "DATE_MALFORMED")}


@pytest.mark.parametrize(
    ("code", "county"), [(MARKET, "361103"), ("422827", "422827"), ("ABC", ""), ("", "")]
)
def test_the_county_is_read_from_the_issuer(code, county):
    assert county_of(code) == county


def test_versions_of_one_serial_share_their_lineage():
    first = build_licence_identifier(FOOD, MARKET, "7", 1)
    second = build_licence_identifier(FOOD, MARKET, "7", 2)
    assert lineage_key(first) == lineage_key(second) != lineage_key("other")
    assert (serial_version_of(first), serial_version_of(second), serial_version_of("x")) == (1, 2, 1)


@given(st.dictionaries(st.sampled_from([*GOOD, "ZZYXQJZRQ", "ZZZT", "KZ_X"]), st.text(max_size=40)))
def test_no_row_whatever_it_holds_breaks_the_import(types, fields):
    judgement = judge(ImportRow(1, GOOD | fields), types, OWN, NOW)
    assert (judgement.licence is None) == bool(judgement.problems)
