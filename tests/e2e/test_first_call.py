"""The walk-through of docs/department.md runs as it is written."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import Told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]


def test_the_first_call_of_a_department(told: Told, tmp_path: Path):
    status, identity = told.command("certificate", "361123-market")
    assert status == 0
    (tmp_path / "department.json").write_text(json.dumps(identity))
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "examples" / "first_call.py", tmp_path / "department.json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert int(lines[0].split()[0]) >= 1, "the demo's part of this department is listed"
    assert "食品经营许可" in done.stdout
    assert "refused: PART_NOT_FOUND" in lines
    assert int(lines[-1].split()[0]) >= 1


def test_a_department_nobody_knows_gets_no_certificate(told: Told):
    status, answer = told.command("certificate", "361123-nobody")
    assert (status, answer["reason"]) == (1, "DEPARTMENT_UNKNOWN")
