"""A group's member on the PostgreSQL bus: leases, fencing by generation, fair shares, wake and poll."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from chassis.bus.port import BUS_GROUP_BEHIND, BatchHandler, BusConfig, Record, load_headers
from chassis.db import connect_alone
from chassis.failures import DATABASE_TROUBLE
from chassis.messaging_metrics import BUS_COMMIT_FAILURES
from chassis.messaging_metrics import BUS_GROUP_BEHIND as BEHIND_GAUGE
from chassis.notifier import wait_for

CHANNEL = "tongban_bus"
MAX_RECORDS = 500
MAX_BYTES = 4 * 1024 * 1024
"""A batch ends with the record that passes this."""
RETRY_SECONDS = 0.5
_log = structlog.get_logger("tongban.bus")

ENROL = """
insert into grp (grp, topic, part, off) select $1, topic, part, first_off from part where topic = any($2)
on conflict do nothing
"""
ALIVE = """
insert into grp_member (grp, member, topics, lease) values ($1, $2, $3, now() + make_interval(secs => $4))
on conflict (grp, member) do update set lease = excluded.lease
"""
RENEW = """
update grp set lease = now() + make_interval(secs => $3) where grp = $1 and owner = $2
returning topic, part, off, gen
"""
SHARE = """
select (select count(*) from grp where grp = $1 and topic = any($2)) as partitions,
       (select count(*) from grp_member where grp = $1 and lease > now()) as members
"""
CLAIM = """
update grp g set owner = $2, lease = now() + make_interval(secs => $4), gen = g.gen + 1
from (select topic, part from grp where grp = $1 and topic = any($3) and (owner is null or lease < now())
      order by topic, part limit $5 for update skip locked) free
