"""The processes of a run: writers, relays and consumers of the chassis, each recording what it does.

They are forked from a server that has imported this module, so that a killed one is back at once.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator

from chassis.bus import BusConfig, NewRecord, Record, open_bus
from chassis.bus.kafka.consumer import Drain
from chassis.bus.postgres_group import GroupMember
from chassis.db import Database
from chassis.errors import Fault
from chassis.inbox import Consumer, Limits
from chassis.notifier import notify_commits
from chassis.outbox import outbox_writer
from chassis.relay import Relay
from tests.history.recording import Recorder, Traps
from tests.history.workload import RolledBackError, chaining_handler, choose_keys, step, stepped

CONNECTIONS = 4
LIMITS = Limits(
    first_pause_seconds=0.01,
    outage_first_pause_seconds=0.05,
    outage_longest_pause_seconds=0.5,
    outage_total_seconds=6.0,
    measure_seconds=5.0,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What every process of a run knows."""

    directory: Path
    seed: int
    writer_dsn: str
    reader_dsn: str
    bus: BusConfig
    topic: str
    group: str
    keys: int
    shards: int
    ordered: bool
    is_static: bool
    """Whether members keep a stable instance id over restarts (Kafka)."""
    transactions_per_second: float
    """Of each writer."""

    @property
    def healed(self) -> Path:
        """The file whose presence repairs the handler."""
        return self.directory / "healed"


