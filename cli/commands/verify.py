"""`tongban verify`: what holds of a sealed document, a receipt or an archive package, without any service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chassis.clock import system_clock
from cli.output import AsJson, show
from cli.places import stack_home
from cli.verification import Report, verify_file

EXIT_STATUS = {"VALID": 0, "INVALID": 1}
EXIT_UNDECIDED = 2
_COLOURS = {"valid": "green", "invalid": "red", "indeterminate": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(verify)


def verify(
    file: Annotated[Path, typer.Argument(help="文件 | .ofd, receipt .json, archive .zip.")],
    *,
    trust: Annotated[
        Path | None, typer.Option(help="信任材料目录 | Trust directory, default ./.tongban/trust.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """离线验证 | Verify offline, check by check. Exit status 0 VALID, 1 INVALID, 2 cannot be decided."""
    report = verify_file(file, trust or stack_home() / "trust", system_clock())
    show(report.data(), render(report), as_json=as_json)
    raise typer.Exit(EXIT_STATUS.get(report.verdict, EXIT_UNDECIDED))


def render(report: Report) -> RenderableType:
    """Return the report as tables, one per signature, and the verdict."""
    parts: list[RenderableType] = []
    for signature in report.signatures:
        title = " · ".join(filter(None, (signature.of, signature.by, signature.verdict)))
        table = Table("检查 | check", "结果 | result", "说明 | detail", title=title, title_justify="left")
        for check in signature.checks:
            result = Text(check.result, style=_COLOURS.get(check.result, ""))
            table.add_row(check.name, result, Text(check.detail or check.reason))
        parts.append(table)
    colour = _COLOURS.get(report.verdict.lower(), "yellow")
    return Group(*parts, Text(report.verdict, style=f"bold {colour}"))
