"""What both simulations share: servers, a bus, processes that come back after a crash, and the one who breaks things."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from chassis import dead_letters
from chassis.db import Database
from chassis.delivery import decode
from chassis.errors import Fault
from chassis.event import Envelope, new_event_id
from chassis.inbox import Consumer, Handler, Inbox, Limits
from chassis.outbox import outbox_writer
from chassis.relay import Relay
from tests.simulator.bus import SimBus
from tests.simulator.database import inbox_statements, outbox_statements
from tests.simulator.database.connection import open_database
from tests.simulator.database.engine import Server
from tests.simulator.seams import at_seams
from tests.simulator.world import Faults, Process, World

SETTLED_WITHIN_SECONDS = 1_800.0
LIMITS = Limits(measure_seconds=120.0)
POLL_SECONDS = 2.0
TAUGHT = (inbox_statements, outbox_statements)
"""What the databases know."""


class Stage(ABC):
    """The servers of one run and everybody who works on them."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.world.faults = Faults.of(self.world.chance)
        self.bus = SimBus(self.world)
        self.servers: dict[str, Server] = {}
        self.living: list[Process] = []
        self.mended = False
        """Whether the bugs in handlers have been fixed, which replays wait for."""

    def server(self, name: str) -> Server:
        """Return the database server of a service."""
        if name not in self.servers:
            self.servers[name] = Server(self.world, name)
        return self.servers[name]

    def database(self, name: str) -> Database:
        """Open a pool on a service's database."""
        return open_database(self.server(name), outbox_writer(f"//tongban/{name}"))

    def run(self) -> None:
        """Run to the end; what went wrong is in ``world.wrong`` afterwards."""
        with at_seams(self.world, self.server):
            self.world.run(self.play())

    @abstractmethod
    async def play(self) -> None:
        """Perform the run; each simulation has its own."""

    def start(self, name: str, build: Callable[[Process], list[Any]], *, mortal: bool = True) -> None:
        """Start a process from the tasks that ``build`` returns; after a crash it is started again."""
        process = Process(self.world, name, mortal=mortal)
        self.living.append(process)

        def again() -> None:
            self.living.remove(process)
            pause = self.world.chance.uniform(0.2, 4.0)
            self.world.loop.call_later(pause, lambda: self.start(name, build, mortal=mortal))

        process.on_exit = again
        for work in build(process):
            process.spawn(work)

    def relay(self, service: str, db: Database, stop: asyncio.Event) -> Any:
        """Return the relay of a service at work, with its notifier."""
        relay = Relay(service, service, self.bus, committed=db.committed, poll_seconds=POLL_SECONDS)
        return relay.run(stop)

    def consumer(
        self, service: str, db: Database, handlers: list[Handler[Any, Any]], stop: asyncio.Event
    ) -> Any:
        """Return the consumer of a service at work."""
        return Consumer(service, db, handlers, self.bus, limits=LIMITS).run(stop)

    async def break_things(self, seconds: float) -> None:
        """Kill, cut, rebalance and turn clocks for so long; then nothing bad happens any more."""
        world = self.world
        end = world.loop.time() + seconds
        replaced = world.chance.random() > 0.15
        while world.loop.time() < end:
            await asyncio.sleep(world.chance.expovariate(0.9))
            what = world.chance.randrange(10)
            world.counts["nemesis"] += 1
            if what <= 2 and self.living:
                victims = [each for each in self.living if each.mortal]
                world.chance.choice(victims).kill()
            elif what == 3:
                self.cut_connections(world.chance.choice(list(self.servers.values())))
            elif what == 4:
                self.bus.rebalance(world.chance.choice(list(self.bus.groups.values())))
            elif what == 5:
                world.skew_seconds += world.chance.uniform(-90, 90)
                world.counts["clock_jumps"] += 1
                world.note("CLOCK", f"{world.skew_seconds:.3f}")
            elif what == 6:
                self.poison()
            elif what == 7:
                self.bus.away = {world.chance.choice(sorted({topic for topic, _ in self.bus.log}))}
                world.note("TOPIC AWAY", *self.bus.away)
            elif what == 8:
                running = [each for each in self.living if each.parts and not each.stop.is_set()]
                if running:
                    world.chance.choice(running).drain()
            elif not replaced:
                replaced = True
                self.bus.replace()
        self.bus.away = set()
        world.calm = True
        world.note("CALM")

    def cut_connections(self, server: Server) -> None:
        """Restart a database server: everybody's connection is gone."""
        self.world.note("SERVER RESTARTS", server.name)
        for connection in list(server.connections):
            connection.cut()

    @abstractmethod
    def poison(self) -> None:
        """Have something undeliverable on the bus."""

    async def until(self, holds: Callable[[], bool], what: str) -> bool:
        """Wait until something holds; it must within the time given."""
        end = self.world.loop.time() + SETTLED_WITHIN_SECONDS
        while not holds():
            if self.world.loop.time() > end or self.world.wrong:
                self.world.wrong.append(f"it did not come to rest: {what}")
                return False
            await asyncio.sleep(1.0)
        return True

    def waiting(self) -> int:
        """Return how many events of all outboxes were not sent."""
        tables = (server.tables["event_log"] for server in self.servers.values())
        return sum(row["published_at"] is None for table in tables for row in table.values())

    def at_rest(self) -> bool:
        """Say whether everything that was committed was sent and read."""
        known = {
            row["cluster_id"]
            for server in self.servers.values()
            for row in server.tables["relay_state"].values()
        }
        return self.waiting() == 0 and self.bus.unread() == 0 and known <= {self.bus.identity}

    async def operate(self, service: str, db: Database, handlers: list[Handler[Any, Any]]) -> None:
        """Do what an operator does with parked events: discard the unreadable, replay the others."""
        inbox = Consumer(service, db, handlers, self.bus, limits=LIMITS).inbox
        for _, key in await dead_letters.list_keys(db, service):
            await self._discard_unreadable(service, inbox, key)
            replayed = await dead_letters.replay(inbox, key, actor="operator")
            if not replayed.cause or not self.mended:
                continue
            if not await self._discard_unreadable(
                service, inbox, key
            ):  # none came between discarding and replay
                self.world.wrong.append(f"the replay of {key} at {service} failed: {replayed.cause}")

    async def _discard_unreadable(self, service: str, inbox: Inbox, key: str) -> int:
        letters = await dead_letters.show(inbox.db, service, key)
        unreadable = [
            each for each in letters if each.state == "parked" and decode(each.record(), inbox.handlers).cause
        ]
        for letter in unreadable:
            await self._discard(inbox.db, service, letter.dead_letter_id)
        return len(unreadable)

    async def _discard(self, db: Database, service: str, number: int) -> None:
        try:
            await dead_letters.discard(db, service, number, actor="operator", reason="unreadable")
        except Fault as fault:
            if fault.reason is not dead_letters.DEAD_LETTER_NOT_FOUND:  # another operator was faster
                raise

    async def keep_operating(self, service: str) -> None:
        """Do it again and again while things still break; two operators may be at it at once."""
        db = self.database(service)
        while not self.world.calm:
            await asyncio.sleep(self.world.chance.uniform(0.5, 3.0))
            try:
                await self.operate(service, db, self.handlers_of(service))
            except Fault:
                self.world.counts["operator_was_refused"] += 1

    @abstractmethod
    def handlers_of(self, service: str) -> list[Handler[Any, Any]]:
        """Return the handlers of a service."""

    def envelope(self, kind: str, subject: str, version: int) -> Envelope:
        """Return an envelope that no outbox wrote."""
        return Envelope(new_event_id(), kind, "//tongban/stranger", subject, version, self.world.now())
