"""At the command line: registers with broken rows, identifiers with wrong check characters, unknown years."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from chassis.clock import CHINA_TIME, system_clock
from cli.commands.deadline import read_calendar
from cli.demo.licence_rows import Registrar
from cli.demo.people import make_person
from cli.departments import office_by_id, registry_keeper
from cli.row_files import write_csv
from standards.identifiers import build_citizen_id, build_licence_identifier, build_uscc
from tests.e2e.bad_input.asking import other_last
from tests.e2e.bad_input.bench import COUNTY, OTHER_COUNTY, Bench
from tests.e2e.bad_input.refusals import in_both_languages, printed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
TYPE = "11100000000013127D001"


def good_row(bench: Bench, rng: random.Random) -> dict[str, str]:
    police = {"police": office_by_id(bench.offices, f"{COUNTY}-police")}
    today = system_clock().astimezone(CHINA_TIME).date()
    return Registrar(COUNTY, police, rng, today).identity_card(make_person(rng, COUNTY))


BROKEN: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "two mandatory fields missing": (
        {"ZZBS": "", "CZZT": ""},
        dict.fromkeys(("ZZBS", "CZZT"), "FIELD_REQUIRED"),
    ),
    "days that are none, of a holder of no kind": (
        {"ZZBFRQ": "2024-02-30", "ZZYXQJZRQ": "soon", "CZZTDMLXDM": "777"},
        {
            "ZZBFRQ": "DATE_MALFORMED",
            "ZZYXQJZRQ": "DATE_MALFORMED",
            "CZZTDMLXDM": "HOLDER_ID_TYPE_UNKNOWN",
        },
    ),
    "a term that ends before it begins": (
        {"ZZYXQQSRQ": "2024-05-01", "ZZYXQJZRQ": "2023-05-01"},
        {"ZZYXQJZRQ": "TERM_BACKWARDS"},
    ),
    "an issuer of another county": (
        {"ZZBFJGDM": build_uscc("11", OTHER_COUNTY, "MATB0003")},
        {"ZZBFJGDM": "ISSUER_OF_ANOTHER_COUNTY"},
    ),
    "a text that no database keeps, and one without end": (
        {"ZZMC": "身份\0证", "KZ_ZZ": "x" * 5_000},
        {"ZZMC": "FIELD_MALFORMED", "KZ_ZZ": "FIELD_TOO_LONG"},
    ),
}


def test_broken_rows_are_answered_one_by_one_and_the_good_ones_kept(bench: Bench, tmp_path: Path):
    """Wrong check characters circulate in old registers: such a row is kept, with a flag."""
    rng = random.Random()
    circulating = good_row(bench, rng)
    circulating |= {name: other_last(circulating[name]) for name in ("CZZTDM", "ZZBS")}
    rows = [good_row(bench, rng), circulating]
    for change, _ in BROKEN.values():
        rows += [good_row(bench, rng) | change, good_row(bench, rng)]
    register = tmp_path / "stock.csv"
    write_csv(register, rows)
    lines = register.read_text("utf-8-sig").splitlines()
    lines.insert(3, '一行没有写完的,"引号也没有关')
    register.write_text("\n".join(lines) + "\n", "utf-8-sig")

    before = bench.counts()
    status, done = bench.command("import", "licences", str(register), "--county", COUNTY)
    assert (status, done["rows"], done["refused_rows"]) == (3, len(rows) + 1, len(BROKEN) + 1)
    after, kept = bench.counts(), len(rows) - len(BROKEN)
    assert {name: after[name] - before[name] for name in ("certs.licence", "certs.event_log")} == {
        "certs.licence": kept,
        "certs.event_log": kept,
    }
    (file,) = done["files"]
    assert (file["outcomes"], file["flagged"]) == ({"created": kept, "refused": len(BROKEN) + 1}, 1)
    refused = {each["row_number"]: each["problems"] for each in file["refused"]}
    expected: dict[int, dict[str, str]] = {3: {"*": "ROW_UNREADABLE"}}
    expected |= {4 + 2 * number: wrong for number, (_, wrong) in enumerate(BROKEN.values())}
    assert {
        row: {each["field"]: each["reason"] for each in found} for row, found in refused.items()
    } == expected
    for each in (each for found in refused.values() for each in found):
        in_both_languages(each["zh"], each["en"])
    answers = [
        json.loads(line)
        for line in register.with_name("stock.csv.results.jsonl").read_text("utf-8").splitlines()
    ]
    assert [each["row_number"] for each in answers] == list(range(1, len(rows) + 2))
    assert answers[1]["quality_flags"] == ["LICENCE_IDENTIFIER_CHECK_WRONG", "CITIZEN_ID_CHECK_WRONG"]

    with bench.nothing_kept():  # the same file again is the same batch: the same answers
        assert bench.command("import", "licences", str(register), "--county", COUNTY) == (status, done)


def test_files_that_are_no_registers_are_all_named(bench: Bench, tmp_path: Path):
    (tmp_path / "stock.xlsx").write_bytes(b"PK")
    (tmp_path / "twice.csv").write_text("ZZMC,ZZMC\n")
    names = ("stock.xlsx", "twice.csv", "nowhere.csv")
    with bench.nothing_kept():
        status, answer = bench.command(
            "import", "licences", *(str(tmp_path / name) for name in names), "--county", COUNTY
        )
    assert status == 1
    reasons = ("REGISTER_KIND_UNKNOWN", "FILE_UNREADABLE", "FILE_UNREADABLE")
    printed(answer, "INVALID_REQUEST", dict(zip(names, reasons, strict=True)))


def test_a_county_that_is_none_is_refused(bench: Bench, tmp_path: Path):
    (tmp_path / "stock.csv").write_text("ZZMC\n身份证\n")
    with bench.nothing_kept():
        status, answer = bench.command(
            "import", "licences", str(tmp_path / "stock.csv"), "--county", "990101"
        )
    assert status == 1
    printed(answer, "DEPARTMENT_UNKNOWN")


def wrong_identifiers(bench: Bench) -> dict[str, tuple[str, str]]:
    issuer = registry_keeper(bench.offices, COUNTY).uscc
    person = bench.holder.person
    return {
        "citizen-id": (build_citizen_id(COUNTY, person.born, 7), "CITIZEN_ID_CHECK_WRONG"),
        "uscc": (issuer, "USCC_CHECK_WRONG"),
        "licence-id": (build_licence_identifier(TYPE, issuer, "TB1"), "LICENCE_IDENTIFIER_CHECK_WRONG"),
    }


@pytest.mark.parametrize("kind", ["citizen-id", "uscc", "licence-id"])
def test_a_wrong_check_character_is_named_with_the_right_one(bench: Bench, kind: str):
    value, reason = wrong_identifiers(bench)[kind]
    status, answer = bench.command("check", kind, other_last(value))
    assert (status, answer["valid"], answer["reason"]) == (1, False, reason)
    assert answer["expected_check"] == value[-1]
    in_both_languages(answer["detail"]["zh"], answer["detail"]["en"])


def test_a_year_without_a_holiday_notice_is_refused_and_not_guessed(bench: Bench):
    last = max(read_calendar(bench.reach.state.catalogue).years)
    status, answer = deadline(bench, f"{last}-12-30", "20")
    assert status == 1
    printed(answer, "CALENDAR_YEAR_NOT_LOADED")
    assert str(last + 1) in answer["zh"]
    assert str(last + 1) in answer["en"]
    assert "due" not in answer


def test_a_day_and_a_length_that_are_none_are_both_named(bench: Bench):
    status, answer = deadline(bench, "2026-02-30", "soon")
    assert status == 1
    printed(answer, "INVALID_REQUEST", {"--from": "FIELD_MALFORMED", "--working-days": "TERM_MALFORMED"})


def deadline(bench: Bench, started_on: str, working_days: str) -> tuple[int, dict[str, Any]]:
    return bench.command("deadline", "--from", started_on, "--working-days", working_days)
