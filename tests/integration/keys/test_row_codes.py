"""P18: whichever column of a permission or audit row is changed, by one bit, the row is told."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from chassis.errors import Fault
from chassis.keyring import write_keyring
from chassis.row_codes import CodedTable, altered_rows, count_uncoded, fill_codes
from cli.keeping.key_files import require_row_codes
from services.certs.domain.use_code import Binding, Consent, UseCode
from services.certs.store import Vault
from services.certs.store.coded import CODED as CERTS
from services.certs.store.use_codes import UseCodeStore
from services.intake.store.coded import CODED as INTAKE
from services.seal.store.coded import CODED as SEAL
from tests.integration.keys.conftest import Open, Place

pytestmark = [pytest.mark.promise("P18")]
NOW = datetime(2026, 3, 2, 2, 0, 0, 123_457, tzinfo=UTC)
CODED = {"certs": CERTS, "intake": INTAKE, "seal": SEAL}
TABLES = [(service, table) for service, tables in CODED.items() for table in tables]
CIPHERTEXTS = {
    ("part_signature", "opinion"),
    ("seal_application", "particulars"),
    ("import_conflict", "offered"),
    ("dispute", "statement"),
    ("replica_licence", "content"),
}
"""Columns that prove themselves."""
COLUMNS = """
select column_name as name, data_type as type from information_schema.columns
where table_schema = 'public' and table_name = $1 order by ordinal_position
"""
SAMPLES: dict[str, Any] = {
    "text": "文本 1",
    "bytea": b"\x01\x02",
    "uuid": uuid.UUID(int=7),
    "bigint": 4,
    "integer": 3,
    "smallint": 2,
    "boolean": True,
    "timestamp with time zone": NOW,
    "date": NOW.date(),
    "ARRAY": ["a", "b"],
}


async def always_coded(connection: asyncpg.Connection) -> set[str]:
    """Return the tables that no release wrote a row into without its code: the database refuses one."""
    rows = await connection.fetch(
        "select table_name from information_schema.columns where column_name = 'mac' and is_nullable = 'NO'"
    )
    return {row["table_name"] for row in rows}


def flipped(value: Any) -> Any:
    """Return a value one bit, or one least step, away."""
    match value:
        case bool():
            return not value
        case int():
            return value ^ 1
        case str():
            return chr(ord(value[0]) ^ 1) + value[1:]
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case uuid.UUID():
            return uuid.UUID(int=value.int ^ 1)
        case datetime():
            return value + timedelta(microseconds=1)
        case date():
            return value + timedelta(days=1)
    return [flipped(value[0]), *value[1:]]


async def free(place: Place) -> asyncpg.Connection:
    """Return what a superuser has: no trigger and no constraint counts."""
    connection = await asyncpg.connect(place.dsn)
    await connection.execute("set session_replication_role = replica")
    for row in await connection.fetch(
        "select conrelid::regclass::text as name, conname from pg_constraint where contype = 'c' and conrelid <> 0"
        " and connamespace = 'public'::regnamespace"
    ):
        await connection.execute(f'alter table {row["name"]} drop constraint "{row["conname"]}"')
    return connection


async def sample(connection: asyncpg.Connection, place: Place, table: CodedTable) -> dict[str, Any]:
    """Have one row in a table with its code, every column filled; return it."""
    types = {row["name"]: row["type"] for row in await connection.fetch(COLUMNS, table.table)}
    row = {name: SAMPLES[kind] for name, kind in types.items()}
    row["mac"] = table.code(place.cipher, row)
    places = ", ".join(f"${at}" for at in range(1, len(row) + 1))
    await connection.execute(
        f"insert into {table.table} ({', '.join(row)}) overriding system value values ({places})",
        *row.values(),
    )
    return row


@pytest.mark.parametrize(("service", "table"), TABLES, ids=[table.table for _, table in TABLES])
async def test_a_bit_changed_in_any_column_is_told(place: Open, service: str, table: CodedTable) -> None:
    here = await place(service)
    connection = await free(here)
    try:
        row = await sample(connection, here, table)
        whole = {name for name in row if (table.table, name) not in CIPHERTEXTS}
        assert whole == {*table.columns, "mac"}, "a column that no code covers"
        assert await altered_rows(here.database, here.cipher, table) == []
        changes = [(name, flipped(row[name])) for name in sorted(whole)]
        changes += [] if table.table in await always_coded(connection) else [("mac", None)]
        for name, value in changes:
            await connection.execute(f"delete from {table.table}")
            changed = {**row, name: value}
            places = ", ".join(f"${at}" for at in range(1, len(row) + 1))
            await connection.execute(
                f"insert into {table.table} ({', '.join(changed)}) overriding system value values ({places})",
                *changed.values(),
            )
            assert len(await altered_rows(here.database, here.cipher, table)) == 1, name
    finally:
        await connection.close()


@pytest.mark.parametrize("service", CODED)
async def test_every_table_with_a_code_is_known(place: Open, service: str) -> None:
    here = await place(service)
    async with here.database.transaction() as tx:
        found = await tx.fetch(
            "select table_name from information_schema.columns where table_schema = 'public' and column_name = 'mac'"
        )
    assert {row["table_name"] for row in found} == {table.table for table in CODED[service]}


@pytest.mark.parametrize("service", CODED)
async def test_old_rows_get_their_codes_once_and_none_may_be_without_from_then_on(
    place: Open, service: str
) -> None:
    here = await place(service)
    connection = await free(here)
    ring = json.loads(here.ring.read_text())
    since = ring.pop("row_codes_since")
    assert since
    write_keyring(here.ring, json.dumps(ring))
    cipher = here.process()
    coded = await always_coded(connection)
    tables = [table for table in CODED[service] if table.table not in coded]
    try:
        for table in tables:
            await sample(connection, here, table)
        await connection.execute("set session_replication_role = origin")
        for table in tables:
            await connection.execute(f"alter table {table.table} disable trigger user")
            await connection.execute(f"update {table.table} set mac = null")
            await connection.execute(f"alter table {table.table} enable trigger user")
            assert await altered_rows(here.database, cipher, table) == [], "the release before wrote none"
        assert await count_uncoded(here.database, tables) == len(tables)
        assert await fill_codes(here.database, cipher, tables, batch_rows=1) == len(tables)
        assert await fill_codes(here.database, cipher, tables) == 0
        require_row_codes(here.ring, NOW)
        strict = here.process()
        for table in tables:
            assert await altered_rows(here.database, strict, table) == []
            await connection.execute(f"alter table {table.table} disable trigger user")
            await connection.execute(f"update {table.table} set mac = null")
            assert len(await altered_rows(here.database, strict, table)) == 1
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "change",
    ["uses_left = 9, max_uses = 9", "revoked_at = null", "consumer_code = 'thief'", "face_fields = '{a,c}'"],
)
async def test_an_altered_use_code_is_good_for_nothing(place: Open, change: str) -> None:
    here = await place("certs")
    connection = await free(here)
    licence, code = str(uuid.uuid4()), str(uuid.uuid4())
    binding = Binding(licence, "i", "case-1", "d", ("a", "b"), "审查", NOW + timedelta(days=9), 3)
    async with here.database.transaction() as tx:
        await tx.execute("alter table use_code disable trigger all")
        store = UseCodeStore(tx, Vault(here.cipher))
        await store.add(UseCode(code, binding, 3, None), b"digest", Consent("1", NOW))
        assert await store.take_one_use(code, NOW)
        if "revoked" in change:
            assert await store.revoke("case-1", "撤回", NOW) == 1
        held = await store.find(b"digest")
        assert held
        assert held.uses_left == 2
    await connection.execute(f"update use_code set {change}")
    await connection.close()
    async with here.database.transaction() as tx:
        store = UseCodeStore(tx, Vault(here.cipher))
        for act in (store.find(b"digest"), store.take_one_use(code, NOW)):
            with pytest.raises(Fault, match="ROW_ALTERED"):
                await act
