"""`tongban licence-types`: publish the catalogue's licence types, list and show what is published."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.syntax import Syntax
from rich.table import Column, Table

from chassis.datafiles import content_digest, read_tree
from chassis.errors import Kind, declare
from cli.local.control import running
from cli.local.layout import Layout
from cli.output import AsJson, refusals, show
from cli.places import stack_home
from cli.reach import type_office

EXIT_INCOMPATIBLE = 3
TYPES_FILE = "licence_types.yaml"
NO_LICENCE_TYPES = declare(
    "NO_LICENCE_TYPES",
    Kind.INVALID_ARGUMENT,
    "目录 {directory} 中没有可读的 licence_types.yaml",
    "No readable licence_types.yaml in {directory}",
)
LICENCE_TYPE_NOT_LISTED = declare(
    "LICENCE_TYPE_NOT_LISTED",
    Kind.INVALID_ARGUMENT,
    "目录文件中没有证照类型 {codes}",
    "The catalogue has no licence type {codes}",
)
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="证照类型 | Licence types as versioned data.")
    group.command("publish")(publish)
    group.command("list")(list_all)
    group.command("show")(show_one)
    app.add_typer(group, name="licence-types")


def publish(
    catalogue: Annotated[
        Path | None, typer.Argument(help="目录文件所在处 | Directory of the catalogue; default: the stack's.")
    ] = None,
    *,
    only: Annotated[
        list[str] | None, typer.Option(help="只发布这些类型 | Only these type codes; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="只检查,不发布 | Only say what would happen.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """发布证照类型的新版本 | Publish what changed; checked against every stored licence, all or nothing.

    Exit status 3: the rehearsal found changes that stored licences stand against.
    """
    with refusals(as_json=as_json):
        home = stack_home(data_dir)
        directory = catalogue or running(Layout(home)).catalogue
        documents = _documents(directory, only or [])
        report = asyncio.run(_publish(home, documents, dry_run=dry_run, quiet=as_json))
        show(report, _report(report), as_json=as_json)
    if any(each["outcome"] == "incompatible" for each in report["types"]):
        raise typer.Exit(EXIT_INCOMPATIBLE)


def list_all(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """列出已发布的证照类型 | The newest version of every type."""

    async def ask() -> list[dict[str, Any]]:
        async with type_office(stack_home(data_dir)) as office:
            return await office.all()

    with refusals(as_json=as_json):
        found = asyncio.run(ask())
        table = Table(
            _code_column(), "版本 | version", "名称 | name", "发布时间 | published", "来源 | source"
        )
        for each in found:
            table.add_row(
                each["type_code"], str(each["version"]), each["name"], each["published_at"], each["source"]
            )
        shown = [{name: value for name, value in each.items() if name != "document"} for each in found]
        show({"types": shown}, table, as_json=as_json)


def show_one(
    type_code: Annotated[str, typer.Argument(help="证照类型代码 | Code of the type.")],
    *,
    version: Annotated[int, typer.Option(help="版本,默认最新 | Version; default: the newest.")] = 0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """显示一个证照类型 | One version of a type, whole."""

    async def ask() -> dict[str, Any]:
        async with type_office(stack_home(data_dir)) as office:
            return await office.get(type_code, version)

    with refusals(as_json=as_json):
        found = asyncio.run(ask())
        text = json.dumps(found, ensure_ascii=False, indent=2)
        show(found, Syntax(text, "json", background_color="default", word_wrap=True), as_json=as_json)


async def _publish(
    home: Path, documents: Sequence[Mapping[str, Any]], *, dry_run: bool, quiet: bool
) -> dict[str, Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    source = f"{TYPES_FILE} {content_digest(list(documents))}"
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task("检查已有证照 | licences looked at", total=None, visible=False)

        def seen(read: int, expected: int) -> None:
            progress.update(task, completed=read, total=expected, visible=True)

        async with type_office(home) as office:
            return await office.publish(documents, source, dry_run=dry_run, seen=seen)


def _documents(directory: Path, only: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the entries of a catalogue's types. Raises NO_LICENCE_TYPES, LICENCE_TYPE_NOT_LISTED."""
    tree = read_tree(directory)
    content = tree.files.get(TYPES_FILE)
    entries = content.get("licence_types") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        broken = [each for each in tree.problems if each.field_path == TYPES_FILE]
        raise NO_LICENCE_TYPES(violations=broken, directory=directory)
    listed = {str(each.get("code")): each for each in entries if isinstance(each, dict)}
    missing = [code for code in only if code not in listed]
    if missing:
        raise LICENCE_TYPE_NOT_LISTED(codes="、".join(missing))
    return [listed[code] for code in only] if only else entries


def _report(report: Mapping[str, Any]) -> RenderableType:
    outcomes = Table(_code_column(), "结果 | outcome", "版本 | version", "变更 | changes")
    stands = Table(
        _code_column(), "变更 | change", "证照数 | licences", "原因 | reason", title="不相容 | against"
    )
    for each in report["types"]:
        outcomes.add_row(
            each["type_code"],
            each["outcome"],
            str(each["version"]),
            ", ".join(change["field"] for change in each["changes"]),
        )
        for change in each["changes"]:
            if change["reason"]:
                text = f"{change['zh']} | {change['en']} [{change['reason']}]"
                stands.add_row(each["type_code"], change["field"], str(change["licences"]), text)
    said = "已发布 | published" if report["published"] else "未发布,仅检查 | rehearsed, nothing published"
    parts: list[RenderableType] = [outcomes, *([stands] if stands.row_count else []), said]
    return Group(*parts)


def _code_column() -> Column:
    return Column("类型 | type", no_wrap=True)
