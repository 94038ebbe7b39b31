"""F7 on the PostgreSQL bus: an empty bus in the old one's place, and how the relay notices in time."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from chassis import db as db_module
from chassis import relay as relay_module
from chassis.db import Database
from chassis.relay import Relay
from chassis.replay import republish
from tests.integration.messaging.rig import Rig, running

SLOW_REOPENING = (
    """
    create function slowly() returns trigger language plpgsql as $$
    begin if new.published_at is null then perform pg_sleep(0.5); end if; return new; end $$
    """,
    "create trigger slowly before update on event_log for each row execute function slowly()",
)


async def replace_bus(rig: Rig) -> None:
    """Have an empty bus with the same topics where the old one was."""
    connection = await asyncpg.connect(rig.config.postgres_dsn)
    await connection.execute(
        """
        truncate msg; truncate grp; update part set next_off = 0, first_off = 0;
        update bus_state set cluster_id = gen_random_uuid()
        """
    )
    await connection.close()


async def kept(rig: Rig, count: int) -> list[str]:
    connection = await asyncpg.connect(rig.config.postgres_dsn)
    async with asyncio.timeout(20):
        while await connection.fetchval("select count(*) from msg") < count:
            await asyncio.sleep(0.05)
    rows = await connection.fetch(
        """select substring(headers::text from '"ce_aggregateversion", *"(\\d+)"') as version from msg order by off"""
    )
    await connection.close()
    return [row["version"] for row in rows]


async def test_a_bus_replaced_while_nothing_was_sent_gets_the_old_events_before_the_new(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a consumer that had not read the old ones meets them after the new one: order inverted."""
    monkeypatch.setattr(relay_module, "CONTACT_SECONDS", 0.3)
    await rig.move("k")
    await rig.move("k")
    async with running(rig.relay()):
        assert await kept(rig, 2) == ["1", "2"]
        await replace_bus(rig)
        await asyncio.sleep(0.5)
        await rig.move("k")
        assert await kept(rig, 3) == ["1", "2", "3"]


async def test_a_long_window_is_reopened_although_that_takes_longer_than_a_statement_may(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await rig.move("k")
    async with running(rig.relay()):
        await kept(rig, 2)
    await replace_bus(rig)
    for statement in SLOW_REOPENING:
        await rig.writer.pool.execute(statement)
    monkeypatch.setattr(relay_module, "STATEMENT_SECONDS", 0.4)
    async with running(rig.relay()):
        assert await kept(rig, 2) == ["1", "2"]


async def test_an_operator_may_republish_a_window_of_any_length(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        await rig.move("k")
    async with running(rig.relay()):
        await kept(rig, 2)
    for statement in SLOW_REOPENING:
        await rig.writer.pool.execute(statement)
    monkeypatch.setattr(db_module, "STATEMENT_TIMEOUT_MS", 400)
    monkeypatch.setattr(db_module, "ANSWER_TIMEOUT_SECONDS", 0.6)
    db = await Database.open(rig.writer_dsn)
    assert await republish(db, aggregate_id="k") == 2
    await db.close()


class Unclosable:
    """A bus whose first producer cannot be closed in an orderly way."""

    def __init__(self, bus: Any) -> None:
        self.bus, self.failed = bus, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bus, name)

    def producer(self) -> Any:
        outer, made = self, self.bus.producer()

        class Producer:
            def hold_to(self, cluster_id: str) -> None:
                made.hold_to(cluster_id)

            async def append(self, records: Any) -> Any:
                if not outer.failed:
                    raise ConnectionResetError
                return await made.append(records)

            async def close(self) -> None:
                if not outer.failed:
                    outer.failed = True
                    raise BrokenPipeError
                await made.close()

        return Producer()


async def test_a_producer_that_fails_to_close_does_not_keep_the_lock(rig: Rig) -> None:
    await rig.move("k")
    relay = Relay("intake", rig.writer_dsn, Unclosable(rig.bus), poll_seconds=0.2)  # type: ignore[arg-type]
    async with running(relay):
        assert await kept(rig, 1) == ["1"]


async def test_a_member_reads_a_topic_that_was_provisioned_after_it_had_joined(rig: Rig) -> None:
    """So it is on a replaced bus, whose tables and topics come after the members are back."""
    connection = await asyncpg.connect(rig.config.postgres_dsn)
    stop = asyncio.Event()
    reading = asyncio.create_task(rig.consumer().run(stop))
    async with asyncio.timeout(20):
        while not await connection.fetchval("select count(owner) from grp"):
            await asyncio.sleep(0.05)
        await connection.execute("delete from grp; delete from part")
        await asyncio.sleep(0.7)
        await rig.bus.create_topics([rig.topic], 4)
        await rig.move("k")
        async with running(rig.relay()):
            assert len(await rig.settled(1, 15)) == 1
    stop.set()
    await reading
    await connection.close()
