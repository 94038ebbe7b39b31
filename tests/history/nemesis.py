"""What goes wrong in a run and when: a plan made from the seed alone, and its execution."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass

from chassis.bus import Bus
from chassis.db import Database
from chassis.errors import Fault
from tests.history.cast import Cast
from tests.history.checker import Injected
from tests.history.parts import Scene
from tests.history.poison import KINDS, again, append, poison
from tests.history.recording import Recorder, Traps
from tests.history.servers import BusServer, OwnPostgres, terminate_backends
from tests.history.workload import step, stepped

RELAY_STEPS = ("relay-before-send", "relay-sent", "relay-marked")
CONSUMER_STEPS = (
    "consumer-received",
    "consumer-in-effect",
    "consumer-effect-committed",
    "consumer-offset-committed",
)
STOP_SECONDS = 4.0
"""Past the session of 2 s and the lease of 1.5 s."""


@dataclass(frozen=True, slots=True)
class Misfortune:
    """One fault: ``after_seconds`` of the load."""

    after_seconds: float
    kind: str
    detail: str = ""


def plan(seed: int, load_seconds: float) -> list[Misfortune]:
    """Return the faults of a seed in the order of time."""
    chance = random.Random(f"nemesis/{seed}")
    found: list[Misfortune] = []

    def add(kind: str, detail: str = "", *, likely: float = 1.0, until: float = 0.9) -> None:
        if chance.random() < likely:
            found.append(Misfortune(chance.uniform(0.05, until) * load_seconds, kind, detail))

    for part_step in chance.sample(RELAY_STEPS, 2) + chance.sample(CONSUMER_STEPS, 2):
        add("trap", part_step)
    add("trap", "writer-committed", likely=0.5)
    for part in ("relay", "consumer", "writer"):
        add("kill", part, likely=0.5)
    add("bus-killed", until=0.5)
    add("bus-paused", likely=0.3)
    add("stop", chance.choice(("consumer", "consumer", "relay")), likely=0.5, until=0.5)
    add("backends", likely=0.6)
    add("again")
    for kind in chance.sample(KINDS, 2):
        add("poison", kind)
    add("poison", "bug", likely=0.5)
    add("poison", "kill", likely=0.08, until=0.4)
    return sorted(found, key=lambda each: each.after_seconds)


class Nemesis:
    """Executes a plan; each fault is on record before it happens and when it is over."""

    def __init__(
        self, scene: Scene, cast: Cast, services: OwnPostgres, server: BusServer, bus: Bus, writer: Database
    ) -> None:
        self._scene, self._cast, self._services, self._server = scene, cast, services, server
        self._admin_dsn, self._bus, self._writer = services.databases.admin_dsn, bus, writer
        self._recorder = Recorder(scene.directory, "nemesis")
        self._snares = Traps(scene.directory)
        self._chance = random.Random(f"execution/{scene.seed}")
        self._bus_lock = asyncio.Lock()
        self.injected: list[Injected] = []

    async def run(self, misfortunes: list[Misfortune]) -> None:
        """Return when every fault has happened and is over; traps nobody stepped into are removed."""
        await asyncio.gather(*(self._after(each) for each in misfortunes))
        for left in self._snares.clear():
            self._recorder.write("trap", "fail", step=left)

    async def _after(self, misfortune: Misfortune) -> None:
        await asyncio.sleep(misfortune.after_seconds)
        self._recorder.write("fault", "invoke", fault=misfortune.kind, detail=misfortune.detail)
        await getattr(self, "_" + misfortune.kind.replace("-", "_"))(misfortune.detail)
        self._recorder.write("fault", "ok", fault=misfortune.kind, detail=misfortune.detail)

    async def _trap(self, name: str) -> None:
        self._snares.set(name)

    async def _traps(self, names: str) -> None:
        """Set traps one after the other, each when the one before has sprung."""
        for name in names.split():
            self._snares.set(name)
            while self._snares.is_set(name):
                await asyncio.sleep(0.02)

    async def _kill(self, part: str) -> None:
        self._cast.signal(self._chance.choice(self._cast.of(part)), signal.SIGKILL)

    async def _stop(self, part: str) -> None:
        member = self._chance.choice(self._cast.of(part))
        self._cast.signal(member, signal.SIGSTOP)
        await asyncio.sleep(STOP_SECONDS / 2)
        if part == "relay":  # its lock goes to the other while it still holds events to send
            await self._suppressed(self._lose_lock)
        await asyncio.sleep(STOP_SECONDS / 2)
        self._cast.signal(member, signal.SIGCONT)

    async def _lose_lock(self) -> None:
        await self._writer.pool.execute(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where application_name = 'intake-relay' and datname = current_database()
            """
        )

    async def _services_killed(self, _: str) -> None:
        await asyncio.to_thread(self._services.crash)
        await asyncio.to_thread(self._services.restart)

    async def _bus_killed(self, _: str) -> None:
        async with self._bus_lock:
            await asyncio.to_thread(self._server.kill)
            await asyncio.sleep(self._chance.uniform(0.0, 1.0))
            await asyncio.to_thread(self._server.restart)

    async def _bus_paused(self, _: str) -> None:
        async with self._bus_lock:
            self._server.pause(signal.SIGSTOP)
            await asyncio.sleep(self._chance.uniform(0.5, 2.5))
            self._server.pause(signal.SIGCONT)

    async def _backends(self, _: str) -> None:
        names = [
            dsn.partition("?")[0].rpartition("/")[2]
            for dsn in (self._scene.writer_dsn, self._scene.reader_dsn)
        ]
        for _turn in range(3):
            hit = await terminate_backends(self._admin_dsn, names, 3)
            self._recorder.write("terminated", "ok", count=hit)
            await asyncio.sleep(0.3)

    async def _again(self, _: str) -> None:
        rows = await self._writer.pool.fetch(
            """
            select topic, aggregate_id, headers, payload from event_log tablesample bernoulli (30)
            where published_at is not null limit 400
            """
        )
        await append(self._bus, again(rows, self._chance))
        self._recorder.write("again", "ok", count=len(rows))

    async def _poison(self, kind: str) -> None:
        if kind in {"bug", "kill"}:
            key = f"k{self._chance.randrange(self._scene.keys)}"
            self._recorder.write("poison", "info", key=key, note=kind)
            nonce, event = f"poison.{kind}", stepped(self._scene.topic)
            await self._suppressed(lambda: step(self._writer, event, [key], nonce, note=kind))
            return
        records, fates = poison(kind, self._scene.topic, str(self._scene.seed))
        self.injected += fates
        for record in records:
            await append(self._bus, [record])

    async def _suppressed(self, action: Callable[[], object]) -> None:
        for _ in range(5):  # another fault may hit the same connection
            try:
                await action()  # type: ignore[misc]
            except (Fault, OSError):
                await asyncio.sleep(0.1)
            else:
                return
