"""Readiness tells the truth: not before the topics exist, not while the database is gone."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import asyncpg

from chassis.readiness import Readiness
from chassis.watch import watching
from tests.integration.messaging.rig import Rig, running
from tests.stacks.postgres import PostgresServer


async def until(ready: Readiness, *missing: str) -> None:
    async with asyncio.timeout(10):
        while ready.missing() != missing:
            await asyncio.sleep(0.02)


async def test_a_process_is_not_ready_before_its_topics_exist(rig: Rig) -> None:
    ready, absent = Readiness("database", "bus"), f"{rig.topic}x"
    async with running(watching(rig.writer_dsn, rig.bus, [rig.topic, absent], ready, every_seconds=0.05)):
        await until(ready, "bus")
        await asyncio.sleep(0.2)
        assert ready.missing() == ("bus",)
        await rig.bus.create_topics([absent], 1)
        await until(ready)


async def test_a_process_is_not_ready_while_its_database_is_gone_and_again_afterwards(
    rig: Rig, postgres_server: PostgresServer
) -> None:
    ready, name = Readiness("database", "bus"), urlsplit(rig.writer_dsn).path[1:]
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    async with running(watching(rig.writer_dsn, rig.bus, [rig.topic], ready, every_seconds=0.05)):
        await until(ready)
        await admin.execute(f'alter database "{name}" allow_connections false')
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        await until(ready, "database")
        await admin.execute(f'alter database "{name}" allow_connections true')
        await until(ready)
    await admin.close()


async def test_a_bus_that_goes_away_later_leaves_the_process_ready(rig: Rig) -> None:
    """Commands go on without it: the outbox keeps their events."""
    ready = Readiness("database", "bus")
    async with running(watching(rig.writer_dsn, rig.bus, [rig.topic], ready, every_seconds=0.05)):
        await until(ready)
        await rig.bus.close()
        await asyncio.sleep(0.3)
        assert ready.ready
