"""`tongban check`: is an identifier well formed, and which rule does it break."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated

import typer

from chassis.clock import CHINA_TIME, system_clock
from cli.output import EXIT_REFUSED, AsJson, show
from standards.identifiers import (
    Check,
    check_case_number,
    check_citizen_id,
    check_licence_identifier,
    check_licence_identifier_for_issuing,
    check_licence_type_code,
    check_organisation_code,
    check_uscc,
)


class Kind(StrEnum):
    """What a value claims to be."""

    LICENCE_ID = "licence-id"
    LICENCE_ID_FOR_ISSUING = "licence-id-for-issuing"
    LICENCE_TYPE = "licence-type"
    USCC = "uscc"
    ORGANISATION_CODE = "organisation-code"
    CITIZEN_ID = "citizen-id"
    CASE_NUMBER = "case-number"


_CHECKS: dict[Kind, Callable[[str], Check]] = {
    Kind.LICENCE_ID: check_licence_identifier,
    Kind.LICENCE_ID_FOR_ISSUING: check_licence_identifier_for_issuing,
    Kind.LICENCE_TYPE: check_licence_type_code,
    Kind.USCC: check_uscc,
    Kind.ORGANISATION_CODE: check_organisation_code,
    Kind.CITIZEN_ID: lambda value: check_citizen_id(
        value, today=system_clock().astimezone(CHINA_TIME).date()
    ),
    Kind.CASE_NUMBER: check_case_number,
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(check)


def check(
    kind: Annotated[Kind, typer.Argument(help="标识类型 | What the value is.")],
    value: Annotated[str, typer.Argument(help="待校验的值,- 表示从标准输入读取 | The value; - reads stdin.")],
    *,
    as_json: AsJson = False,
) -> None:
    """校验标识是否合规 | Check an identifier; exit status 1 when it is invalid.

    The value is never printed again. Give - to keep a personal number out of the shell's history.
    """
    given = sys.stdin.readline().strip() if value == "-" else value
    found = _CHECKS[kind](given)
    expected = f"  校验位应为 {found.expected_check} | expected {found.expected_check}"
    human = "有效 | valid" if found.valid else f"无效:{found.zh} | {found.en}"
    show(
        {
            "kind": kind.value,
            "valid": found.valid,
            "reason": found.reason,
            "detail": {"zh": found.zh, "en": found.en},
            "expected_check": found.expected_check,
            "warnings": [warning.code for warning in found.warnings],
        },
        human + (expected if found.expected_check and not found.valid else ""),
        as_json=as_json,
    )
    if not found.valid:
        raise typer.Exit(EXIT_REFUSED)
