"""The demo on a screen: a live timeline across counties and services, and the figures at the end."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from chassis.clock import CHINA_TIME
from cli.demo.registers import GUANGFENG, LAIFENG, YUSHAN
from cli.demo.story import Entry, Story

COUNTY_NAMES = {GUANGFENG: "广丰区", YUSHAN: "玉山县", LAIFENG: "来凤县"}
NEWEST = 14


def progress(story: Story) -> RenderableType:
    """Return the running step above the newest lines."""
    newest = sorted(story.entries, key=lambda entry: entry.at)[-NEWEST:]
    return Group(Text(f"▶ {story.step}", style="bold cyan"), timeline(newest))


def timeline(entries: list[Entry]) -> Table:
    """Return the lines as a table."""
    table = Table("时间 | time", "县区 | county", "系统 | service", "事件 | what", "详情 | detail")
    for each in entries:
        local = each.at.astimezone(CHINA_TIME)
        clock = f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"
        county = f"{each.county} {COUNTY_NAMES.get(each.county, '')}"
        table.add_row(clock, county, each.service, each.what, Text(each.detail, overflow="fold"))
    return table


def summary(figures: dict[str, Any]) -> RenderableType:
    """Return what came of it."""
    by_county = ", ".join(f"{county}: {count}" for county, count in figures["materials_by_county"].items())
    table = Table.grid(padding=(0, 2))
    rows: list[tuple[str, object]] = [
        ("办件编号 | case", figures["case_no"]),
        ("存量证照 | imported", f"{figures['imported']} (+ {figures['refused_rows']} refused)"),
        ("所需材料 | materials demanded", figures["materials_demanded"]),
        ("证照替代 | from licences", f"{figures['materials_from_licences']} ({by_county})"),
        ("部门 | departments", _departments(figures)),
        ("证照标识 | licence", figures["licence_identifier"]),
        ("通知 | messages", figures["notifications"]),
        ("亮证 | presented", f"online {figures['presentation']['online']}, offline ✓"),
        ("差评整改 | rectification", f"grade {figures['rating']['grade']} → {figures['rating']['order_id']}"),
        ("归档 | archive", f"{figures['archive']['file']} {figures['archive']['verdict']}"),
        ("用时 | seconds", figures["seconds"]),
    ]
    for name, value in rows:
        table.add_row(name, str(value))
    table.add_row("种子 | seed", str(figures["seed"]))
    return Panel(table, title=f"一件事办结 | done · {figures['verify']['verdict']}", border_style="green")


def _departments(figures: dict[str, Any]) -> str:
    return ", ".join(
        f"{each['department']} {each['signatures']}✍ due {each['promised_due']}"
        for each in figures["departments"]
    )
