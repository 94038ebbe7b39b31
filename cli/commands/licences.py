"""`tongban import licences`: stock registers into the registry, every row answered."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.departments import Office, office_by_uscc, read_offices, registry_keeper
from cli.importing import REFUSED, Imported, import_register
from cli.local.control import running
from cli.local.layout import Layout
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.reach import Reach
from cli.row_files import Register, read_registers

EXIT_ROWS_REFUSED = 3
SHOWN_REFUSALS = 50
KEPT_ASIDE = "conflict_kept"


@dataclass(frozen=True, slots=True)
class _Wish:
    """How registers are to be sent."""

    batch: str
    source: str
    resume: bool


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(no_args_is_help=True, help="批量导入 | Bulk import.")
    group.callback()(lambda: None)  # keeps `licences` a word of its own
    group.command("licences")(import_licences)
    app.add_typer(group, name="import")


def import_licences(
    files: Annotated[list[Path], typer.Argument(help="CSV 或 JSONL 文件 | CSV or JSONL registers.")],
    *,
    county: Annotated[str, typer.Option(help="颁发机构所在县区 | Division of the issuers, six digits.")],
    department: Annotated[
        str | None,
        typer.Option(help="报送部门,默认为数据管理局 | USCC of the sender; default: the data bureau."),
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="批次号,默认由文件内容得出 | Batch id; default: from the content.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="数据来源,默认为报送部门自己的库 | Source id; default: the sender's own register."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume/--anew", help="接着上次的结果,或全部重新发送 | Go on, or send all rows again."
        ),
    ] = True,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """导入存量证照或增量 | Import registers or increments; exit status 3 when rows were refused or kept aside.

    Beside each file stands <file>.results.jsonl, the answer to every row. A column _operation (insert, update,
    cancel) makes an increment of it.
    """
    with refusals(as_json=as_json):
        registers = read_registers(files)
        layout = Layout(stack_home(data_dir))
        reach = Reach(layout, running(layout))
        offices = read_offices(reach.state.catalogue)
        sender = (
            office_by_uscc(offices, county, department) if department else registry_keeper(offices, county)
        )
        wish = _Wish(batch or "", source or "", resume)
        done = asyncio.run(_import_all(reach, sender, registers, wish, quiet=as_json))
        show(_data(sender, done), _tables(done), as_json=as_json)
    if any(each.refused or each.outcomes[KEPT_ASIDE] for each in done):
        raise typer.Exit(EXIT_ROWS_REFUSED)


async def _import_all(
    reach: Reach, sender: Office, registers: Sequence[Register], wish: _Wish, *, quiet: bool
) -> list[Imported]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        async with reach.department(sender.uscc) as department:
            done = []
            for number, each in enumerate(registers):
                task = progress.add_task(each.path.name, total=len(each.rows))
                batch = wish.batch
                batch_id = batch if not batch or len(registers) == 1 else f"{batch}-{number}"
                done.append(
                    await import_register(
                        department,
                        each,
                        batch_id=batch_id,
                        source_id=wish.source,
                        resume=wish.resume,
                        advance=lambda rows, task=task: progress.advance(task, rows),  # type: ignore[misc]
                    )
                )
            return done


def _data(sender: Office, done: Sequence[Imported]) -> dict[str, Any]:
    files = [
        {
            "file": each.file,
            "batch_id": each.batch_id,
            "rows": each.rows,
            "resumed_after": each.resumed_after,
            "outcomes": dict(each.outcomes),
            "flagged": each.flagged,
            "refused": each.refused,
        }
        for each in done
    ]
    return {
        "department": sender.uscc,
        "county": sender.county,
        "rows": sum(each.rows for each in done),
        "refused_rows": sum(each.outcomes[REFUSED] for each in done),
        "files": files,
    }


def _tables(done: Sequence[Imported]) -> RenderableType:
    names = ("created", "updated", "unchanged", "cancelled", KEPT_ASIDE, REFUSED)
    counts = Table("文件 | file", "行 | rows", *names, "标记 | flagged", "批次 | batch")
    for each in done:
        figures = [str(each.outcomes[name]) for name in names]
        counts.add_row(each.file, str(each.rows), *figures, str(each.flagged), each.batch_id)
    broken = Table("文件 | file", "行 | row", "字段 | field", "原因 | reason", title="未导入 | refused")
    lines = [
        (each.file, row, problem) for each in done for row in each.refused for problem in row["problems"]
    ]
    for file, row, problem in lines[:SHOWN_REFUSALS]:
        text = f"{problem['zh']} | {problem['en']} [{problem['reason']}]"
        broken.add_row(file, str(row["row_number"]), problem["field"], text)
    return Group(counts, broken) if lines else counts
