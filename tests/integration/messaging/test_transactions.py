"""What a transaction promises: committed means committed, and trouble of the database is an outage."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import asyncpg
import pytest

from chassis import db as db_module
from chassis.db import Database
from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.limits import LIMITS_V1, Budget, RateLimits
from tests.integration.messaging.rig import Rig
from tests.stacks.postgres import FreshDatabase

COUNTER = (
    "create table counter (id int primary key, count int not null)",
    "insert into counter values (1, 0)",
)


async def opened(fresh_database: FreshDatabase) -> Database:
    return await Database.open(await fresh_database((*COUNTER, *LIMITS_V1)), max_size=2)


async def test_a_transaction_with_a_swallowed_failure_does_not_pass_for_committed(
    fresh_database: FreshDatabase,
) -> None:
    """PostgreSQL answers COMMIT with ROLLBACK then, without an error: the caller would tell a lie."""
    db = await opened(fresh_database)
    told: list[str] = []

    async def swallow() -> None:
        async with db.transaction() as tx:
            tx.after_commit(lambda: told.append("committed"))
            await tx.execute("update counter set count = 1")
            with contextlib.suppress(asyncpg.UniqueViolationError):
                await tx.execute("insert into counter values (1, 7)")

    with pytest.raises(RuntimeError, match="rolled back"):
        await swallow()
    async with db.transaction() as tx:
        assert await tx.fetchval("select count from counter") == 0
    assert told == []
    await db.close()


@pytest.mark.parametrize("sqlstate", ["40P01", "40001", "55P03", "57014", "57P01", "53300"])
async def test_what_passes_by_itself_leaves_the_transaction_as_an_outage(
    fresh_database: FreshDatabase, sqlstate: str
) -> None:
    db = await opened(fresh_database)
    with pytest.raises(Fault) as refusal:
        async with db.transaction() as tx:
            await tx.execute(f"do $$ begin raise exception 'injected' using errcode = '{sqlstate}'; end $$")
    assert refusal.value.reason is PEER_UNAVAILABLE
    await db.close()


async def test_a_wrong_statement_is_no_outage(fresh_database: FreshDatabase) -> None:
    db = await opened(fresh_database)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with db.transaction() as tx:
            await tx.execute("select 1 from nowhere")
    await db.close()


async def test_a_server_that_falls_silent_is_an_outage_after_a_while(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_module, "ANSWER_TIMEOUT_SECONDS", 0.3)
    db = await opened(fresh_database)
    async with asyncio.timeout(10):
        with pytest.raises(Fault) as refusal:
            async with db.transaction() as tx:
                await tx.execute("select pg_sleep(8)")
    assert refusal.value.reason is PEER_UNAVAILABLE
    await db.close()


async def test_a_cancelled_transaction_leaves_a_clean_connection(fresh_database: FreshDatabase) -> None:
    db = await Database.open(await fresh_database(COUNTER), max_size=1)

    async def change() -> None:
        async with db.transaction() as tx:
            await tx.execute("update counter set count = count + 1")
            await tx.execute("select pg_sleep(30)")

    for _ in range(3):
        changing = asyncio.create_task(change())
        await asyncio.sleep(0.1)
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)
        async with asyncio.timeout(5), db.transaction() as tx:
            assert await tx.fetchval("select count from counter") == 0
    await db.close()


async def test_no_server_at_the_start_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(Fault) as refusal:
        await Database.open(f"postgresql://someone@/nothing?host={tmp_path}")
    assert refusal.value.reason is PEER_UNAVAILABLE


async def test_a_limit_that_cannot_be_counted_is_refused_as_an_outage(
    fresh_database: FreshDatabase,
) -> None:
    db = await opened(fresh_database)
    await db.pool.execute(
        "create function gone() returns trigger language plpgsql as "
        "$$ begin raise exception 'stopping' using errcode = '57P01'; end $$"
    )
    await db.pool.execute("create trigger gone before insert on rate_window execute function gone()")
    with pytest.raises(Fault) as refusal:
        await RateLimits(db, b"0" * 32).check(Budget("tries", 1, 60), "somebody")
    assert refusal.value.reason is PEER_UNAVAILABLE
    await db.close()


async def test_a_bus_whose_server_is_gone_is_an_outage(rig: Rig) -> None:
    connection = await asyncpg.connect(rig.writer_dsn)
    name = (rig.config.postgres_dsn or "").partition("?")[0].rpartition("/")[2]
    await connection.execute(f'alter database "{name}" allow_connections false')
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name
    )
    await connection.close()
    for asked in (
        lambda: rig.bus.require_topics([rig.topic]),
        lambda: rig.bus.lag(rig.group, [rig.topic]),
        lambda: rig.bus.prune(60),
        rig.bus.cluster_id,
    ):
        with pytest.raises(Fault) as refusal:
            await asked()
        assert refusal.value.reason is PEER_UNAVAILABLE


async def test_closing_does_not_wait_for_ever_for_a_connection_that_never_comes_back(
    fresh_database: FreshDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_module, "CLOSE_SECONDS", 0.2)
    db = await opened(fresh_database)
    await db.pool.acquire()
    async with asyncio.timeout(3):
        await db.close()
    assert db.pool.get_size() == 0
