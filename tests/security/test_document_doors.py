"""The doors that take a sealed document: the verifier behind gRPC and HTTP, and `tongban verify`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.security.hostile_files import CORPUS, Hostile, ofd

pytestmark = [pytest.mark.promise("P22")]
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = [each for each in CORPUS if each.name.endswith((".ofd", ".pdf"))]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What was said of each file, and of a harmless one."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "00-harmless").write_bytes(ofd())
    for each in PACKAGES:
        (folder / each.what).write_bytes(each.make())
    command = [sys.executable, "-m", "tests.security.judging", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=200)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {each["name"]: each for each in lines}


@pytest.mark.parametrize("hostile", PACKAGES, ids=str)
def test_no_hostile_document_is_found_valid_or_takes_long_or_much(
    hostile: Hostile, found: dict[str, dict[str, Any]], record_property
) -> None:
    judged, idle = found[hostile.what], found["00-harmless"]
    growth_kib = judged["peak_kib"] - idle["peak_kib"]
    record_property("measured", f"{judged['seconds']:.2f} s, {growth_kib // 1024} MiB")
    assert judged["status"] == 0, "the verifier fell"
    assert len(judged["verdicts"]) == 2
    assert set(judged["verdicts"]) <= {"INVALID", "UNSIGNED", "INDETERMINATE"}
    assert judged["seconds"] < 2.0
    assert growth_kib < 300 * 1024
