"""The two processes of an event path: ``python -m tests.load.event_parts writer|reader|sender|taker JSON``.

Each works on one line of input and answers with one line, until its input ends. Times are
``time.time()``; writer and reader note them after their commits.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import Any, ClassVar

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from chassis import logs
from chassis.bus import BusConfig, open_bus
from chassis.db import Database, Transaction
from chassis.event import Envelope, Event
from chassis.inbox import Consumer, Handler
from chassis.outbox import outbox_writer
from chassis.relay import Relay

WRITERS = 16
KEYS_EACH = 16
BATCH = 500


class CounterMoved(Event):
    """The event of the measurement; not declared, so that no catalogue test meets it."""

    TYPE: ClassVar[str] = "intake.CounterMoved.v1"
    TOPIC: ClassVar[str] = "intake.counter.v1"
    KEY_FIELD: ClassVar[str] = "counter_id"
    PUBLIC: ClassVar[bool] = False

    counter_id: str
    number: int
    note: str
    """Fills the body to the size of our larger case events."""


NOTE = "事" * 120


async def lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    return reader


def tell(answer: object) -> None:
    sys.stdout.write(f"> {json.dumps(answer)}\n")
    sys.stdout.flush()


async def move(db: Database, key: str, commits: list[tuple[str, int, float]]) -> None:
    """One use case: state and outbox in one transaction."""
    async with db.transaction() as tx:
        version = int(
            await tx.fetchval(
                """insert into counter as c (key, version) values ($1, 1)
                on conflict (key) do update set version = c.version + 1 returning version""",
                key,
            )
        )
        tx.publish(CounterMoved(counter_id=key, number=version, note=NOTE), version)
        tx.after_commit(lambda: commits.append((key, version, time.time())))


async def move_many(db: Database, count: int, commits: list[tuple[str, int, float]]) -> None:
    """One bulk command, as an import is: many aggregates and their events in one transaction."""
    async with db.transaction() as tx:
        keys = [f"b{len(commits)}-{number}" for number in range(count)]
        await tx.execute("insert into counter (key, version) select key, 1 from unnest($1::text[]) key", keys)
        for key in keys:
            tx.publish(CounterMoved(counter_id=key, number=1, note=NOTE), 1)
        tx.after_commit(lambda: commits.extend((key, 1, time.time()) for key in keys))


async def writer(given: dict[str, Any]) -> None:
    """Writes events and relays them: ``{"count": n}`` at full speed, one event per transaction.

    With ``"rate"`` that many a second; with ``"bulk"`` that many in each transaction.
    """
    db = await Database.open(
        given["dsn"], write_events=outbox_writer("//tongban/intake"), min_size=WRITERS, max_size=WRITERS
    )
    bus = await open_bus(BusConfig(**given["bus"]))
    stop = asyncio.Event()
    relay = asyncio.create_task(
        Relay("intake", given["dsn"], bus, committed=db.committed).run(stop), name="relay"
    )
    tell("ready")
    reader = await lines()
    while line := await reader.readline():
        wanted, commits = json.loads(line), []
        if "bulk" in wanted:
            for _ in range(wanted["count"] // wanted["bulk"]):
                await move_many(db, wanted["bulk"], commits)
        else:
            await (_paced if "rate" in wanted else _full_speed)(db, wanted, commits)
        tell({"commits": commits})
    stop.set()
    await relay
    await bus.close()
    await db.close()


async def _full_speed(db: Database, wanted: dict[str, Any], commits: list[tuple[str, int, float]]) -> None:
    numbers = iter(range(wanted["count"]))

    async def work(writer_no: int) -> None:
        for number in numbers:
            await move(db, f"k{writer_no}-{number % KEYS_EACH}", commits)

    await asyncio.gather(*(work(each) for each in range(WRITERS)))


async def _paced(db: Database, wanted: dict[str, Any], commits: list[tuple[str, int, float]]) -> None:
    began = time.monotonic()
    async with asyncio.TaskGroup() as running:
        for number in range(wanted["count"]):
            await asyncio.sleep(max(0.0, began + number / wanted["rate"] - time.monotonic()))
            running.create_task(move(db, f"p{number % 64}", commits))


async def reader(given: dict[str, Any]) -> None:
    """Consumes; a line with a count answers with the commits once there are that many in all."""
    db = await Database.open(given["dsn"], max_size=4)
    bus = await open_bus(BusConfig(**given["bus"]))
    commits: list[tuple[str, int, float]] = []
    news, stop = asyncio.Event(), asyncio.Event()

    async def apply(tx: Transaction, event: CounterMoved, envelope: Envelope, _: object) -> None:
        await tx.execute(
            "insert into effect (event_id, key, number) values ($1, $2, $3)",
            envelope.event_id,
            event.counter_id,
            event.number,
        )

        def committed() -> None:
            commits.append((event.counter_id, event.number, time.time()))
            news.set()

        tx.after_commit(committed)

    consumer = asyncio.create_task(Consumer("load", db, [Handler(CounterMoved, apply)], bus).run(stop))
    tell("ready")
    incoming = await lines()
    while line := await incoming.readline():
        wanted = json.loads(line)["count"]
        while len(commits) < wanted:
            news.clear()
            await news.wait()
        tell({"commits": commits})
        commits.clear()
    stop.set()
    await consumer
    await bus.close()
    await db.close()


async def sender(given: dict[str, Any]) -> None:
    """The limit's first half: bare aiokafka, the relay's settings, no database."""
    producer = AIOKafkaProducer(
        bootstrap_servers=given["bootstrap"],
        acks="all",
        enable_idempotence=True,
        linger_ms=2,
        max_batch_size=131_072,
    )
    await producer.start()
    records = [
        (key.encode(), value.encode(), [(name, text.encode()) for name, text in headers])
        for key, value, headers in json.loads(open(given["records"]).read())  # noqa: PTH123, SIM115
    ]
    tell("ready")
    incoming = await lines()
    while await incoming.readline():
        began = time.time()
        for start in range(0, len(records), BATCH):
            sent = [
                await producer.send(given["topic"], value, key, headers=headers)
                for key, value, headers in records[start : start + BATCH]
            ]
            await asyncio.gather(*sent)
        tell({"began": began, "ended": time.time()})
    await producer.stop()


async def taker(given: dict[str, Any]) -> None:
    """The limit's second half: bare aiokafka, batches of 500 with a commit each, no database."""
    consumer = AIOKafkaConsumer(
        given["topic"],
        bootstrap_servers=given["bootstrap"],
        group_id="bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    while not consumer.assignment():
        await asyncio.sleep(0.05)
    tell("ready")
    incoming = await lines()
    while line := await incoming.readline():
        wanted, seen = json.loads(line)["count"], 0
        while seen < wanted:
            batch = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
            seen += sum(map(len, batch.values()))
            if batch:
                await consumer.commit()
        tell({"ended": time.time()})
    with contextlib.suppress(asyncio.CancelledError):
        await consumer.stop()


if __name__ == "__main__":
    logs.configure("load", level="error")
    parts = {"writer": writer, "reader": reader, "sender": sender, "taker": taker}
    import uvloop

    uvloop.run(parts[sys.argv[1]](json.loads(sys.argv[2])))
