"""`tongban deadline`: the last day of a term in working days, and why."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from chassis.datafiles import read_tree
from chassis.errors import FIELD_MALFORMED, Kind, declare, refuse
from cli.output import AsJson, refusals, show
from cli.places import catalogue_dir
from standards.working_days import TERM_MALFORMED, CalendarYear, Deadline, WorkingCalendar

CALENDAR_FILE_WRONG = declare(
    "CALENDAR_FILE_WRONG",
    Kind.INVALID_ARGUMENT,
    "工作日历文件有误:{detail}",
    "The calendar file is wrong: {detail}",
)
CALENDAR_MISSING = declare(
    "CALENDAR_MISSING",
    Kind.FAILED_PRECONDITION,
    "{directory} 中没有工作日历",
    "There is no working-day calendar in {directory}",
)

_YEAR = TypeAdapter(CalendarYear)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LENGTH = re.compile(r"\d{1,5}", re.ASCII)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(deadline)


def deadline(
    started_on: Annotated[
        str,
        typer.Option("--from", metavar="YYYY-MM-DD", help="起算日 | The day it starts, not counted."),
    ],
    working_days: Annotated[
        str, typer.Option("--working-days", metavar="N", help="工作日数 | Length of the term.")
    ],
    *,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", help="目录 | Catalogue with calendar/*.yaml.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="逐日说明 | List every day.")] = False,
    as_json: AsJson = False,
) -> None:
    """计算期限届满日 | Compute the last day of a term; exit status 1 when it cannot be known yet."""
    with refusals(as_json=as_json):
        day, length = _given(started_on, working_days)
        term = read_calendar(catalogue or catalogue_dir()).explain(day, length)
        data = {
            "from": term.started_on,
            "working_days": term.working_days,
            "due": term.due_on,
            "calendar_version": term.calendar_version,
        }
        days = [{"day": d.day, "kind": d.kind.value, "counted": d.counted} for d in term.days]
        shown = {"days": days} if explain else {}
        show({**data, **shown}, _table(term) if explain else _sentence(term.due_on), as_json=as_json)


def _given(started_on: str, working_days: str) -> tuple[date, int]:
    """Return day and length. Raises INVALID_REQUEST naming each of the two that is none."""
    wrong = [] if _DAY.fullmatch(started_on) else [FIELD_MALFORMED.at("--from")]
    day, length = date.min, 0
    try:
        day = date.fromisoformat(started_on)
    except ValueError:
        wrong = [FIELD_MALFORMED.at("--from")]
    if _LENGTH.fullmatch(working_days):
        length = int(working_days)
    else:
        wrong.append(TERM_MALFORMED.at("--working-days"))
    refuse(wrong)
    return day, length


def read_calendar(catalogue: Path) -> WorkingCalendar:
    """Return the working-day calendar of a catalogue directory.

    Raises CALENDAR_MISSING, or INVALID_REQUEST naming every file that is wrong.
    """
    tree = read_tree(catalogue / "calendar")
    mistakes = list(tree.problems)
    years: dict[int, CalendarYear] = {}
    for name, content in sorted(tree.files.items()):
        try:
            year = _YEAR.validate_python(content)
        except ValidationError as problem:
            mistakes.append(CALENDAR_FILE_WRONG.at(name, detail=_in_one_line(problem)))
            continue
        mistakes += [CALENDAR_FILE_WRONG.at(name, detail=each) for each in year.mistakes()]
        years[year.year] = year
    refuse(mistakes)
    if not years:
        raise CALENDAR_MISSING(directory=catalogue / "calendar")
    return WorkingCalendar(years)


def _in_one_line(problem: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in problem.errors())


def _sentence(due_on: date) -> str:
    return f"届满日 | last day: {due_on}"


def _table(term: Deadline) -> Table:
    table = Table("日期 | day", "性质 | kind", "累计 | counted", title=_sentence(term.due_on))
    for day in term.days:
        table.add_row(day.day.isoformat(), day.kind.value, str(day.counted))
    return table
