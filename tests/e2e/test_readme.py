"""Every command that README shows in a ``sh`` block exists and is run, here or by a named test."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
COVERED = {
    "make demo": "tests/e2e/test_main_job.py runs the same ten steps",
    "make up": "tests/e2e/conftest.py",
    "make down": "tests/e2e/conftest.py",
    "make test": "this run",
    "make check": "the job `check` of .ci",
    "make bench": "tests/load",
    "make chaos": "tests/chaos",
    "tongban demo": "tests/e2e/test_main_job.py",
    "tongban up": "tests/e2e/conftest.py",
    "tongban down": "tests/e2e/conftest.py",
    "tongban import": "test_a_register_is_imported_by_the_command",
    "tongban serve": "cli/local starts services the same way",
    "tongban migrate": "tests/integration/chassis/test_migrate.py",
    "tongban provision": "the compose file runs it as a job",
}
"""First two words of commands that are not run again here, and who runs them."""
RUN_HERE = ("tongban status", "tongban doctor", "tongban check", "tongban deadline", "tongban verify")
FOREIGN = ("cd", "git", "docker", "python3", "export", "deploy/init.py")
"""What belongs to the reader's machine or to the deployment's own tests."""


def commands() -> list[str]:
    lines = [
        line for block in _BLOCK.findall((ROOT / "README.md").read_text()) for line in block.splitlines()
    ]
    found = [line.partition(" #")[0].removeprefix("$ ").strip() for line in lines]
    return [line for line in found if line and not line.startswith("#")]


def words_of(command: str) -> list[str]:
    """Return the words without leading assignments; ``.venv/bin/tongban`` is ``tongban``."""
    words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    return [Path(words[0]).name if "/" in words[0] and "bin/" in words[0] else words[0], *words[1:]]


def test_readme_shows_commands():
    assert commands()


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_is_known(command: str):
    words = words_of(command)
    known = words[0] in FOREIGN or " ".join(words[:2]) in {*COVERED, *RUN_HERE}
    assert known, f"{command!r} is neither run here nor named with the test that runs it"
    if words[0] == "make":
        target = subprocess.run(
            ["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert target.returncode == 0, target.stderr


def test_commands_that_only_read_are_run(told: Told):
    files = {
        name: str(told.out / name) for name in ("licence.ofd", "licence.pdf", "receipt.json", "archive.zip")
    }
    for command in commands():
        words = words_of(command)
        if " ".join(words[:2]) in RUN_HERE:
            done = told.command.run(*(files.get(Path(word).name, word) for word in words[1:]))
            assert done.returncode == 0, (command, done.stdout, done.stderr)


def test_a_register_is_imported_by_the_command(told: Told, tmp_path: Path):
    register = tmp_path / "361103.csv"
    source = told.out / "build" / "registers" / "361103.csv"
    lines = source.read_text(encoding="utf-8-sig").splitlines()
    register.write_text("\n".join([lines[0], *lines[1:40]]) + "\n")
    status, answer = told.command("import", "licences", str(register), "--county", "361103")
    assert status in {0, 3}
    assert answer["rows"] == 39
    outcomes = answer["files"][0]["outcomes"]
    assert outcomes.get("unchanged", 0) + outcomes.get("refused", 0) == 39, "the demo imported them before"
    assert (status == 3) == (answer["refused_rows"] > 0)
    assert (
        told.command("import", "licences", str(register), "--county", "999999")[1]["reason"]
        == "DEPARTMENT_UNKNOWN"
    )
