"""One-shot job before the services start: databases, roles, migrations, bus tables, topics.

`python -m cli.local.prepare HOME BUS [BOOTSTRAP]` ends with status 0 when all is in place, else
prints the refusal as one JSON line on standard output. It is a process of its own so that what only
migrations need does not stay in memory.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import asyncpg

from chassis.bus import TOPIC_PARTITIONS, BusConfig, open_bus
from chassis.errors import Fault
from chassis.event import topics
from chassis.messaging_schema import BUS_V1
from chassis.migrate import migrate
from chassis.roles import provision
from cli.local.credentials import DATABASES, admin_dsn, bus_app_dsn, migrator_dsn, passwords
from cli.local.layout import FURTHER_ROLES, SERVICES, Layout
from cli.local.postgres import EmbeddedPostgres
from cli.output import refusal


async def prepare(layout: Layout, bus: str, kafka_bootstrap: str | None) -> None:
    """Have every database at its newest revision and every declared topic on the bus."""
    import events  # noqa: F401, PLC0415 - declares the topics

    server = EmbeddedPostgres(layout.postgres).server_dsn
    await provision(admin_dsn(layout, server), DATABASES, passwords(layout), FURTHER_ROLES)
    for service in SERVICES:
        await migrate(service, migrator_dsn(layout, server, service))
    if bus == "postgres":
        await make_bus_tables(migrator_dsn(layout, server, "bus"))
    config = BusConfig(
        "kafka" if bus == "kafka" else "postgres",
        "tongban-prepare",
        kafka_bootstrap=kafka_bootstrap,
        postgres_dsn=bus_app_dsn(layout, server),
    )
    opened = await open_bus(config)
    try:
        await opened.create_topics(topics(), TOPIC_PARTITIONS)
    finally:
        await opened.close()


async def make_bus_tables(owner_dsn: str) -> None:
    """Have the tables of the PostgreSQL bus; nothing happens where they are."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        async with connection.transaction():
            if await connection.fetchval("SELECT to_regclass('public.bus_state') IS NULL"):
                for statement in BUS_V1:
                    await connection.execute(statement)
    finally:
        await connection.close()


def main(home: str, bus: str, kafka_bootstrap: str | None = None) -> int:
    """Run the job; return the exit status."""
    try:
        asyncio.run(prepare(Layout(Path(home)), bus, kafka_bootstrap))
    except Fault as fault:
        print(json.dumps(refusal(fault), ensure_ascii=False))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
