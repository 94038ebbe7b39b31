"""`tongban dead-letters`: look at parked events, apply them again in order, or drop one with a reason."""

from __future__ import annotations

import asyncio
import getpass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from chassis import dead_letters
from chassis.inbox_batch import Inbox
from cli.commands.service import Service
from cli.local.layout import Layout
from cli.operating import open_service
from cli.output import EXIT_REFUSED, AsJson, refusals, show
from cli.places import stack_home

OfService = Annotated[Service, typer.Option("--service", help="消费者 | Whose parked events.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")]
Key = Annotated[str, typer.Argument(help="事件的键 | Key of the events.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="搁置的事件 | Parked events.")
    group.command("list")(list_parked)
    group.command("show")(show_key)
    group.command("replay")(replay)
    group.command("discard")(discard)
    app.add_typer(group, name="dead-letters")


def list_parked(*, service: OfService, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """按原因列出 | List parked events by cause, and their keys."""

    async def work() -> dict[str, Any]:
        async with open_service(service.value, Layout(stack_home(data_dir))) as opened:
            database = opened.runtime.database
            causes = await dead_letters.list_causes(database, service.value)
            keys = await dead_letters.list_keys(database, service.value)
        described = [
            {
                "cause": each.cause,
                "keys": each.keys,
                "events": each.events,
                "oldest_parked_at": each.oldest_parked_at,
                "example_key": each.example_key,
            }
            for each in causes
        ]
        named = [{"topic": topic, "key": key} for topic, key in keys]
        return {"service": service.value, "causes": described, "keys": named}

    with refusals(as_json=as_json):
        found = asyncio.run(work())
        table = Table("原因 | cause", "键数 | keys", "事件数 | events", "最早 | oldest", "例 | example key")
        for each in found["causes"]:
            table.add_row(*(str(value) for value in each.values()))
        show(found, table if found["causes"] else "没有搁置的事件 | nothing is parked", as_json=as_json)


def show_key(key: Key, *, service: OfService, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """查看一个键 | Show every event of a key that was ever parked, in order; bodies hold no personal data."""

    async def work() -> list[dead_letters.DeadLetter]:
        async with open_service(service.value, Layout(stack_home(data_dir))) as opened:
            return await dead_letters.show(opened.runtime.database, service.value, key)

    with refusals(as_json=as_json):
        letters = [_described(each) for each in asyncio.run(work())]
        table = Table(
            "编号 | id", "事件 | type", "原因 | cause", "次数 | tries", "状态 | state", "搁置 | parked"
        )
        for each in letters:
            row = (each[name] for name in ("id", "type", "cause", "attempts", "state", "parked_at"))
            table.add_row(*map(str, row))
        show({"service": service.value, "key": key, "events": letters}, table, as_json=as_json)


def replay(key: Key, *, service: OfService, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """重新处理 | Apply a key's parked events in order and free the key; status 1 if one fails again."""

    async def work() -> dead_letters.Replayed:
        async with open_service(service.value, Layout(stack_home(data_dir))) as opened:
            made = await opened.build(opened.runtime)
            inbox = Inbox(service.value, opened.runtime.database, made.handlers)
            return await dead_letters.replay(inbox, key, actor=_actor())

    with refusals(as_json=as_json):
        done = asyncio.run(work())
        words = f"已处理 | applied {done.applied}, 剩余 | left {done.left} {done.cause or ''}"
        show({"applied": done.applied, "left": done.left, "cause": done.cause}, words, as_json=as_json)
    if done.left:
        raise typer.Exit(EXIT_REFUSED)


def discard(
    dead_letter_id: Annotated[int, typer.Argument(help="搁置编号 | Id of the parked event.")],
    *,
    reason: Annotated[str, typer.Option(help="丢弃理由,留痕 | Why; it is kept with who did it.")],
    service: OfService,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """丢弃 | Drop one parked event for good."""

    async def work() -> None:
        async with open_service(service.value, Layout(stack_home(data_dir))) as opened:
            await dead_letters.discard(
                opened.runtime.database, service.value, dead_letter_id, actor=_actor(), reason=reason
            )

    with refusals(as_json=as_json):
        asyncio.run(work())
        show({"discarded": dead_letter_id}, f"已丢弃 | discarded {dead_letter_id}", as_json=as_json)


def _described(letter: dead_letters.DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.dead_letter_id,
        "topic": letter.topic,
        "event_id": str(letter.event_id),
        "type": letter.type,
        "cause": letter.cause,
        "attempts": letter.attempts,
        "state": letter.state,
        "parked_at": letter.parked_at,
        "body": letter.body.decode("utf-8", "replace") if letter.body else "",
        "resolved_by": letter.resolved_by,
        "resolution": letter.resolution,
    }


def _actor() -> str:
    return f"operator:{getpass.getuser()}"
