"""`tongban callers`: shut a department, or one of its keys, out of every service, and let it in again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chassis.clock import system_clock
from cli.keeping import suspensions
from cli.local.layout import Layout
from cli.output import AsJson, refusals, show
from cli.places import stack_home

Who = Annotated[
    str,
    typer.Argument(help="调用方 | department/CODE, or certificate/SHA-256 for one of its certificates."),
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="暂停调用方 | Suspended callers.")
    for command in (suspended, suspend, restore):
        group.command("list" if command is suspended else None)(command)
    app.add_typer(group, name="callers")


def suspended(*, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """已暂停的调用方 | Who is shut out, and since when."""
    path = suspensions.list_of(Layout(stack_home(data_dir)))
    found = suspensions.lines_of(path)
    show({"suspended": found}, "\n".join(found) or "无 | nobody", as_json=as_json)


def suspend(caller: Who, *, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """暂停 | Have every service refuse a caller from its next call on; open streams end with their next part."""
    with refusals(as_json=as_json):
        path = suspensions.list_of(Layout(stack_home(data_dir)))
        suspensions.suspend(path, caller, system_clock())
        show({"suspended": caller}, f"已暂停 | suspended: {caller}", as_json=as_json)


def restore(caller: Who, *, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """恢复 | Let a caller in again."""
    with refusals(as_json=as_json):
        suspensions.restore(suspensions.list_of(Layout(stack_home(data_dir))), caller)
        show({"restored": caller}, f"已恢复 | restored: {caller}", as_json=as_json)
