"""No statement of the main job reads a growing table from end to end."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from cli.local.credentials import admin_dsn, passwords
from cli.local.layout import SERVICES, Layout
from cli.local.postgres import EmbeddedPostgres
from tests.e2e.command import Command
from tests.volume.multiply import multiply
from tests.volume.statements import log_statements, statements_of

pytestmark = [pytest.mark.e2e, pytest.mark.promise("P13"), pytest.mark.timeout(600)]
ROWS = 10_000
"""Enough that a planner which can use an index does; 1,000,000 rows only make it surer."""
DATABASES = (*SERVICES, "bus")
SMALL = {
    "alembic_version": "one row",
    "bus_state": "one row",
    "case_sequence": "one row a county and day",
    "grp": "consumer groups times partitions",
    "grp_member": "one row a consumer process",
    "ledger_head": "one row",
    "licence_type": "the versions of each type",
    "log_adoption": "one row",
    "log_state": "one row",
    "part": "topics times partitions",
    "relay_state": "one row a shard",
    "replica_cursor": "one row",
    "seal": "a few for each authority",
    "seal_application": "one for each seal that was ever asked for",
    "seal_credential": "one for each seal and suite of PDFs",
    "seal_history": "a line for each change of a seal's state",
    "signed_list": "a few a week",
    "source_freshness": "one row a source and type",
    "trust_certificate": "the certificates of makers and roots",
}
"""Tables whose size does not follow the number of cases, and why; they may be read from end to end."""
EMPTY_WHEN_WELL = {"dead_letter", "delivery_attempt", "parked_key"}
"""Hold rows only while events fail: the planner's choice on an empty table says nothing."""
_PLANNED = ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")


@dataclass(frozen=True)
class Large:
    """A server whose tables were made large after a main job, and every statement which that job took."""

    admin_dsn: str
    statements: dict[str, set[str]]

    async def connect(self, database: str) -> asyncpg.Connection:
        return await asyncpg.connect(self.admin_dsn.replace("/postgres?", f"/{database}?"))


@pytest.fixture(scope="module")
def large() -> Iterator[Large]:
    directory = Path(tempfile.mkdtemp(prefix="tbvol"))
    command = Command(directory)
    layout = Layout(command.home)
    server = EmbeddedPostgres(layout.postgres)
    try:
        assert command("up")[0] == 0, command.logs()
        asyncio.run(log_statements(admin_dsn(layout, server.server_dsn)))
        assert command("demo", "--out", str(directory / "out"))[0] == 0, command.logs()
        command.run("down")
        server.start(passwords(layout)["postgres"])
        statements = statements_of(layout.postgres)
        yield Large(admin_dsn(layout, server.server_dsn), statements)
    finally:
        command.run("down")
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("database", DATABASES)
async def test_no_statement_scans_a_table_that_grows(large: Large, database: str, record_property):
    connection = await large.connect(database)
    try:
        tables = await multiply(connection, ROWS)
        unjudged = {table.name for table in tables if not table.rows}
        planned = sorted(each for each in large.statements[database] if each.split()[0].upper() in _PLANNED)
        assert len(planned) > 5
        scanning = {}
        for statement in planned:
            found = (
                set(scanned(await plan_of(connection, statement))) - SMALL.keys() - EMPTY_WHEN_WELL - unjudged
            )
            words = " ".join(statement.split())
            if found:
                scanning[words] = found
        assert scanning == {}
        record_property(
            "measured", f"{database}: {len(planned)} statements planned over {ROWS:,} rows a table"
        )
    finally:
        await connection.close()


async def test_a_statement_without_an_index_would_be_found(large: Large):
    connection = await large.connect("intake")
    try:
        await connection.execute(
            "CREATE TABLE canary AS SELECT n AS id, n AS county FROM generate_series(1, 10000) AS n"
        )
        await connection.execute("ANALYZE canary")
        plan = await plan_of(connection, "SELECT id FROM canary WHERE county = $1")
        assert set(scanned(plan)) == {"canary"}
        await connection.execute("DROP TABLE canary")
    finally:
        await connection.close()


async def plan_of(connection: asyncpg.Connection, statement: str) -> dict[str, Any]:
    """Return the plan that has to serve every parameter: what a service sends often gets no other."""
    count = max((int(number) for number in re.findall(r"\$(\d+)", statement)), default=0)
    given = f"({', '.join(['NULL'] * count)})" if count else ""
    async with connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE planned AS {statement}")
        try:
            return json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned{given}"))[0][
                "Plan"
            ]
        finally:
            await connection.execute("DEALLOCATE planned")


def scanned(node: dict[str, Any]) -> Iterator[str]:
    """Yield the tables of ours that a plan reads from end to end."""
    if node["Node Type"] == "Seq Scan" and not node["Relation Name"].startswith("pg_"):
        yield node["Relation Name"]
    for child in node.get("Plans", ()):
        yield from scanned(child)
