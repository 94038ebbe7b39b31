"""`tongban demo`: the main job in ten steps on the local stack, with synthetic persons."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from chassis.errors import Fault
from cli.commands.stack import BusKind
from cli.demo.run import open_story, tell
from cli.demo.screen import progress, summary, timeline
from cli.demo.story import Story
from cli.local.control import Wanted, await_ready, run_detached, start, stop
from cli.local.layout import Layout
from cli.local.state import StackState, read_state
from cli.output import EXIT_REFUSED, AsJson, console, refusal, refusals
from cli.places import catalogue_dir, stack_home
from cli.reach import Reach

SEEDS = 1_000_000_000
REFRESHES_PER_SECOND = 8


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    *,
    bus: Annotated[
        BusKind | None,
        typer.Option(help="消息总线 | Event bus; default: the running stack's, else postgres."),
    ] = None,
    kafka_bootstrap: Annotated[
        str | None, typer.Option(help="已有 Kafka 地址 | An existing Kafka instead of a local one.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="输出目录 | Where the files are left.")] = Path(),
    seed: Annotated[int | None, typer.Option(help="随机种子 | Same seed, same persons.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="保持运行 | Leave a stack it started running.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """演示主线十步 | Run the main job in ten steps; prints VALID at the end, exit status 1 if a step fails."""
    layout = Layout(stack_home(data_dir))
    present = read_state(layout.state_file)
    runs = present is not None and present.supervised
    kind = bus.value if bus else present.bus if present and runs else BusKind.POSTGRES.value
    wanted = Wanted(catalogue_dir().absolute(), kind, kafka_bootstrap)
    out.mkdir(parents=True, exist_ok=True)
    with refusals(as_json=as_json), _stack(layout, wanted, keep=keep or runs) as state:
        chosen = secrets.randbelow(SEEDS) if seed is None else seed
        asyncio.run(_run(Reach(layout, state), out, chosen, as_json=as_json))


@contextmanager
def _stack(layout: Layout, wanted: Wanted, *, keep: bool) -> Iterator[StackState]:
    """Yield the running stack, started if need be, and stop it at the end unless it is to be kept."""
    start(layout, wanted, run_detached)
    try:
        yield await_ready(layout)
    finally:
        if not keep:
            stop(layout)


async def _run(reach: Reach, out: Path, seed: int, *, as_json: bool) -> None:
    async with open_story(reach, out, seed) as story:
        try:
            with _screen(story, shown=not as_json):
                await tell(story)
        except Fault as fault:
            _print_failure(story, fault, as_json=as_json)
            raise typer.Exit(EXIT_REFUSED) from None
        if as_json:
            typer.echo(json.dumps(story.figures, ensure_ascii=False, default=str))
            return
        console.print(summary(story.figures))
        console.print("VALID", style="bold green")


@contextmanager
def _screen(story: Story, *, shown: bool) -> Iterator[None]:
    if not shown:
        yield
        return
    live = Live(console=Console(), refresh_per_second=REFRESHES_PER_SECOND, transient=True)
    with live:
        story.changed = lambda: live.update(progress(story))
        yield
    console.print(timeline(story.entries))


def _print_failure(story: Story, fault: Fault, *, as_json: bool) -> None:
    """Print which step was refused and why."""
    if as_json:
        failed = {"step": story.step, **refusal(fault)}
        typer.echo(json.dumps({**story.figures, "failed": failed}, ensure_ascii=False, default=str))
        return
    console.print(timeline(story.entries))
    console.print(f"✗ {story.step}\n{fault.zh} | {fault.en} [{fault.code}]", style="red", markup=False)
    for each in fault.violations:
        console.print(f"  {each.field_path}: {each.zh} | {each.en} [{each.reason.code}]", markup=False)
