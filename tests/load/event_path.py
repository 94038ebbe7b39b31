"""State → outbox → bus → inbox → state, through the real chassis, in two processes, on either transport."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import asyncpg

from chassis.bus import TOPIC_PARTITIONS, BusConfig, open_bus
from chassis.messaging_schema import BUS_V1, MESSAGING_V1
from tests.load.event_parts import CounterMoved
from tests.load.measured import Measured, percentiles
from tests.load.servers import Child, child, create_database, scratch

PART = "tests.load.event_parts"
WARM_UP = 200
PACED_PER_SECOND = 100
BULK = 250
LIMIT_RECORDS = 20_000
LIMIT_RUNS = 3
"""The best counts: the first also warms producer and consumer up."""
LIMIT_NAME = "bare aiokafka produce+consume, same records and broker"
STATE = "create table counter (key text primary key, version bigint not null)"
EFFECT = (
    "create table effect (nr bigint generated always as identity, event_id uuid, key text, number bigint)"
)
Note = Callable[[str], None]


async def event_path(
    kind: str, admin_dsn: str, bootstrap: str | None, seconds: float, note: Note
) -> Measured:
    """Return the end-to-end rate at full speed, and the delay from commit to commit at a quiet rate."""
    name = f"event_path_{kind}"
    dsns = {
        role: await create_database(admin_dsn, f"{name}_{role}", statements)
        for role, statements in {
            "writer": (*MESSAGING_V1, STATE),
            "reader": (*MESSAGING_V1, EFFECT),
            **({"bus": BUS_V1} if kind == "postgres" else {}),
        }.items()
    }
    bus: dict[str, Any] = {"kind": kind, "client_id": "load"}
    bus |= {"postgres_dsn": dsns["bus"]} if kind == "postgres" else {"kafka_bootstrap": bootstrap}
    await _provision(BusConfig(**bus))
    given = {role: json.dumps({"dsn": dsns[role], "bus": bus}) for role in ("writer", "reader")}
    async with (
        child(PART, "writer", given["writer"]) as writer,
        child(PART, "reader", given["reader"]) as reader,
    ):
        await asyncio.gather(writer.answer(), reader.answer())
        note("warming up")
        _, _, warm_rate = await _run(writer, reader, WARM_UP)
        note("full speed")
        count = max(500, int(warm_rate * seconds / 2))
        commits, effects, rate = await _run(writer, reader, count)
        note(f"{PACED_PER_SECOND} events/s")
        delays = await _paced(writer, reader, int(PACED_PER_SECOND * seconds / 2))
        note(f"{BULK} events per transaction")
        _, _, bulk_rate = await _run(writer, reader, BULK * max(8, int(rate * seconds / 2 / BULK)), bulk=BULK)
    limit = await _limit(dsns["writer"], bootstrap, note) if bootstrap else None
    written = len(commits) / (max(at for *_, at in commits) - min(at for *_, at in commits))
    return Measured(
        name,
        round(rate, 1),
        "events/s",
        **percentiles(delays),
        limit_name=LIMIT_NAME if limit else None,
        limit_value=limit,
        rows=len(effects),
        detail={
            "rows": "events counted",
            "latency": f"commit of the state to commit of the effect, at {PACED_PER_SECOND} events/s",
            "written_per_second": round(written, 1),
            "bulk_per_second": round(bulk_rate, 1),
            "bulk": f"the same with {BULK} events per writing transaction, as an import writes them",
        },
    )


async def _provision(config: BusConfig) -> None:
    bus = await open_bus(config)
    await bus.create_topics([CounterMoved.TOPIC], TOPIC_PARTITIONS)
    await bus.close()


Commits = list[tuple[str, int, float]]


async def _run(writer: Child, reader: Child, count: int, **pace: float) -> tuple[Commits, Commits, float]:
    """Return both sides' commits, and events per second from before the first write to the last effect."""
    ask = json.dumps({"count": count, **pace})
    written, read = (json.loads(each) for each in await asyncio.gather(writer.ask(ask), reader.ask(ask)))
    commits, effects = written["commits"], read["commits"]
    assert len(commits) == len(effects) == len({(key, number) for key, number, _ in effects})
    span = max(at for *_, at in effects) - min(at for *_, at in commits)
    return commits, effects, count / span


async def _paced(writer: Child, reader: Child, count: int) -> list[float]:
    commits, effects, _ = await _run(writer, reader, count, rate=PACED_PER_SECOND)
    told = {(key, number): at for key, number, at in effects}
    return [told[key, number] - at for key, number, at in commits]


async def _limit(writer_dsn: str, bootstrap: str, note: Note) -> float:
    """Return what bare aiokafka moves of the very records that the relay sent, producer and consumer apart."""
    note("the limit: bare aiokafka")
    topic = f"bare-{writer_dsn.partition('?')[0].rpartition('/')[2]}"
    bus = await open_bus(BusConfig("kafka", "load", kafka_bootstrap=bootstrap))
    await bus.create_topics([topic], TOPIC_PARTITIONS)
    await bus.close()
    with scratch() as directory:
        file = directory / "records.json"
        file.write_text(json.dumps(await _records(writer_dsn)))
        given = json.dumps({"bootstrap": bootstrap, "topic": topic, "records": str(file)})
        async with child(PART, "taker", given) as taker, child(PART, "sender", given) as sender:
            await asyncio.gather(taker.answer(), sender.answer())
            rates = []
            for _ in range(LIMIT_RUNS):
                ask = json.dumps({"count": LIMIT_RECORDS})
                sent, taken = (
                    json.loads(each) for each in await asyncio.gather(sender.ask(ask), taker.ask(ask))
                )
                rates.append(LIMIT_RECORDS / (taken["ended"] - sent["began"]))
    return round(max(rates), 1)


async def _records(writer_dsn: str) -> list[tuple[str, str, list[tuple[str, str]]]]:
    connection = await asyncpg.connect(writer_dsn)
    try:
        rows = await connection.fetch(
            "select aggregate_id, convert_from(payload, 'UTF8') as body, headers from event_log"
            " order by seq limit $1",
            LIMIT_RECORDS,
        )
    finally:
        await connection.close()
    found = [(row["aggregate_id"], row["body"], list(json.loads(row["headers"]).items())) for row in rows]
    return [found[number % len(found)] for number in range(LIMIT_RECORDS)]
