"""`tongban reconcile`: whether the four services say the same of a day. Exit status 1 when they do not.

`tongban reconcile seals` compares the whole ledger of seal uses with the signatures that there are,
`tongban reconcile source` a department's register with what the registry holds of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from chassis.clock import system_clock
from cli.commands.reconcile_seals import reconcile_seals_command
from cli.commands.reconcile_source import manifest_command, reconcile_source_command
from cli.local.layout import Layout
from cli.operations.places import deployed, deployment_seal_keys, find_places
from cli.operations.reconciling import COUNTRY, reconcile
from cli.operations.reconciling.facts import Report
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import stack_home

SETTLE_SECONDS = 300.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(invoke_without_command=True, help="对账 | Whether the ledgers agree.")
    group.callback(invoke_without_command=True)(reconcile_command)
    group.command("seals")(reconcile_seals_command)
    group.command("source")(reconcile_source_command)
    group.command("manifest")(manifest_command)
    app.add_typer(group, name="reconcile")


def reconcile_command(
    context: typer.Context,
    *,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="日期 | Day in China; default: yesterday."),
    ] = None,
    settle_seconds: Annotated[
        float, typer.Option(min=0, help="容许在途时间 | How long an event may be on its way.")
    ] = SETTLE_SECONDS,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """对账 | Compare intake, licence registry, seal ledger and notifications by count and hash of ids."""
    if context.invoked_subcommand is not None:
        return
    layout = Layout(stack_home(data_dir))
    now = system_clock()
    which = day.date() if day else (now.astimezone(COUNTRY) - timedelta(days=1)).date()
    with refusals(as_json=as_json):
        keys = deployment_seal_keys() if deployed() else layout.secrets("seal") / "field_keys.json"
        report = asyncio.run(
            reconcile(find_places(layout), which, now, timedelta(seconds=settle_seconds), keys)
        )
        show(_described(report), _in_words(report), as_json=as_json)
    if report.differences:
        raise typer.Exit(EXIT_REFUSED)


def _described(report: Report) -> dict[str, Any]:
    return {
        "day": report.window.day,
        "until": report.window.until,
        "equal": not report.differences,
        "opened_documents": report.opened_documents,
        "lines": [dataclasses.asdict(line) | {"equal": line.equal} for line in report.lines],
        "differences": [dataclasses.asdict(each) for each in report.differences],
    }


def _in_words(report: Report) -> Group:
    compared = Table(
        "账 | ledgers",
        "区县 | county",
        "类型 | type",
        "数 | counts",
        "一致 | equal",
        title=str(report.window.day),
    )
    for line in report.lines:
        counts = (
            f"{line.counts[0]} = {line.counts[1]}" if line.equal else f"{line.counts[0]} ≠ {line.counts[1]}"
        )
        compared.add_row(
            " ↔ ".join(line.ledgers), line.county, line.type_code, counts, "✓" if line.equal else "✗"
        )
    lines = [
        f"{each.kind} {each.county} {each.type_code}: {', '.join(each.ids)}" for each in report.differences
    ]
    said = "\n".join(lines) or "四方一致 | all four agree"
    return Group(compared, Text(said))


if __name__ == "__main__":
    typer.run(reconcile_command)
