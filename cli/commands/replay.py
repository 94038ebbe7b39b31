"""`tongban replay`: have a service's kept events delivered again; whoever has seen them does nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from chassis.bus import Bus
from chassis.bus.postgres import PostgresBus
from chassis.event import topics
from chassis.replay import REPLAY_WINDOW_EMPTY, republish, rewind
from cli.commands.service import Service
from cli.local.health import consumed_topics
from cli.local.layout import SERVICES, Layout
from cli.operating import open_service
from cli.output import AsJson, refusals, show
from cli.places import stack_home


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)


def replay(
    *,
    service: Annotated[Service, typer.Option(help="事件的发布者 | Whose events.")],
    since: Annotated[
        datetime | None, typer.Option(help="起始时间(UTC) | From this moment on, ISO 8601, UTC.")
    ] = None,
    aggregate: Annotated[str | None, typer.Option(help="对象编号 | One aggregate's events only.")] = None,
    data_dir: Annotated[Path | None, typer.Option("--data-dir", help="数据目录 | Home of the stack.")] = None,
    as_json: AsJson = False,
) -> None:
    """重新投递事件 | Deliver kept events again. Name a start, an aggregate, or both."""
    with refusals(as_json=as_json):
        start = since.replace(tzinfo=UTC) if since and since.tzinfo is None else since
        done = asyncio.run(_replay(service.value, Layout(stack_home(data_dir)), start, aggregate))
        words = (
            f"重发事件 | republished {done['republished']}, 回退分区 | rewound {done['rewound_partitions']}"
        )
        show(done, words, as_json=as_json)


async def _replay(
    service: str, layout: Layout, since: datetime | None, aggregate: str | None
) -> dict[str, object]:
    if since is None and aggregate is None:
        raise REPLAY_WINDOW_EMPTY()
    async with open_service(service, layout) as opened:
        runtime = opened.runtime
        sent = await republish(runtime.database, since=since, aggregate_id=aggregate)
        rewound = await _rewind_readers(runtime.bus, service, since) if since else 0
    return {"service": service, "republished": sent, "rewound_partitions": rewound}


async def _rewind_readers(bus: Bus, producer: str, since: datetime) -> int:
    """Set everyone who reads the producer back: the PostgreSQL bus knows republished events already."""
    import events  # noqa: F401, PLC0415 - declares the topics

    if not isinstance(bus, PostgresBus):
        return 0
    own = {topic for topic in topics() if topic.startswith(f"{producer}.")}
    count = 0
    for reader in SERVICES:
        read = sorted(own.intersection(consumed_topics(reader)))
        if read:
            count += await rewind(bus, reader, read, since)
    return count
