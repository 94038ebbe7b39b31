"""One seed: load, faults, healing, the operator's replay, and what the checker says of it."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import tempfile
import time
import traceback
import uuid
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg

from chassis.bus import Bus, BusConfig, open_bus
from chassis.db import Database
from chassis.dead_letters import discard, list_keys, replay, show
from chassis.errors import Fault
from chassis.failures import DATABASE_TROUBLE
from chassis.inbox_batch import Inbox
from chassis.outbox import outbox_writer
from tests.history.cast import Cast
from tests.history.checker import Effect, Evidence, Injected, Outboxed, Parked, Verdict, check
from tests.history.nemesis import Misfortune, Nemesis, plan
from tests.history.parts import Scene
from tests.history.recording import Op, read_history
from tests.history.servers import BusServer, OwnPostgres
from tests.history.workload import READER_TABLES, WRITER_TABLES, chaining_handler, stepped

PARTITIONS = 4
SETTLE_SECONDS = 90.0
RECOVERED_SECONDS = 45.0
QUIET_SECONDS = 0.2
EVENTS_PER_TRANSACTION = 4.6
"""The mean of `choose_keys`."""


@dataclass(slots=True)
class Outcome:
    """What became of a seed."""

    seed: int
    bus: str
    verdict: Verdict
    kills: int
    seconds: float
    longest_stall_seconds: float
    faults: list[str]
    problem: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether nothing was found and the run came to its end."""
        return not self.verdict.anomalies and not self.problem

    def summary(self) -> str:
        """Return the line of this seed."""
        counts = self.verdict.counts
        names = (
            "sent",
            "acknowledged",
            "received",
            "distinct",
            "duplicates",
            "missing",
            "inversions",
            "doubled",
        )
        told = " ".join(f"{name}={counts.get(name, 0)}" for name in names)
        result = "sound" if self.is_sound else "BROKEN"
        return (
            f"seed {self.seed} {result}: {told} parked={counts.get('parked', 0)} kills={self.kills} "
            f"recovery={self.longest_stall_seconds:.1f}s took={self.seconds:.1f}s"
        )

    def as_json(self) -> dict[str, Any]:
        """Return it for a report."""
        return asdict(self)


async def run_seed(
    seed: int,
    services: OwnPostgres,
    server: BusServer,
    *,
    events: int = 10_000,
    load_seconds: float = 8.0,
    keep: Path | None = None,
    misfortunes: list[Misfortune] | None = None,
) -> Outcome:
    """Run one seed from empty databases and a fresh topic; with ``keep`` a broken seed's histories stay there."""
    began = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="tbhistory"))
    databases = services.databases
    dsns = [await databases.create_database(tables) for tables in (WRITER_TABLES, READER_TABLES)]
    config = await server.configure()
    scene = _scene(seed, directory, dsns, config, events / load_seconds)
    stage = _Stage(scene, services, server)
    try:
        chosen = plan(seed, load_seconds) if misfortunes is None else misfortunes
        try:
            outcome = await stage.run(chosen, events)
        except Exception as trouble:  # one seed that breaks must not end a hundred
            outcome = _broken(seed, server.name, chosen, trouble)
            await asyncio.to_thread(_mend, services, server)
        outcome.seconds = time.monotonic() - began
        if keep is not None and not outcome.is_sound:
            shutil.copytree(directory, keep / f"seed-{seed}", dirs_exist_ok=True)
        return outcome
    finally:
        for dsn in dsns:
            await databases.drop_database(dsn)
        shutil.rmtree(directory, ignore_errors=True)


def _broken(seed: int, bus: str, misfortunes: list[Misfortune], trouble: Exception) -> Outcome:
    frames = "".join(traceback.format_exception(trouble)[-6:])
    return Outcome(
        seed, bus, Verdict([], {}), 0, 0.0, 0.0, _told(misfortunes), f"the run itself broke:\n{frames}"
    )


