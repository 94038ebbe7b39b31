"""A bus in memory behind the real port: partitions, groups, offsets, rebalances; drops, repeats and delays by seed."""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from chassis.bus.port import BUS_TOPIC_MISSING, BatchHandler, Lag, NewRecord, Record, Refused, sift
from chassis.errors import PEER_UNAVAILABLE
from tests.simulator.world import Process, World, current

BATCH_RECORDS = 8
IDLE_SECONDS = 0.6
SESSION_SECONDS = 6.0
"""So long a member that says nothing keeps its partitions."""
AWAY_SECONDS = 8.0
Part = tuple[str, int]


@dataclass(slots=True)
class Stored:
    """A record in the log and when it can be read."""

    record: Record
    visible_at: float


@dataclass(slots=True)
class Group:
    """The members of one group and how far it is; each generation shares the partitions out anew."""

    offsets: dict[Part, int] = field(default_factory=dict)
    members: list[SimConsumer] = field(default_factory=list)
    generation: int = 0
    topics: tuple[str, ...] = ()


class SimBus:
    """The transport ``simulated``; implements ``chassis.bus.port.Bus``."""

    transport = "simulated"

    def __init__(self, world: World, partitions: int = 2) -> None:
        self.world, self._partitions = world, partitions
        self.log: dict[Part, list[Stored]] = {}
        self.groups: dict[str, Group] = defaultdict(Group)
        self.away: set[str] = set()
        """Topics that are missing just now."""
        self._replacements = 0
        self._back_at = 0.0

    async def create_topics(self, topics: Sequence[str], partitions: int) -> None:
        """Provision topics."""
        del partitions
        for topic in topics:
            for number in range(self._partitions):
                self.log.setdefault((topic, number), [])

    async def require_topics(self, topics: Sequence[str]) -> None:
        """Do nothing when all topics exist."""
        await self.reach("topics")
        missing = [topic for topic in topics if (topic, 0) not in self.log]
        if missing:
            raise BUS_TOPIC_MISSING(topics=missing)

    async def cluster_id(self) -> str:
        """Return the id of the log."""
        await self.reach("cluster id")
        return self.identity

    async def lag(self, group: str, topics: Sequence[str]) -> list[Lag]:
        """Return the lag of a group."""
        await self.reach("lag")
        return [
            Lag(*part, len(self.log[part]) - self.groups[group].offsets.get(part, 0), None)
            for part in sorted(self.log)
            if part[0] in topics
        ]

    async def prune(self, keep_seconds: float) -> int:
        """Keep everything."""
        del keep_seconds
        return 0

    def producer(self) -> SimProducer:
        """Return a producer."""
        return SimProducer(self)

    def consumer(self, group: str, topics: Sequence[str], handle: BatchHandler) -> SimConsumer:
        """Return a member of a group."""
        return SimConsumer(self, group, topics, handle)

    async def close(self) -> None:
        """Hold nothing."""

    def write(self, record: NewRecord) -> None:
        """Append one record to its partition; it may become visible later, never before an earlier one."""
        part = (record.topic, zlib.crc32(record.key) % self._partitions)
        log, now = self.log[part], self.world.loop.time()
        if self.world.hits("record_delayed"):
            now += self.world.chance.uniform(0, 5)
        visible = max(now, log[-1].visible_at if log else 0.0)
        headers = tuple(record.headers)
        at = self.world.now()
        log.append(Stored(Record(*part, len(log), record.key, headers, record.body, at), visible))
        self.world.note("appended", *part, len(log) - 1)

    async def reach(self, *told: object) -> None:
        """Take the way to the bus. Raises PEER_UNAVAILABLE while it is away."""
        await self.world.travel("bus", *told)
        if self.is_away:
            raise PEER_UNAVAILABLE(peer="bus", retry_after_seconds=1.0)

    def replace(self) -> None:
        """Lose everything: after an outage, which a new cluster takes longer than this, another, empty one answers."""
        self._back_at = self.world.loop.time() + AWAY_SECONDS
        self._replacements += 1
        self.world.note("BUS REPLACED")
        for log in self.log.values():
            log.clear()
        for group in self.groups.values():
            group.offsets.clear()
            self.rebalance(group)

    @property
    def identity(self) -> str:
        """The id of this log; another after it was lost."""
        return f"cluster-{self._replacements}"

    @property
    def is_away(self) -> bool:
        """Say whether nothing answers."""
        return self.world.loop.time() < self._back_at

    def rebalance(self, group: Group) -> None:
        """Share the partitions out anew; what was read and not committed is read again by whoever gets it."""
        group.generation += 1
        self.world.note("REBALANCE", group.generation, len(group.members))

    def unread(self) -> int:
        """Return how many records no group that reads their topic has committed."""
        return sum(
            len(log) - group.offsets.get(part, 0)
            for group in self.groups.values()
            for part, log in self.log.items()
            if part[0] in group.topics
        )


