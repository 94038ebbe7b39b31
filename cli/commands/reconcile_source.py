"""`tongban reconcile source` and `manifest`: whether a department's register and the registry say the same."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from cli.departments import office_by_uscc, read_offices, registry_keeper
from cli.local.layout import Layout
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import stack_home
from cli.row_files import read_register
from cli.source_manifests import Manifest, manifests_of, read_manifests, stretches, write_manifests

if TYPE_CHECKING:
    from cli.reach import Reach


@dataclasses.dataclass(frozen=True, slots=True)
class Compared:
    """What came of one source and type."""

    source_id: str
    type_code: str
    equal_days: int
    differing: tuple[tuple[str, int, int], ...]
    """Day, the source's count, the registry's."""


def reconcile_source_command(
    *,
    file: Annotated[
        Path, typer.Option(help="对账清单 CSV | Manifest: source_id, type_code, day, count, hash.")
    ],
    county: Annotated[str, typer.Option(help="县区 | Division of the sender, six digits.")],
    department: Annotated[
        str | None, typer.Option(help="部门,默认为数据管理局 | USCC of the sender; default: the data bureau.")
    ] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="起始日期 | First day of issue.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="截止日期 | Last day of issue.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """来源对账 | Compare a register with the registry by day of issue; exit status 1 when days differ."""
    from cli.local.control import running  # noqa: PLC0415 - a deployment has no local stack
    from cli.reach import Reach  # noqa: PLC0415 - loads gRPC

    with refusals(as_json=as_json):
        manifests = read_manifests(file)
        layout = Layout(stack_home(data_dir))
        reach = Reach(layout, running(layout))
        offices = read_offices(reach.state.catalogue)
        sender = (
            office_by_uscc(offices, county, department) if department else registry_keeper(offices, county)
        )
        days = (first.date() if first else None, last.date() if last else None)
        done = asyncio.run(_compare(reach, sender.uscc, manifests, days))
        show(_described(done), _in_words(done), as_json=as_json)
    if any(each.differing for each in done):
        raise typer.Exit(EXIT_REFUSED)


def manifest_command(
    register: Annotated[Path, typer.Argument(help="CSV 或 JSONL 登记库 | A register.")],
    *,
    source: Annotated[str, typer.Option(help="数据来源 | Source id; default: the sender's own.")] = "",
) -> None:
    """对账清单 | Write what a register has by type and day of issue, as `reconcile source` reads it."""
    with refusals(as_json=False):
        found, left_out = manifests_of(read_register(register), source)
    sys.stdout.write(write_manifests(found))
    if left_out:
        Console(stderr=True).print(f"{left_out} 行没有类型或颁发日期 | rows without type or day of issue")


async def _compare(
    reach: Reach, uscc: str, manifests: Sequence[Manifest], days: tuple[Any, Any]
) -> list[Compared]:
    done = []
    async with reach.department(uscc) as department:
        for each in manifests:
            equal, differing = 0, list[tuple[str, int, int]]()
            for part in stretches(each, *days):
                said = [(day.day.isoformat(), day.count, day.hash) for day in part.days]
                answer = await department.reconcile_source(
                    each.source_id, each.type_code, said, part.first.isoformat(), part.last.isoformat()
                )
                equal += len(answer[0])
                differing += answer[1]
            done.append(Compared(each.source_id, each.type_code, equal, tuple(differing)))
    return done


def _described(done: Sequence[Compared]) -> dict[str, Any]:
    sources = [
        {
            "source_id": each.source_id,
            "type_code": each.type_code,
            "equal_days": each.equal_days,
            "differing_days": [
                {"day": day, "count": count, "registry_count": ours} for day, count, ours in each.differing
            ],
        }
        for each in done
    ]
    return {"equal": not any(each.differing for each in done), "sources": sources}


def _in_words(done: Sequence[Compared]) -> Group:
    table = Table(
        "来源 | source", "类型 | type", "日期 | day", "来源数 | source has", "本库数 | registry has"
    )
    for each in done:
        for day, count, ours in each.differing:
            table.add_row(each.source_id, each.type_code, day, str(count), str(ours))
    differing = sum(len(each.differing) for each in done)
    said = f"一致 | equal days: {sum(each.equal_days for each in done)}, 不一致 | differing: {differing}"
    return Group(*([table] if differing else []), Text(said))