def _mend(services: OwnPostgres, server: BusServer) -> None:
    """Have the servers answer, whatever a run that broke off left undone."""
    server.pause(signal.SIGCONT)
    server.restart()
    services.restart()


def _told(misfortunes: list[Misfortune]) -> list[str]:
    return [f"{each.after_seconds:.1f} {each.kind} {each.detail}".strip() for each in misfortunes]


def _scene(seed: int, directory: Path, dsns: list[str], config: BusConfig, rate: float) -> Scene:
    chance = random.Random(f"scene/{seed}")
    return Scene(
        directory=directory,
        seed=seed,
        writer_dsn=dsns[0],
        reader_dsn=dsns[1],
        bus=config,
        topic=f"intake.h{uuid.uuid4().hex}.v1",
        group=f"h{uuid.uuid4().hex}",
        keys=chance.choice((40, 150, 400)),
        shards=chance.choice((1, 1, 2)),
        ordered=chance.random() < 0.5,
        is_static=chance.random() < 0.5,
        transactions_per_second=rate / EVENTS_PER_TRANSACTION / 2,
    )


class _Stage:
    def __init__(self, scene: Scene, services: OwnPostgres, server: BusServer) -> None:
        self._scene, self._services, self._server = scene, services, server

    async def run(self, misfortunes: list[Misfortune], events: int) -> Outcome:
        scene = self._scene
        bus = await open_bus(scene.bus)
        writes = outbox_writer("//tongban/intake", shards=scene.shards)
        writer = await Database.open(scene.writer_dsn, write_events=writes, max_size=3)
        reader = await Database.open(scene.reader_dsn, max_size=3)
        try:
            await bus.create_topics([scene.topic], PARTITIONS)
            problem = ""
            async with Cast(scene) as cast:
                nemesis = Nemesis(scene, cast, self._services, self._server, bus, writer)
                try:
                    await self._load(cast, nemesis, misfortunes, writer, events)
                    await self._settle(bus, writer, reader)
                    scene.healed.touch()
                    await self._operate(reader, bus)
                    await self._settle(bus, writer, reader)
                except TimeoutError as late:
                    problem = f"did not settle: {late}"
                    await asyncio.to_thread(_mend, self._services, self._server)
                deaths = cast.deaths
            evidence = await self._evidence(bus, writer, reader, nemesis.injected)
        finally:
            for each in (writer, reader, bus):
                await each.close()
        return Outcome(
            seed=scene.seed,
            bus=self._server.name,
            verdict=check(evidence),
            kills=deaths + sum(each.kind.endswith("-killed") for each in misfortunes),
            seconds=0.0,
            longest_stall_seconds=longest_stall(evidence.history),
            faults=_told(misfortunes),
            problem=problem,
        )

    async def _load(
        self, cast: Cast, nemesis: Nemesis, misfortunes: list[Misfortune], writer: Database, events: int
    ) -> None:
        """Write until there are so many events and every fault is over."""
        faults = asyncio.create_task(nemesis.run(misfortunes))
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while await _ask(writer, "select count(*) from event_log") < events:
                    await asyncio.sleep(0.2)
                await faults
                await cast.end("writer")
        finally:
            faults.cancel()
            await asyncio.gather(faults, return_exceptions=True)

    async def _settle(self, bus: Bus, writer: Database, reader: Database) -> None:
        """Wait until everything committed is published and read."""
        state = ""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while True:
                    pending = await _ask(writer, "select count(*) from event_log where published_at is null")
                    lag = await self._lag(bus) if not pending else -1
                    state = f"{pending} unpublished, lag {lag}"
                    if pending == 0 and lag == 0:
                        return
                    await asyncio.sleep(QUIET_SECONDS)
        except TimeoutError:
            parked = await _ask(reader, "select count(*) from parked_key")
            raise TimeoutError(f"{state}, {parked} keys parked") from None

    async def _lag(self, bus: Bus) -> int:
        try:
            return sum(lag.events for lag in await bus.lag(self._scene.group, [self._scene.topic]))
        except Fault:
            return -1

    async def _operate(self, reader: Database, bus: Bus) -> None:
        """Do as an operator does when the handler is repaired: discard what is unreadable, replay the rest."""
        del bus
        scene = self._scene
        handler = chaining_handler(stepped(scene.topic), scene.healed, lambda: None, ordered=scene.ordered)
        inbox = Inbox(scene.group, reader, [handler])
        async with asyncio.timeout(SETTLE_SECONDS):
            while keys := await list_keys(reader, scene.group):
                for _, key in keys:
                    done = await replay(inbox, key, actor="checker")
                    if done.cause:
                        letters = [
                            each for each in await show(reader, scene.group, key) if each.state == "parked"
                        ]
                        number = letters[0].dead_letter_id
                        await discard(reader, scene.group, number, actor="checker", reason=done.cause)

    async def _evidence(
        self, bus: Bus, writer: Database, reader: Database, injected: list[Injected]
    ) -> Evidence:
        outbox = await writer.pool.fetch(
            "select event_id, aggregate_id, version, payload, published_at from event_log order by seq"
        )
        effects = await reader.pool.fetch("select key, nth, event_id, version, nonce from effect")
        chains = await reader.pool.fetch("select key, encode(chain, 'hex') as chain from state")
        letters = await reader.pool.fetch(
            "select dead_letter_id, key, partition, position, event_id, cause, state from dead_letter"
        )
        known = {str(row["event_id"]) for row in outbox} | {each.event_id for each in injected}
        history = await asyncio.to_thread(read_history, self._scene.directory)
        return Evidence(
            history=history,
            outbox=[
                Outboxed(
                    str(row["event_id"]),
                    row["aggregate_id"],
                    row["version"],
                    json.loads(row["payload"])["nonce"],
                )
                for row in outbox
            ],
            effects=[
                Effect(r["key"], r["nth"], str(r["event_id"]), r["version"], r["nonce"]) for r in effects
            ],
            chains={row["key"]: row["chain"] for row in chains},
            parked=[_parked(row, known) for row in letters],
            injected=injected,
            committed=await self._committed(bus),
            unpublished=sum(row["published_at"] is None for row in outbox),
        )

    async def _committed(self, bus: Bus) -> dict[int, int]:
        scene = self._scene
        if scene.bus.kind == "postgres":
            connection = await asyncpg.connect(scene.bus.postgres_dsn)
            try:
                rows = await connection.fetch("select part, off from grp where grp = $1", scene.group)
            finally:
                await connection.close()
            return {row["part"]: row["off"] for row in rows}
        async with bus.admin() as admin:  # type: ignore[attr-defined]
            stored = await admin.list_consumer_group_offsets(scene.group)
        return {place.partition: meta.offset for place, meta in stored.items() if meta.offset >= 0}


def _parked(row: Any, known: set[str]) -> Parked:
    event_id = str(row["event_id"])
    if event_id not in known:  # it carried no id: known by its place in the log
        event_id = f"unreadable/{row['partition']}/{row['position']}"
    return Parked(row["dead_letter_id"], row["key"], event_id, row["cause"], row["state"])


async def _ask(db: Database, query: str) -> int:
    """Return a count, though the nemesis may have ended the connection or the server."""
    deadline = time.monotonic() + RECOVERED_SECONDS
    while True:
        try:
            return int(await db.pool.fetchval(query))
        except DATABASE_TROUBLE:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


def longest_stall(history: list[Op]) -> float:
    """Return the longest time without a finished batch between the first and the last one, in seconds."""
    moments = [op["at"] for op in history if op["what"] == "poll" and op["kind"] == "ok"]
    return max((later - earlier for earlier, later in pairwise(moments)), default=0) / 1e9