class SimProducer:
    """Implements ``BusProducer``."""

    def __init__(self, bus: SimBus) -> None:
        self._bus = bus

    def hold_to(self, cluster_id: str) -> None:
        """Do nothing: there is one bus in a world."""

    async def append(self, records: Sequence[NewRecord]) -> list[Refused | None]:
        """Append; or tell that the result is unknown, which may mean all, some or none."""
        bus, world = self._bus, self._bus.world
        process = current.get()
        if process is not None and world.hits("append_late"):  # on the wire already when the process dies
            pending = list(records)

            def arrive() -> None:
                if process.dead:
                    for record in pending:
                        bus.write(record)

            world.loop.call_later(0.001, arrive)
        await bus.reach("append", len(records))
        if world.hits("append_fails"):
            raise PEER_UNAVAILABLE(peer="bus", retry_after_seconds=1.0)
        topics = {topic for topic, _ in bus.log} - bus.away
        if world.hits("append_refused"):
            topics.discard(world.chance.choice(records).topic)
        outcomes = sift(records, topics)
        accepted = [record for record, refused in zip(records, outcomes, strict=True) if refused is None]
        if world.hits("append_unknown"):
            for record in accepted[: world.chance.randint(0, len(accepted))]:
                bus.write(record)
            raise PEER_UNAVAILABLE(peer="bus", retry_after_seconds=1.0)
        for record in accepted:
            bus.write(record)
        await world.travel("bus", "acknowledged")
        return outcomes

    async def close(self) -> None:
        """Hold nothing."""


class SimConsumer:
    """Implements ``BusConsumer``: at least once, in order within a partition."""

    def __init__(self, bus: SimBus, group: str, topics: Sequence[str], handle: BatchHandler) -> None:
        self.topics = tuple(topics)
        self._bus, self._group, self._handle = bus, bus.groups[group], handle
        self._generation = -1
        self._positions: dict[Part, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Read until told to stop."""
        world, process = self._bus.world, current.get()
        await world.travel("bus", "join")
        self._group.members.append(self)
        self._bus.rebalance(self._group)
        if process is not None:
            process.at_death.append(lambda: self._vanish(process))
        while not stop.is_set():
            batch = self._poll()
            if not batch:
                await asyncio.sleep(IDLE_SECONDS)
                continue
            world.note("polled", *((record.topic, record.partition, record.offset) for record in batch))
            generation = self._generation
            try:
                await self._handle(batch)
                await self._bus.reach("commit offsets")
            except Exception as problem:
                world.note("redelivery after", type(problem).__name__)
                self._generation = -1
                await asyncio.sleep(0.5)
                continue
            if generation == self._group.generation:
                for record in batch:
                    self._group.offsets[record.topic, record.partition] = record.offset + 1
        self._leave()

    def _poll(self) -> list[Record]:
        world, group = self._bus.world, self._group
        if self not in group.members or self._bus.is_away:
            return []
        if self._generation != group.generation or world.hits("delivered_again"):
            self._generation = group.generation
            self._positions = {part: group.offsets.get(part, 0) for part in self._mine()}
        parts = [part for part in self._positions if len(self._bus.log[part]) > self._positions[part]]
        world.chance.shuffle(parts)
        batch: list[Record] = []
        for part in parts:
            for stored in self._bus.log[part][self._positions[part] :]:
                if len(batch) >= BATCH_RECORDS or stored.visible_at > world.loop.time():
                    break
                batch.append(stored.record)
                self._positions[part] = stored.record.offset + 1
        return batch

    def _mine(self) -> list[Part]:
        parts = sorted(part for part in self._bus.log if part[0] in self.topics)
        members = self._group.members
        turn = self._group.generation + members.index(self)
        return [part for number, part in enumerate(parts) if (number + turn) % len(members) == 0]

    def _vanish(self, process: Process) -> None:
        """Stay in the group as a dead member until the session is over."""
        del process
        self._bus.world.loop.call_later(SESSION_SECONDS, self._leave)

    def _leave(self) -> None:
        if self in self._group.members:
            self._group.members.remove(self)
            self._bus.rebalance(self._group)
