"""A new year's calendar is checked before it is placed; what is left of the loaded ones is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app

CATALOGUE = Path(__file__).parents[3] / "catalogue"
GOOD: dict[str, Any] = yaml.safe_load((CATALOGUE / "calendar" / "2026.yaml").read_text())


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    shutil.copytree(CATALOGUE / "calendar", tmp_path / "calendar")
    return tmp_path


def run(*arguments: object) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["calendar", *map(str, arguments), "--json"])
    return done.exit_code, json.loads(done.stdout)


def file_of(directory: Path, **changed: object) -> Path:
    path = directory / "new.yaml"
    path.write_text(yaml.safe_dump(GOOD | changed, allow_unicode=True))
    return path


def test_days_left_decide_the_exit_status(catalogue: Path) -> None:
    status, told = run("status", "--catalogue", catalogue, "--data-dir", catalogue, "--least-days", 0)
    assert (status == 0) == (told["days_left"] >= 0)
    assert [year["year"] for year in told["years"]] == [2025, 2026]
    assert told["years"][1]["working_days"] == 248
    assert told["cases_waiting"] is None  # no service runs here
    status, told = run("status", "--catalogue", catalogue, "--data-dir", catalogue, "--least-days", 100_000)
    assert (status, told["ok"]) == (1, False)


def test_a_sound_file_is_checked_without_being_placed_and_placed_when_asked(catalogue: Path) -> None:
    path = file_of(catalogue, version="2026.2")
    before = (catalogue / "calendar" / "2026.yaml").read_bytes()
    assert run("load", path, "--check", "--catalogue", catalogue)[0] == 0
    assert (catalogue / "calendar" / "2026.yaml").read_bytes() == before
    status, told = run("load", path, "--catalogue", catalogue)
    assert (status, told["replaces"]) == (0, True)
    assert "2026.2" in run("status", "--catalogue", catalogue, "--data-dir", catalogue)[1]["version"]


OFF, MAKE_UP = GOOD["weekdays_off"], GOOD["weekend_workdays"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"weekdays_off": [*OFF, "2026-07-04"]}, "2026-07-04 is a weekend anyway"),
        ({"weekend_workdays": [*MAKE_UP, "2026-07-01"]}, "2026-07-01 is a weekday anyway"),
        ({"weekdays_off": [*OFF, "2027-01-01"]}, "2027-01-01 is not in 2026"),
        ({"weekdays_off": OFF[1:]}, "1 January is not off"),
        ({"weekdays_off": OFF[:5]}, "working days"),
        ({"weekdays_off": []}, "weekdays off"),
        ({"notice": " "}, "names no notice"),
        ({"weekdays_off": ["soon"]}, "weekdays_off"),
        ({"year": "next"}, "year"),
    ],
)
def test_an_unsound_file_is_refused_naming_what_is_wrong(
    catalogue: Path, changed: dict[str, Any], said: str
) -> None:
    status, told = run("load", file_of(catalogue, **changed), "--check", "--catalogue", catalogue)
    assert status == 1
    assert said in json.dumps(told, ensure_ascii=False)


def test_other_days_need_another_version(catalogue: Path) -> None:
    path = file_of(catalogue, weekdays_off=[*OFF, "2026-10-08"])
    status, told = run("load", path, "--catalogue", catalogue)
    assert status == 1
    assert "loaded with other days" in json.dumps(told)


@pytest.mark.parametrize("content", ["", "[]", "{", "a: [1", "\x00"])
def test_what_is_no_calendar_is_refused(catalogue: Path, content: str) -> None:
    path = catalogue / "x.yaml"
    path.write_text(content)
    assert run("load", path, "--check", "--catalogue", catalogue)[0] == 1
