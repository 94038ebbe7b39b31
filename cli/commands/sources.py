"""`tongban sources`: where licence data come from, whose word counts, and where two sources disagree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from cli.clients.source_office import RESOLUTIONS, SourceOffice
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.reach import source_office

DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]
Several = list[str] | None
Answer = TypeVar("Answer")
SHOWN = ("source_id", "department_code", "county_code", "name", "priority", "freshness_seconds", "etag")
CONFLICT_SHOWN = (
    "conflict_id",
    "licence_id",
    "source_id",
    "held_source_id",
    "found_at",
    "resolution",
    "reason",
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="数据来源 | Sources of licence data.")
    group.command("register")(register_source)
    group.command("list")(list_sources)
    group.command("conflicts")(list_conflicts)
    group.command("resolve")(resolve_conflict)
    app.add_typer(group, name="sources")


def register_source(
    source_id: Annotated[str, typer.Argument(help="数据来源 | Source id.")],
    *,
    department: Annotated[str, typer.Option(help="报送部门 | USCC of the department that delivers.")],
    name: Annotated[str, typer.Option(help="名称 | Name.")],
    county: Annotated[str, typer.Option(help="县区 | Division of the issuers; empty: any.")] = "",
    priority: Annotated[int, typer.Option(min=0, max=100, help="优先级 | The higher one prevails.")] = 50,
    freshness_seconds: Annotated[
        int, typer.Option(min=1, help="鲜活度目标 | How long it may be silent.")
    ] = 604_800,
    issuer: Annotated[Several, typer.Option(help="颁发机构 | Only these issuers; repeatable.")] = None,
    type_code: Annotated[
        Several, typer.Option("--type", help="证照类型 | Only these types; repeatable.")
    ] = None,
    etag: Annotated[str, typer.Option(help="已登记来源的版本 | Of a known source that is changed.")] = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """登记数据来源 | Register a source, or change a known one."""
    wanted = {
        "source_id": source_id,
        "department_code": department,
        "county_code": county,
        "name": name,
        "priority": priority,
        "issuer_codes": issuer or [],
        "type_codes": type_code or [],
        "freshness_seconds": freshness_seconds,
        "etag": etag,
    }
    with refusals(as_json=as_json):
        found = _ask(data_dir, lambda office: office.register(wanted))
        show(found, _table([found], SHOWN), as_json=as_json)


def list_sources(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """列出数据来源 | List every source."""
    with refusals(as_json=as_json):
        found = _ask(data_dir, lambda office: office.all())
        show({"sources": found}, _table(found, SHOWN), as_json=as_json)


def list_conflicts(
    *,
    every: Annotated[bool, typer.Option("--all", help="包括已处理的 | Resolved ones as well.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """列出数据冲突 | Rows that were kept aside, since a source of higher priority says otherwise."""
    with refusals(as_json=as_json):
        found = _ask(data_dir, lambda office: office.conflicts(open_only=not every))
        show({"conflicts": found}, _table(found, CONFLICT_SHOWN), as_json=as_json)


def resolve_conflict(
    conflict_id: Annotated[str, typer.Argument(help="冲突 | Conflict id.")],
    *,
    take: Annotated[bool, typer.Option("--take/--keep", help="采用,或保留原内容 | Take the offer, or keep.")],
    reason: Annotated[str, typer.Option(help="理由 | Why.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """处理数据冲突 | Keep the licence as it is, or have it take what was offered."""
    word = "taken" if take else "kept"
    assert word in RESOLUTIONS
    with refusals(as_json=as_json):
        found = _ask(data_dir, lambda office: office.resolve(conflict_id, word, reason))
        show(found, _table([found], CONFLICT_SHOWN), as_json=as_json)


def _ask(data_dir: Path | None, call: Callable[[SourceOffice], Awaitable[Answer]]) -> Answer:
    async def asked() -> Answer:
        async with source_office(stack_home(data_dir)) as office:
            return await call(office)

    return asyncio.run(asked())


def _table(found: Sequence[dict[str, Any]], names: Sequence[str]) -> Table:
    table = Table(*names)
    for each in found:
        table.add_row(*(str(each.get(name, "")) for name in names))
    return table
