"""Manifests of registers: read, written, and cut into what the registry compares at once."""

from __future__ import annotations

import itertools
from datetime import date, timedelta

import pytest

from chassis.errors import Fault
from cli.row_files import read_register, write_jsonl
from cli.source_manifests import (
    DAYS_AT_ONCE,
    LICENCES_AT_ONCE,
    Day,
    Manifest,
    manifests_of,
    read_manifests,
    stretches,
    write_manifests,
)

FIRST = date(2020, 1, 1)


def day(offset: int, count: int = 1) -> Day:
    return Day(FIRST + timedelta(days=offset), count, bytes(32))


@pytest.mark.parametrize(
    "days",
    [
        (day(0),),
        (day(0), day(3_000)),
        tuple(day(n, LICENCES_AT_ONCE // 3) for n in range(20)),
        tuple(day(n * 200, 20_000) for n in range(20)),
        (day(0, LICENCES_AT_ONCE * 2), day(1)),
    ],
)
def test_every_day_between_is_compared_once_and_no_call_asks_for_too_much(days):
    found = list(stretches(Manifest("", "T", days)))
    assert [each for part in found for each in part.days] == list(days)
    assert (found[0].first, found[-1].last) == (days[0].day, days[-1].day)
    for before, after in itertools.pairwise(found):
        assert after.first == before.last + timedelta(days=1)
    for part in found:
        assert 0 <= (part.last - part.first).days < DAYS_AT_ONCE
        assert all(part.first <= each.day <= part.last for each in part.days)
        assert len(part.days) == 1 or sum(each.count for each in part.days) <= LICENCES_AT_ONCE


def test_a_range_may_be_wider_or_narrower_than_the_manifest():
    (wide,) = stretches(Manifest("", "T", (day(5),)), FIRST, FIRST + timedelta(days=9))
    assert (wide.first, wide.last, len(wide.days)) == (FIRST, FIRST + timedelta(days=9), 1)
    (narrow,) = stretches(Manifest("", "T", (day(5), day(6))), FIRST + timedelta(days=6))
    assert [each.day for each in narrow.days] == [FIRST + timedelta(days=6)]
    assert list(stretches(Manifest("", "T", ()))) == []


def test_a_registers_manifest_reads_as_it_was_written(tmp_path):
    rows = [{"ZZLXDM": code, "ZZBFRQ": "2024-03-05", "ZZBS": str(n)} for n, code in enumerate("AAB")]
    write_jsonl(tmp_path / "r.jsonl", [*rows, {"ZZLXDM": "A"}, {"ZZBFRQ": "soon", "ZZLXDM": "A"}])
    found, left_out = manifests_of(read_register(tmp_path / "r.jsonl"), "s1")
    assert [(each.type_code, [day.count for day in each.days]) for each in found] == [("A", [2]), ("B", [1])]
    assert left_out == 2
    (tmp_path / "m.csv").write_text(write_manifests(found))
    assert read_manifests(tmp_path / "m.csv") == found


@pytest.mark.parametrize(
    "line", ["s,T,2024-13-01,1,00", "s,T,2024-03-01,one,00", "s,T,2024-03-01,1,xyz", "s,T"]
)
def test_a_wrong_line_of_a_manifest_is_named(tmp_path, line):
    (tmp_path / "m.csv").write_text(f"source_id,type_code,day,count,hash\n{line}\n")
    with pytest.raises(Fault, match="MANIFEST_LINE_WRONG") as refused:
        read_manifests(tmp_path / "m.csv")
    assert refused.value.metadata == {"line": "2"}
