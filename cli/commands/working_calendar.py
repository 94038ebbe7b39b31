"""`tongban calendar`: how far the working-day calendar reaches, and a new year's file checked before it is placed."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from chassis.clock import CHINA_TIME, system_clock
from chassis.errors import Fault
from cli.commands.deadline import read_calendar
from cli.keeping import calendars
from cli.local.layout import Layout
from cli.operating import open_service
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import catalogue_dir, stack_home

Catalogue = Annotated[Path | None, typer.Option("--catalogue", help="目录 | Catalogue with calendar/*.yaml.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]
_PENDING = """
select count(distinct case_id) from case_part where promised_pending or statutory_pending
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="工作日历 | Working-day calendar.")
    group.command()(status)
    group.command()(load)
    app.add_typer(group, name="calendar")


def status(
    *,
    catalogue: Catalogue = None,
    least_days: Annotated[
        int, typer.Option("--least-days", min=0, help="少于此天数即告警 | Exit status 1 below this.")
    ] = calendars.LEAST_DAYS_LEFT,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """日历现状 | Loaded years, days left, cases that wait for a year; exit status 1 when too few are left."""
    with refusals(as_json=as_json):
        calendar = read_calendar(catalogue or catalogue_dir())
        left = calendars.days_left(calendar, system_clock().astimezone(CHINA_TIME).date())
        years = [asdict(calendars.facts(calendar.years[year])) for year in sorted(calendar.years)]
        waiting = _waiting_cases(data_dir)
        data: dict[str, Any] = {
            "ok": left >= least_days,
            "last_day": calendar.last_day,
            "days_left": left,
            "least_days": least_days,
            "version": calendar.version,
            "years": years,
            "cases_waiting": waiting,
        }
        table = Table(
            "年 | year", "版本 | version", "通知 | notice", "工作日 | working", "放假 | off", "调休 | make-up"
        )
        for year in years:
            table.add_row(*map(str, year.values()))
        table.title = f"到 {calendar.last_day},剩 {left} 天 | days left"
        known = "–(服务未运行)" if waiting is None else str(waiting)
        table.caption = f"等待日历的办件 | cases waiting: {known}"
        show(data, table, as_json=as_json)
    if left < least_days:
        raise typer.Exit(EXIT_REFUSED)


def load(
    file: Annotated[Path, typer.Argument(help="新一年的日历 | A new year's file.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="只检查 | Only check.")] = False,
    catalogue: Catalogue = None,
    as_json: AsJson = False,
) -> None:
    """检查并放入新一年的日历 | Check a year's file, and place it unless --check; restart the services afterwards."""
    with refusals(as_json=as_json):
        directory = catalogue or catalogue_dir()
        table = calendars.read_year(file)
        known = read_calendar(directory).years
        placed = None if check else calendars.place(file, table, directory, known)
        data = {
            **asdict(calendars.facts(table)),
            "checked": True,
            "placed": placed,
            "replaces": table.year in known,
        }
        words = f"{table.year}: {data['working_days']} 个工作日 | working days"
        show(data, words if check else f"{words} → {placed}", as_json=as_json)


def _waiting_cases(data_dir: Path | None) -> int | None:
    """Return how many cases have a deadline that waits for a year; None where intake cannot be reached."""

    async def work() -> int:
        async with (
            open_service("intake", Layout(stack_home(data_dir))) as opened,
            opened.runtime.database.transaction() as tx,
        ):
            return int(await tx.fetchval(_PENDING))

    try:
        return asyncio.run(work())
    except Fault:
        return None
