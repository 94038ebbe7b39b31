"""Each bug that is kept as a patch is found again by the test that it names.

A seeded sample by default (``--first-seed`` chooses it), all of them with ``--all-patches``.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.bugs import CHECKOUT, Bug, apply, copy_tree, read_bugs, run_test

SAMPLE = 3
BUGS = read_bugs()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "sampled_bug" in metafunc.fixturenames:
        chosen = BUGS
        if not metafunc.config.getoption("--all-patches"):
            chance = random.Random(metafunc.config.getoption("--first-seed"))
            chosen = chance.sample(BUGS, min(SAMPLE, len(BUGS)))
        metafunc.parametrize("sampled_bug", chosen, ids=lambda bug: bug.name)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_kept_bug_still_applies(bug: Bug) -> None:
    told = apply(bug, CHECKOUT, only_check=True)
    assert not told, f"{bug.path.name} no longer applies, make it anew:\n{told}"


def test_the_tests_that_must_catch_them_exist() -> None:
    nodes = sorted({node for bug in BUGS for node in bug.caught_by})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *nodes]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_reintroduced_bug_is_caught(sampled_bug: Bug, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree")
    told = apply(sampled_bug, tree)
    assert not told, told
    for node in sampled_bug.caught_by:
        is_caught, output = run_test(node, tree)
        assert is_caught, f"with {sampled_bug.path.name} ({sampled_bug.what}) {node} did not fail:\n{output}"


def test_a_patch_that_breaks_nothing_is_no_catch(tmp_path: Path) -> None:
    """The canary: with a change that breaks nothing the named test passes, and that is told."""
    harmless = tmp_path / "harmless.patch"
    harmless.write_text(
        "# caught-by: tests/history/test_checker.py::test_a_sound_history_with_faults_has_no_anomaly\n"
        "# what: nothing\n--- /dev/null\n+++ b/chassis/nothing.py\n@@ -0,0 +1 @@\n+# nothing\n"
    )
    (bug,) = read_bugs(tmp_path)
    tree = copy_tree(tmp_path / "tree")
    assert not apply(bug, tree)
    assert (tree / "chassis" / "nothing.py").exists()
    is_caught, _ = run_test(bug.caught_by[0], tree)
    assert not is_caught


def test_a_patch_without_its_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mute.patch").write_text("--- a/x\n+++ b/x\n")
    with pytest.raises(ValueError, match="does not say"):
        read_bugs(tmp_path)
