"""The published vectors hold through the real command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

VECTORS = json.loads((Path(__file__).parents[1] / "standards" / "identifiers.json").read_text("utf-8"))
KINDS = {"licence-id": "licence_identifier", "uscc": "uscc", "citizen-id": "citizen_id"}
VALID = [(kind, value) for kind, name in KINDS.items() for value in VECTORS[name]["valid"]]
INVALID = [(kind, each) for kind, name in KINDS.items() for each in VECTORS[name]["invalid"]]


def run(*arguments: str, stdin: str | None = None):
    result = CliRunner().invoke(app, [*arguments, "--json"], input=stdin)
    return result.exit_code, json.loads(result.stdout)


@pytest.mark.parametrize(("kind", "value"), VALID)
def test_a_valid_identifier_is_called_valid(kind, value):
    status, answer = run("check", kind, value)
    assert (status, answer["valid"], answer["reason"]) == (0, True, None)


@pytest.mark.parametrize(("kind", "vector"), INVALID)
def test_an_invalid_identifier_is_refused_with_the_rule_and_the_right_character(kind, vector):
    status, answer = run("check", kind, vector["value"])
    assert (status, answer["valid"]) == (1, False)
    assert answer["reason"]
    if vector["expected_check"]:
        assert answer["expected_check"] == vector["expected_check"]


def test_a_division_code_as_issuer_is_taken_in_but_not_issued():
    for vector in VECTORS["licence_identifier"]["valid_check_but_not_issuable"]:
        assert run("check", "licence-id", vector["value"])[0] == 0
        status, answer = run("check", "licence-id-for-issuing", vector["value"])
        assert (status, answer["reason"]) == (1, "LICENCE_IDENTIFIER_ISSUER_NOT_USCC")


def test_a_personal_number_can_stay_out_of_the_command_line_and_is_never_printed():
    result = CliRunner().invoke(app, ["check", "citizen-id", "-"], input="11010519491231002X\n")
    assert result.exit_code == 0
    assert "11010519491231002X" not in result.output
