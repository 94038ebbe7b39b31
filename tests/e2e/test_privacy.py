"""The demo's citizen leaves no trace in clear: not in logs, URLs, events, metrics or tables."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import httpx
import pytest

from chassis.roles import dsn_for
from cli.local.credentials import DATABASES, passwords
from cli.local.postgres import EmbeddedPostgres
from tests.e2e.conftest import Told

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
_TABLES = """
select format('%I.%I', table_schema, table_name) from information_schema.tables
where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')
"""


def secrets_of(told: Told) -> dict[str, str]:
    citizen = told.citizen
    return {
        "name": citizen.name,
        "number": citizen.id_number,
        "phone": citizen.phone,
        "home": citizen.address,
    }


def found_in(text: str, told: Told) -> list[str]:
    """Return which of the citizen's values stand in a text, also as the hex of bytes."""
    folded = text.lower()
    return [
        what
        for what, value in secrets_of(told).items()
        if value in text or value.encode().hex() in folded or value.encode("unicode_escape").decode() in text
    ]


def test_no_log_holds_a_personal_value(told: Told):
    files = told.command.log_files()
    assert {"intake.log", "certs.log", "seal.log", "notify.log"} <= {path.name for path in files}
    assert {
        path.name: hit for path in files if (hit := found_in(path.read_text(errors="replace"), told))
    } == {}


def test_no_metric_holds_a_personal_value(told: Told):
    for name, at in told.started["services"].items():
        text = httpx.get(f"{at['http']}/metrics", trust_env=False).text
        assert "tongban" in text or "python_info" in text
        assert found_in(text, told) == [], name


def test_no_table_holds_a_personal_value_in_clear(told: Told, run_in_loop):
    """The tables of the PostgreSQL bus are among them: keys, headers and bodies of every event."""
    hits = run_in_loop(_scan_tables(told))
    assert hits == {}


async def _scan_tables(told: Told) -> dict[str, list[str]]:
    hits: dict[str, list[str]] = {}
    layout = told.reach.layout
    server, known = EmbeddedPostgres(layout.postgres).server_dsn, passwords(layout)
    rows_seen = 0
    for database in DATABASES:
        dsn = dsn_for(server, database=database, user="postgres", password=known["postgres"])
        connection = await asyncpg.connect(dsn)
        try:
            for (table,) in await connection.fetch(_TABLES):
                for row in await connection.fetch(f"select t::text as line from {table} t"):
                    rows_seen += 1
                    if hit := found_in(row["line"], told):
                        hits.setdefault(f"{database}.{table}", []).extend(hit)
        finally:
            await connection.close()
    assert rows_seen > 1_000
    return {table: sorted(set(values)) for table, values in hits.items()}


@pytest.mark.kafka
@pytest.mark.parametrize("told", ["kafka"], indirect=True, scope="session")
def test_no_record_of_kafka_holds_a_personal_value(told: Told, run_in_loop):
    records = run_in_loop(_records(told))
    assert len(records) > 500
    assert [text for text in records if found_in(text, told)] == []


async def _records(told: Told) -> list[str]:
    from aiokafka import AIOKafkaConsumer

    import events  # noqa: F401
    from chassis.event import topics

    bootstrap = told.reach.state.kafka_bootstrap
    consumer = AIOKafkaConsumer(
        *topics(), bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        found: list[str] = []
        while batch := await consumer.getmany(timeout_ms=3_000):
            found += list(_texts(batch))
        return found
    finally:
        await consumer.stop()


def _texts(batch) -> Iterator[str]:
    for records in batch.values():
        for each in records:
            parts = [each.key or b"", each.value or b"", *(value or b"" for _, value in each.headers)]
            yield b"\n".join(parts).decode("utf-8", "replace")