where g.grp = $1 and g.topic = free.topic and g.part = free.part
returning g.topic, g.part, g.off, g.gen
"""
READ = """
select * from (select found.*,
  sum(octet_length(body)) over (order by nr, off) - coalesce(octet_length(body), 0) as bytes_before from (
select w.nr, w.topic, w.part, p.first_off, m.off, m.key, m.headers, m.body, m.at
from unnest($1::text[], $2::int[], $3::bigint[]) with ordinality w(topic, part, off, nr)
join part p on p.topic = w.topic and p.part = w.part
left join lateral (select off, key, headers, body, at from msg
  where topic = w.topic and part = w.part and off >= w.off and p.first_off <= w.off
  order by off limit $4) m on true
where m.off is not null or p.first_off > w.off
order by w.nr, m.off limit $4) found) sized
where coalesce(bytes_before, 0) < $5 order by nr, off
"""
COMMIT = """
update grp g set off = w.off from unnest($3::text[], $4::int[], $5::bigint[], $6::bigint[]) w(topic, part, off, gen)
where g.grp = $1 and g.owner = $2 and g.topic = w.topic and g.part = w.part and g.gen = w.gen and g.lease > now()
returning g.topic, g.part
"""
RELEASE = """
update grp g set owner = null, lease = null from unnest($3::text[], $4::int[]) w(topic, part)
where g.grp = $1 and g.owner = $2 and g.topic = w.topic and g.part = w.part
"""

Place = tuple[str, int]


@dataclass(slots=True)
class Held:
    """An owned partition: where to read next, and the generation that fences its commits."""

    off: int
    gen: int


class GroupMember:
    """One member of one group; implements ``chassis.bus.BusConsumer``."""

    def __init__(self, config: BusConfig, group: str, topics: tuple[str, ...], handle: BatchHandler) -> None:
        self.member = uuid.uuid4()
        self._config, self._group, self._topics, self._handle = config, group, topics, handle
        self._held: dict[Place, Held] = {}
        self._surplus: list[Place] = []
        self._behind: set[Place] = set()
        self._wake = asyncio.Event()
        self._regroup = asyncio.Event()
        self._turn = 0
        self._joined = False

    async def run(self, stop: asyncio.Event) -> None:
        """Read until ``stop``; the running batch is finished and committed before the group is left."""
        leases = asyncio.create_task(self._keep_leases())
        stopping = asyncio.create_task(self._wake_on(stop))
        connection: asyncpg.Connection[Any] | None = None
        try:
            while not stop.is_set():
                if leases.done():  # only by an error that is no outage: without leases nothing is read
                    await leases
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._connect("read")
                    await self._turn_once(connection, stop)
                except DATABASE_TROUBLE as problem:
                    _log.warning("bus_unavailable", group=self._group, cause=type(problem).__name__)
                    await wait_for(stop, RETRY_SECONDS)
        finally:
            for task in (leases, stopping):
                task.cancel()
            await asyncio.gather(leases, stopping, return_exceptions=True)
            await self._leave(connection)

    async def _turn_once(self, connection: asyncpg.Connection[Any], stop: asyncio.Event) -> None:
        await self._give_up_surplus(connection)
        self._wake.clear()
        records, taken = await self._read(connection)
        if not records:
            await wait_for(self._wake, self._config.poll_seconds)
            return
        try:
            await self._handle(records)
        except Exception as problem:  # noqa: BLE001 - any failure of the handler means redelivery
            _log.warning("batch_redelivered", group=self._group, cause=type(problem).__name__)
            await wait_for(stop, RETRY_SECONDS)
            return
        await self._commit(connection, records, taken)

    async def _read(self, connection: asyncpg.Connection[Any]) -> tuple[list[Record], dict[Place, int]]:
        places = [place for place in sorted(self._held) if place not in self._behind]
        if not places:
            return [], {}
        self._turn = (self._turn + 1) % len(places)  # no partition is always last in line
        places = places[self._turn :] + places[: self._turn]
        taken = {place: self._held[place].gen for place in places}
        offsets = [self._held[place].off for place in places]
        rows = await connection.fetch(
            READ,
            [topic for topic, _ in places],
            [part for _, part in places],
            offsets,
            MAX_RECORDS,
            MAX_BYTES,
        )
        records = []
        for row in rows:
            if row["off"] is None:
                self._alarm((row["topic"], row["part"]), row["first_off"])
            else:
                records.append(_record(row))
        return records, taken

    def _alarm(self, place: Place, oldest: int) -> None:
        self._behind.add(place)
        BEHIND_GAUGE.labels(self._group).set(len(self._behind))
        topic, partition = place
        fault = BUS_GROUP_BEHIND(
            group=self._group, topic=topic, partition=partition, position=self._held[place].off, oldest=oldest
        )
        _log.error("group_behind_retention", reason=fault.code, **fault.metadata)

    async def _commit(
        self, connection: asyncpg.Connection[Any], records: Sequence[Record], taken: dict[Place, int]
    ) -> None:
        ends = {(record.topic, record.partition): record.offset + 1 for record in records}
        places = sorted(ends)
        rows = await connection.fetch(
            COMMIT,
            self._group,
            self.member,
            [topic for topic, _ in places],
            [part for _, part in places],
            [ends[place] for place in places],
            [taken[place] for place in places],
        )
        stored = {(row["topic"], row["part"]) for row in rows}
        for place in places:
            held = self._held.get(place)
            if place in stored and held and held.gen == taken[place]:
                held.off = ends[place]
            elif place not in stored:  # fenced: another member owns it, or may at any moment
                BUS_COMMIT_FAILURES.labels(self._group).inc()
                self._held.pop(place, None)
                self._regroup.set()

    async def _give_up_surplus(self, connection: asyncpg.Connection[Any]) -> None:
        surplus, self._surplus = self._surplus, []
        if not surplus:
            return
        for place in surplus:
            self._held.pop(place, None)
        await connection.execute(
            RELEASE, self._group, self.member, [topic for topic, _ in surplus], [part for _, part in surplus]
        )
        await self._announce(connection)

    async def _keep_leases(self) -> None:
        connection: asyncpg.Connection[Any] | None = None
        try:
            while True:
                try:
                    if connection is None or connection.is_closed():
                        connection = await self._connect("lease")
                        await connection.add_listener(CHANNEL, self._heard)
                        self._wake.set()
                    await self._renew(connection)
                except DATABASE_TROUBLE as problem:
                    _log.warning("bus_lease_not_renewed", group=self._group, cause=type(problem).__name__)
                await wait_for(self._regroup, self._config.lease_seconds / 3)
                self._regroup.clear()
        finally:
            if connection is not None:
                connection.terminate()

    async def _renew(self, connection: asyncpg.Connection[Any]) -> None:
        group, lease = self._group, self._config.lease_seconds
        async with connection.transaction():
            await connection.execute(ALIVE, group, self.member, list(self._topics), lease)
            await connection.execute(
                "delete from grp_member where grp = $1 and lease < now() - interval '1 minute'", group
            )
            # Each time: on a replaced bus the topics may be provisioned after we are back.
            await connection.execute(ENROL, group, list(self._topics))
            owned = await connection.fetch(RENEW, group, self.member, lease)
            share = await connection.fetchrow(SHARE, group, list(self._topics))
            assert share is not None
            fair = math.ceil(share["partitions"] / max(1, share["members"]))
            wanted = fair - len(owned)
            claimed = []
            if wanted > 0:
                claimed = await connection.fetch(CLAIM, group, self.member, list(self._topics), lease, wanted)
        self._settle(owned, claimed)
        if wanted < 0:
            self._surplus = sorted(self._held)[wanted:]
            self._wake.set()
        if not self._joined:  # the others learn of the smaller share now, not at their next renewal
            self._joined = True
            await self._announce(connection)

    def _settle(self, owned: Sequence[Any], claimed: Sequence[Any]) -> None:
        current = {(row["topic"], row["part"]): row for row in owned}
        for place in [place for place in self._held if place not in current]:
            del self._held[place]
            self._trust(place)
        for row in (*owned, *claimed):
            place = (row["topic"], row["part"])
            held = self._held.get(place)
            if held is None or held.gen != row["gen"]:
                self._held[place] = Held(row["off"], row["gen"])
                self._trust(place)  # an operator set the group past the gap
                self._wake.set()

    def _trust(self, place: Place) -> None:
        self._behind.discard(place)
        BEHIND_GAUGE.labels(self._group).set(len(self._behind))

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        kind, _, names = str(payload).partition(":")
        if kind == "m" and (len(names) > 7000 or not set(self._topics).isdisjoint(names.split(","))):
            self._wake.set()
        elif kind == "g" and names == self._group:
            self._regroup.set()

    async def _connect(self, purpose: str) -> asyncpg.Connection[Any]:
        # A silent server counts as gone.
        name, answer_seconds = f"{self._config.client_id}-{purpose}", max(5.0, self._config.lease_seconds)
        return await connect_alone(self._config.postgres_dsn or "", name, answer_seconds=answer_seconds)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _announce(self, connection: asyncpg.Connection[Any]) -> None:
        await connection.execute("select pg_notify($1, $2)", CHANNEL, f"g:{self._group}")

    async def _leave(self, connection: asyncpg.Connection[Any] | None) -> None:
        if connection is None:
            return
        try:
            self._surplus = sorted(self._held)
            await self._give_up_surplus(connection)
            await connection.execute(
                "delete from grp_member where grp = $1 and member = $2", self._group, self.member
            )
            await self._announce(connection)
        except DATABASE_TROUBLE:
            _log.info("bus_left_by_lease", group=self._group)  # the lease runs out instead
        finally:
            connection.terminate()


def _record(row: Any) -> Record:
    return Record(
        row["topic"],
        row["part"],
        row["off"],
        row["key"],
        load_headers(row["headers"]),
        row["body"],
        row["at"],
    )
