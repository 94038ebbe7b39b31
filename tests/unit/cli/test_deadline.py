"""The published deadlines hold through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

VECTORS = json.loads((Path(__file__).parents[1] / "standards" / "identifiers.json").read_text("utf-8"))
CATALOGUE = Path(__file__).parents[3] / "catalogue"
BROKEN = """
year: 2026
version: "1"
notice: none
weekdays_off: ["2026-01-03"]
weekend_workdays: []
"""


def run(started_on: str, working_days: int, *more: str, catalogue: Path = CATALOGUE):
    days = ["--from", started_on, "--working-days", str(working_days)]
    result = CliRunner().invoke(app, ["deadline", *days, "--catalogue", str(catalogue), *more, "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize("vector", VECTORS["deadlines"])
def test_a_term_ends_on_the_published_day(vector):
    if "accepted" not in vector or "pauses" in vector or "paused" in vector:
        pytest.fail(f"a vector the command cannot express: {vector}")
    status, answer = run(vector["accepted"], vector["working_days"])
    assert (status, answer["due"]) == (0, vector["due"])


@pytest.mark.parametrize("vector", VECTORS["deadlines_refused"])
def test_a_year_without_a_notice_is_refused_not_guessed(vector):
    status, answer = run(vector["accepted"], vector["working_days"])
    assert (status, answer["reason"]) == (1, "CALENDAR_YEAR_NOT_LOADED")
    assert "due" not in answer


def test_an_explained_deadline_lists_every_day():
    _, answer = run("2026-02-10", 5, "--explain")
    assert answer["days"][0] == {"day": "2026-02-11", "kind": "workday", "counted": 1}
    assert answer["days"][-1] == {"day": answer["due"], "kind": "workday", "counted": 5}
    assert {"day": "2026-02-14", "kind": "make_up_workday", "counted": 4} in answer["days"]


@pytest.mark.parametrize(
    ("day", "length", "wrong"),
    [
        ("2026-02-10", -1, {"--working-days": "TERM_MALFORMED"}),
        ("2026-02-30", "ten", {"--from": "FIELD_MALFORMED", "--working-days": "TERM_MALFORMED"}),
        ("20260210", 5, {"--from": "FIELD_MALFORMED"}),
    ],
)
def test_every_wrong_value_is_named_at_once(day, length, wrong):
    status, answer = run(day, length)
    assert (status, answer["reason"]) == (1, "INVALID_REQUEST")
    assert {each["field"]: each["reason"] for each in answer["fields"]} == wrong


def test_a_wrong_calendar_file_is_named(tmp_path):
    (tmp_path / "calendar").mkdir()
    (tmp_path / "calendar" / "2026.yaml").write_text(BROKEN)
    (tmp_path / "calendar" / "2027.yaml").write_text("year: soon")
    status, answer = run("2026-02-10", 5, catalogue=tmp_path)
    assert status == 1
    assert {each["field"] for each in answer["fields"]} == {"2026.yaml", "2027.yaml"}


def test_a_missing_calendar_is_said_to_be_missing(tmp_path):
    assert run("2026-02-10", 5, catalogue=tmp_path)[1]["reason"] == "CALENDAR_MISSING"
