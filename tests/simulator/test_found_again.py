"""Bugs that are kept as patches are found again by the simulator, each within so many seeds.

A seeded sample by default (``--first-seed`` chooses it), all of them with ``--all-patches``.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.bugs import CHECKOUT, PATCHES, apply, read_bugs

pytestmark = [pytest.mark.promise("P3", "P7")]

SAMPLE = 4
FOUND = {
    "attempt-counted-after-the-try": ("messaging", 100),
    "freed-key-applied-unprepared": ("messaging", 200),
    "inbox-forgets": ("messaging", 50),
    "infrastructure-counts-as-attempt": ("messaging", 50),
    "parked-key-is-overtaken": ("messaging", 50),
    "relay-does-not-poll": ("messaging", 50),
    "relay-ignores-another-bus": ("messaging", 200),
    "relay-marks-before-it-sends": ("messaging", 100),
    "replay-is-overtaken": ("messaging", 400),
    "server-death-mid-statement-is-no-outage": ("messaging", 100),
    "stale-version-applied": ("messaging", 50),
    "standby-parks-events": ("messaging", 100),
    "swallowed-failure-passes-for-committed": ("messaging", 50),
    "version-gap-ignored": ("messaging", 50),
    "watch-begins-anew": ("choreography", 20),
    "watch-skips-a-revision": ("choreography", 20),
}
"""Patch → which simulation finds it, within how many seeds from the first."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "patch" in metafunc.fixturenames:
        names = sorted(FOUND)
        if not metafunc.config.getoption("--all-patches", default=False):
            names = random.Random(metafunc.config.getoption("--first-seed")).sample(names, SAMPLE)
        metafunc.parametrize("patch", names)


def test_a_kept_bug_is_found_by_the_simulator(patch: str, tmp_path: Path) -> None:
    (bug,) = [bug for bug in read_bugs() if bug.name == patch]
    for package in ("chassis", "services"):
        shutil.copytree(CHECKOUT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    told = apply(bug, tmp_path)
    assert not told, told
    found, output = _simulate(tmp_path, *FOUND[patch])
    assert found, f"{FOUND[patch]} did not find {patch} ({bug.what}):\n{output}"


def test_every_bug_that_must_be_found_is_kept() -> None:
    assert {f"{name}.patch" for name in FOUND} <= {path.name for path in PATCHES.iterdir()}


def _simulate(tree: Path, name: str, seeds: int) -> tuple[bool, str]:
    """Run seeds over the code of a tree; say whether something was found wrong."""
    command = [sys.executable, "-m", "tests.simulator", name, "--simulations", str(seeds)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (tree, CHECKOUT, CHECKOUT / "gen"))),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    return done.returncode == 1 and "repeat: " in done.stdout, done.stdout[-3000:] + done.stderr[-2000:]