def run_part(part: str, number: int, life: int, scene: Scene) -> None:
    """Be one process until SIGTERM; ``life`` counts its restarts."""
    log = os.open(scene.directory / f"{part}-{number}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the harness decides who ends
    recorder = Recorder(scene.directory, f"{part}-{number}")
    recorder.write("live", "info", life=life, pid=os.getpid())
    runner = {"writer": _write, "relay": _relay, "consumer": _consume}[part]
    asyncio.run(_until_told(runner, number, life, scene, recorder))
    recorder.write("end", "info")


async def _until_told(runner: Any, number: int, life: int, scene: Scene, recorder: Recorder) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    while True:
        try:
            await runner(number, life, scene, recorder, stop)
        except Fault as problem:  # a server that is away at the start: as a supervisor would, try again
            recorder.write("start", "fail", cause=problem.code)
            await asyncio.sleep(0.2)
        if stop.is_set():
            return


async def _write(number: int, life: int, scene: Scene, recorder: Recorder, stop: asyncio.Event) -> None:
    traps = Traps(scene.directory, recorder)
    event = stepped(scene.topic)
    write_events = outbox_writer("//tongban/intake", shards=scene.shards)
    db = await Database.open(scene.writer_dsn, write_events=write_events, max_size=CONNECTIONS)
    notifying = asyncio.create_task(notify_commits("intake", scene.writer_dsn, db.committed, stop))
    interval = CONNECTIONS / scene.transactions_per_second

    async def work(worker: int) -> None:
        chance = random.Random(f"{scene.seed}/{number}/{worker}/{life}")
        done, due = 0, time.monotonic()
        while not stop.is_set():
            due = max(due + interval * chance.uniform(0.5, 1.5), time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            done += 1
            keys = choose_keys(chance, scene.keys)
            nonce = f"{number}.{life}.{worker}.{done}"
            pause, rolls_back = chance.random() * 0.02 * (chance.random() < 0.1), chance.random() < 0.05
            recorder.write("commit", "invoke", nonce=nonce, keys=keys)
            try:
                await step(
                    db,
                    event,
                    keys,
                    nonce,
                    pause_seconds=pause,
                    rolls_back=rolls_back,
                    committed=lambda: traps.spring("writer-committed"),
                )
            except RolledBackError:
                recorder.write("commit", "fail", nonce=nonce)
            except Fault as problem:
                recorder.write("commit", "info", nonce=nonce, cause=problem.code)
                await asyncio.sleep(0.05)
            else:
                recorder.write("commit", "ok", nonce=nonce)

    try:
        await asyncio.gather(*(work(worker) for worker in range(CONNECTIONS)))
    finally:
        stop.set() if stop.is_set() else notifying.cancel()
        await asyncio.gather(notifying, return_exceptions=True)
        await db.close()


async def _relay(number: int, life: int, scene: Scene, recorder: Recorder, stop: asyncio.Event) -> None:
    del life
    traps = Traps(scene.directory, recorder)
    bus = await open_bus(replace(scene.bus, client_id=f"history-relay-{number}"))
    make = bus.producer

    def producer() -> Any:
        inner = make()
        send = inner.append

        async def append(records: Sequence[NewRecord]) -> Any:
            traps.spring("relay-before-send")
            ids = [str(record.event_id) for record in records]
            recorder.write("send", "invoke", ids=ids)
            try:
                outcomes = await send(records)
            except BaseException as problem:
                recorder.write("send", "info", cause=type(problem).__name__)
                raise
            recorder.write("send", "ok", count=sum(outcome is None for outcome in outcomes))
            traps.spring("relay-sent")
            return outcomes

        inner.append = append  # type: ignore[method-assign]
        return inner

    bus.producer = producer  # type: ignore[method-assign]
    relay = Relay("intake", scene.writer_dsn, bus, shards=scene.shards, poll_seconds=0.3)
    publish = relay._publish

    async def publish_and_pass(*arguments: Any) -> bool:
        more = await publish(*arguments)
        traps.spring("relay-marked")
        return more

    relay._publish = publish_and_pass  # type: ignore[assignment,method-assign]
    try:
        await relay.run(stop)
    finally:
        await bus.close()


async def _consume(number: int, life: int, scene: Scene, recorder: Recorder, stop: asyncio.Event) -> None:
    del life
    traps = Traps(scene.directory, recorder)
    record_group(recorder, traps)
    instance = f"history-{scene.group}-{number}" if scene.is_static else None
    config = replace(scene.bus, client_id=f"history-consumer-{number}", group_instance_id=instance)
    bus = await open_bus(config)
    db = await Database.open(scene.reader_dsn, max_size=4)
    event = stepped(scene.topic)
    handler = chaining_handler(
        event, scene.healed, lambda: traps.spring("consumer-in-effect"), ordered=scene.ordered
    )
    consumer = Consumer(scene.group, db, [handler], bus, limits=LIMITS)
    receive = consumer.receive

    async def receive_and_record(records: Sequence[Record]) -> None:
        traps.spring("consumer-received")
        seen: dict[int, list[list[object]]] = {}
        for record in records:
            seen.setdefault(record.partition, []).append([record.offset, identity(record)])
        recorder.write("poll", "invoke", seen=seen)
        try:
            await receive(records)
        except BaseException as problem:
            recorder.write("poll", "fail", cause=type(problem).__name__)
            raise
        recorder.write("poll", "ok")
        traps.spring("consumer-effect-committed")

    consumer.receive = receive_and_record  # type: ignore[method-assign]
    try:
        await consumer.run(stop)
    finally:
        await bus.close()
        await db.close()


def identity(record: Record) -> str:
    """Return the event's id, or for a record without a readable one its place in the log."""
    value = dict(record.headers).get("ce_id")
    text = (value or b"").decode("ascii", "replace")
    return text if len(text) == 36 else f"unreadable/{record.partition}/{record.offset}"


def record_group(recorder: Recorder, traps: Traps) -> None:
    """Have commits and assignments of this process's group member recorded, on either transport."""
    commit: Any = GroupCoordinator.commit_offsets
    assigned: Any = Drain.on_partitions_assigned
    commit_log, settle = GroupMember._commit, GroupMember._settle

    async def commit_offsets(self: Any, assignment: Any, offsets: Any) -> None:
        told = {place.partition: int(offset.offset) for place, offset in offsets.items()}
        recorder.write("offset", "invoke", offsets=told)
        try:
            await commit(self, assignment, offsets)
        except BaseException as problem:
            refused = type(problem).__name__ == "CommitFailedError"
            recorder.write(
                "offset", "fail" if refused else "info", offsets=told, cause=type(problem).__name__
            )
            raise
        recorder.write("offset", "ok", offsets=told)
        traps.spring("consumer-offset-committed")

    async def on_partitions_assigned(self: Any, places: Any) -> None:
        recorder.write("assign", "info", partitions=sorted(place.partition for place in places))
        await assigned(self, places)

    async def commit_group(self: Any, connection: Any, records: Any, taken: Any) -> None:
        told = {record.partition: record.offset + 1 for record in records}
        recorder.write("offset", "invoke", offsets=told)
        try:
            await commit_log(self, connection, records, taken)
        except BaseException as problem:
            recorder.write("offset", "info", offsets=told, cause=type(problem).__name__)
            raise
        stored = {part: off for part, off in told.items() if _is_stored(self, records[0].topic, part, off)}
        for kind, offsets in (("ok", stored), ("fail", {p: o for p, o in told.items() if p not in stored})):
            if offsets:
                recorder.write("offset", kind, offsets=offsets)
        traps.spring("consumer-offset-committed")

    def settle_and_record(self: Any, owned: Any, claimed: Any) -> None:
        before = {place: held.gen for place, held in self._held.items()}
        settle(self, owned, claimed)
        new = sorted(place[1] for place, held in self._held.items() if before.get(place) != held.gen)
        if new:
            recorder.write("assign", "info", partitions=new)

    GroupCoordinator.commit_offsets = commit_offsets  # type: ignore[method-assign]
    Drain.on_partitions_assigned = on_partitions_assigned  # type: ignore[assignment,method-assign]
    GroupMember._commit = commit_group  # type: ignore[method-assign]
    GroupMember._settle = settle_and_record  # type: ignore[method-assign]


def _is_stored(member: Any, topic: str, partition: int, offset: int) -> bool:
    held = member._held.get((topic, partition))
    return held is not None and held.off == offset
