"""The digests by which a register and the registry are compared."""

from __future__ import annotations

import hashlib
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from services.certs.domain.importing import ImportRow, judge
from services.certs.domain.importing.canonical import DayTotal, check_range, digest, digest_of_row, totals
from tests.unit.certs.conftest import FOOD, NOW
from tests.unit.certs.importing.rows import GOOD, OWN


def test_the_digest_of_a_row_is_the_documented_one():
    row = {**GOOD, "ZZYXQJZRQ": "长期", "KZ_JYXM": "热食类食品制售"}
    holders = f'[["111","{GOOD["CZZTDM"]}","{GOOD["CZZT"]}"]]'
    face = ",".join(f'["{name}","{row[name]}"]' for name in sorted(row) if name.startswith("KZ_"))
    ids = ",".join(f'"{row[name]}"' for name in ("ZZBS", "ZZLXDM", "ZZBH", "ZZBFJGDM"))
    text = f'[{ids},"2024-03-05","","",{holders},"standing",[{face}]]'
    assert digest_of_row(row) == (FOOD, date(2024, 3, 5), hashlib.sha256(text.encode()).digest())


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"ZZYXQJZRQ": "2030年3月4日", "ZZYXQQSRQ": "20240305"},
        {"CZZT": "甲^乙", "CZZTDM": "440524188001010014^11010519491231002X"},
        {"ZZZT": "吊销"},
        {"ZZZT": "暂扣"},
        {"ZZYXQJZRQ": "2025-01-01"},
        {"KZ_JYXM": "  热食类 "},
        {"BZ": "not kept"},
    ],
)
def test_a_register_and_the_registry_come_to_the_same_digest(types, changed):
    row = GOOD | changed
    licence = judge(ImportRow(1, row), types, OWN, NOW).licence
    assert licence is not None
    assert digest_of_row(row)[2] == digest(licence)


@given(st.permutations([bytes([n]) * 32 for n in range(1, 8)]))
def test_the_order_of_rows_makes_no_difference_and_one_row_more_does(digests):
    day = date(2024, 3, 5)
    total = totals((day, each) for each in digests)[day]
    assert total == totals((day, each) for each in sorted(digests))[day]
    assert total != totals((day, each) for each in digests[1:])[day]
    assert total.count == 7


def test_sums_wrap_around_at_two_to_the_256():
    day = date(2024, 3, 5)
    assert totals([(day, b"\xff" * 32), (day, bytes(31) + b"\x02")])[day] == DayTotal(
        day, 2, bytes(31) + b"\x01"
    )


def test_a_range_names_every_wrong_field_at_once():
    day = date(2024, 3, 5)
    with pytest.raises(Fault) as refused:
        check_range(
            "", day, date(2026, 3, 5), [DayTotal(day, 1, b""), None, DayTotal(date(2020, 1, 1), 1, bytes(32))]
        )
    assert [each.field_path for each in refused.value.violations] == [
        "type_code",
        "last_day",
        "days[0]",
        "days[1]",
        "days[2].day",
    ]
