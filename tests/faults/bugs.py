"""Bugs that were found and fixed, or that the design forbids, kept as patches that re-introduce them.

A patch is a unified diff below header lines: ``# caught-by: <pytest node id>`` (one or more) and ``# what: …``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PATCHES = Path(__file__).with_name("patches")
TEST_SECONDS = 300
_FAILED = re.compile(r"^(?:=+ )?(\d+) failed", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Bug:
    """One patch: what it breaks and which tests must fail with it."""

    path: Path
    what: str
    caught_by: tuple[str, ...]

    @property
    def name(self) -> str:
        """The patch's file name without its ending."""
        return self.path.stem


def read_bugs(directory: Path = PATCHES) -> list[Bug]:
    """Return the patches in the order of their names. Raises ValueError for one without its header."""
    return [_read(path) for path in sorted(directory.glob("*.patch"))]


def _read(path: Path) -> Bug:
    header = [line[1:].strip() for line in path.read_text().splitlines() if line.startswith("#")]
    what = " ".join(line.partition(":")[2].strip() for line in header if line.startswith("what:"))
    caught_by = tuple(line.partition(":")[2].strip() for line in header if line.startswith("caught-by:"))
    if not what or not caught_by or not all("::" in node for node in caught_by):
        raise ValueError(f"{path.name} does not say what it breaks and which test catches that")
    return Bug(path, what, caught_by)


def copy_tree(target: Path) -> Path:
    """Copy the working tree, without what git ignores; return where it lies."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        source = CHECKOUT / name
        if source.is_file():  # a deleted one is still listed
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def apply(bug: Bug, tree: Path, *, only_check: bool = False) -> str:
    """Apply a patch to a tree, or only try to; return what git says when it does not apply, else nothing."""
    check = ["--check"] if only_check else []
    done = subprocess.run(
        ["git", "apply", *check, str(bug.path)],
        cwd=tree,
        # Without this git would look for a repository around the copy and skip paths outside of it.
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr if done.returncode else ""


def run_test(node: str, tree: Path) -> tuple[bool, str]:
    """Run one test in a tree; tell whether it ran and failed, and what it printed."""
    libraries = os.environ.get("TONGBAN_KAFKA_LIBS") or str(CHECKOUT / ".tongban" / "kafka-libs")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'gen'}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TONGBAN_KAFKA_LIBS": libraries,
    }
    for name in [name for name in environment if name.startswith("PYTEST_")]:
        del environment[name]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", node],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TEST_SECONDS,
        check=False,
    )
    # A test that errs in its fixtures or does not import proves nothing: it must have run and failed.
    return done.returncode == 1 and _FAILED.search(done.stdout) is not None, done.stdout[
        -4000:
    ] + done.stderr[-1000:]
