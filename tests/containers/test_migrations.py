"""The four services' migrations on PostgreSQL in a container: all the way up, and what they made is kept."""

from __future__ import annotations

import asyncpg
import pytest

from chassis.migrate import migrate
from cli.local.layout import SERVICES
from tests.containers.servers import PostgresContainer
from tests.stacks.postgres import FreshDatabase, PostgresServer

pytestmark = [pytest.mark.containers]
_TABLES = "select count(*) from pg_tables where schemaname = 'public'"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_s_schema_is_built_and_a_second_job_changes_nothing(
    service: str, fresh_database: FreshDatabase
) -> None:
    dsn = await fresh_database()
    first = await migrate(service, dsn)
    again = await migrate(service, dsn)
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetchval(_TABLES)
    finally:
        await connection.close()
    assert first.before is None
    assert (again.before, again.after) == (first.after, first.after)
    assert tables > 3


async def test_a_schema_outlives_the_kill_of_its_server(
    postgres_server: PostgresServer, postgres_container: PostgresContainer
) -> None:
    dsn = await postgres_server.create_database()
    done = await migrate("intake", dsn)
    postgres_container.kill()
    postgres_container.restart()
    assert (await migrate("intake", dsn)).before == done.after
    await postgres_server.drop_database(dsn)
