"""`tongban sessions end`: end the sessions of one person, or all of them, at once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from chassis.errors import Kind, declare
from cli.local.layout import Layout
from cli.operating import open_service
from cli.output import AsJson, refusals, show
from cli.places import stack_home

WHOSE_SESSIONS = declare(
    "WHOSE_SESSIONS",
    Kind.INVALID_ARGUMENT,
    "请指定 --person 或 --all 之一",
    "Say either --person or --all",
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(no_args_is_help=True, help="会话 | Sessions of persons.")
    group.callback()(_sessions)
    group.command()(end)
    app.add_typer(group, name="sessions")


def _sessions() -> None:
    """Keep ``end`` a word of its own: a group of one command would swallow it."""


def end(
    *,
    person: Annotated[
        str | None, typer.Option("--person", help="自然人编号 | Whose: the person's id.")
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="全部 | Everybody's.")] = False,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """结束会话 | End sessions: their tokens open nothing from the next call on."""

    async def work() -> int:
        from services.intake.app import end_all_sessions  # noqa: PLC0415 - loads a whole service

        async with open_service("intake", Layout(stack_home(data_dir))) as found:
            return await end_all_sessions(found.runtime, person)

    with refusals(as_json=as_json):
        if (person is None) is not everybody:
            raise WHOSE_SESSIONS()
        ended = asyncio.run(work())
        show({"ended": ended}, f"已结束会话 | sessions ended: {ended}", as_json=as_json)
