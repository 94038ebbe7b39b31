"""Suspending callers by command: the file that servers read, one line each, and nothing that names nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chassis.rpc.peer import Peer
from chassis.rpc.suspended import SuspendedCallers
from chassis.settings import SUSPENDED_CALLERS_FILE
from cli.keeping.suspensions import list_of
from cli.local.layout import Layout
from cli.main import app

DEPARTMENT = Peer("department", "11361103MB0000001A")
OTHER = Peer("department", "11422827MB0000002B")


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "list.txt"
    monkeypatch.setenv("TONGBAN_SUSPENDED_CALLERS", str(path))
    return path


def tongban(*words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--json"])


def test_a_caller_is_suspended_and_let_in_again_by_command(listed: Path) -> None:
    seen = SuspendedCallers(listed)
    for each in (DEPARTMENT, OTHER, DEPARTMENT):
        assert tongban("callers", "suspend", str(each)).exit_code == 0
    assert listed.read_text().count(str(DEPARTMENT)) == 1
    assert len(json.loads(tongban("callers", "list").output)["suspended"]) == 2
    assert seen.holds(DEPARTMENT, {})
    assert tongban("callers", "restore", str(DEPARTMENT)).exit_code == 0
    assert (seen.holds(DEPARTMENT, {}), seen.holds(OTHER, {})) == (False, True)
    again = tongban("callers", "restore", str(DEPARTMENT))
    assert (again.exit_code, json.loads(again.output)["reason"]) == (1, "CALLER_NOT_SUSPENDED")


@pytest.mark.parametrize(
    "wrong", ["11361103MB0000001A", "department/", "citizen/x", "certificate/ab", "department/a b"]
)
def test_what_names_no_caller_is_refused(listed: Path, wrong: str) -> None:
    refused = tongban("callers", "suspend", wrong)
    assert (refused.exit_code, json.loads(refused.output)["reason"]) == (1, "CALLER_MALFORMED")
    assert not listed.exists()


def test_the_list_stands_beside_the_catalogue_where_there_is_no_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TONGBAN_SUSPENDED_CALLERS", raising=False)
    monkeypatch.setenv("TONGBAN_CATALOGUE_DIR", str(tmp_path))
    assert list_of(Layout(tmp_path / "none")) == tmp_path / SUSPENDED_CALLERS_FILE


@pytest.mark.parametrize("words", [(), ("--all", "--person", "p")])
def test_whose_sessions_end_has_to_be_said(words: tuple[str, ...]) -> None:
    refused = tongban("sessions", "end", *words)
    assert (refused.exit_code, json.loads(refused.output)["reason"]) == (1, "WHOSE_SESSIONS")
