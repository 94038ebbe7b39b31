"""Fill a running registry with millions of licences, by COPY: rows as the service wrote them, with new keys.

A few rows go in through the service's own door, so that they are encrypted by its vault. Each further row is
one of those, byte for byte, but for what rows are told apart by: its id, its lineage, its identifier and the
blind indexes. The index of the holder is the true one of an invented person, so every person can be looked up;
the others are random. What `multiply` does for plans, this does for reading.
"""

from __future__ import annotations

import asyncio
import io
import struct
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

import asyncpg

from chassis.fields import FieldCipher
from chassis.keyring import read_keyring
from cli.clients.department import Department
from cli.local.credentials import admin_dsn
from cli.local.postgres import EmbeddedPostgres
from services.certs.store import Vault
from standards.identifiers import build_citizen_id, build_licence_identifier
from tests.load.certs_alone import CertsAlone

MARKET = "11361103TB1000011X"
BUSINESS = "11100000MB0143028R001"
EACH = 2
"""Licences of one person."""
MODELS = 250
ROWS_PER_CHUNK = 5_000
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = struct.pack(">h", -1)
_LENGTH = struct.Struct(">i")
_COLUMNS = """
select attname, atttypid::regtype::text as type from pg_attribute
where attrelid = 'licence'::regclass and attnum > 0 and not attisdropped and attgenerated = '' order by attnum
"""
_INDEXES = """
select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as made, k.conname,
  pg_get_constraintdef(k.oid) as constraint_made
from pg_index i left join pg_constraint k on k.conindid = i.indexrelid and k.conrelid = i.indrelid
where i.indrelid = 'licence'::regclass and not i.indisprimary
"""
_QUICK = (
    "set session_replication_role = replica",  # what the model rows caused is not caused again
    "set statement_timeout = 0",
    "set lock_timeout = 0",
    "set maintenance_work_mem = '512MB'",
    "set max_parallel_maintenance_workers = 2",
)
_ROOM = ("alter system set max_wal_size = '8GB'", "select pg_reload_conf()")
_AS_BEFORE = ("alter system reset max_wal_size", "select pg_reload_conf()")
Patch = Callable[[int], bytes]


def citizen(person: int) -> str:
    """Return the number of an invented person, born 1940 to 2008."""
    return build_citizen_id("361103", date(1940, 1, 1) + timedelta(days=person % 25_000), person // 25_000)


def row(number: int) -> dict[str, str]:
    """Return a row as a department sends it; ``EACH`` in a row belong to one person."""
    serial, name = f"2026{number:06d}", f"测试{number % 97:02d}"
    return {
        "ZZMC": "营业执照",
        "ZZLXDM": BUSINESS,
        "ZZBH": serial,
        "ZZBS": build_licence_identifier(BUSINESS, MARKET, serial),
        "ZZBFJG": "上饶市广丰区市场监督管理局",
        "ZZBFJGDM": MARKET,
        "ZZBFRQ": "2024-03-05",
        "CZZT": name,
        "CZZTDM": citizen(number // EACH),
        "CZZTDMLXDM": "111",
        "ZZYXQJZRQ": "长期",
        "KZ_MC": f"广丰区{name}餐饮店",
        "KZ_TYSHXYDM": "92361103MA0000000A",
        "KZ_LX": "个体工商户",
        "KZ_FDDBR": name,
        "KZ_JYFW": "餐饮服务",
        "KZ_CLRQ": "2024-03-05",
        "KZ_ZS": "江西省上饶市广丰区永丰街道一号",
    }


async def fill(certs: CertsAlone, rows: int, note: Callable[[str], None]) -> None:
    """Have the registry hold so many licences of ``rows // EACH`` persons, indexed, analysed, on disk."""
    note("importing model rows")
    await _import_models(certs)
    keys = read_keyring(certs.layout.secrets("certs") / "field_keys.json")
    vault = Vault(FieldCipher(keys, service="certs"))
    server = EmbeddedPostgres(certs.layout.postgres)
    dsn = admin_dsn(certs.layout, server.server_dsn).replace("/postgres?", "/certs?")
    connection = await asyncpg.connect(dsn)
    try:
        for each in (*_ROOM, *_QUICK):
            await connection.execute(each)
        models = await _models(connection)
        note(f"copying {rows:,} rows")
        indexes = await connection.fetch(_INDEXES)
        async with connection.transaction():
            await connection.execute("truncate licence cascade")
            for index in indexes:
                await connection.execute(_dropped(index))
            await connection.copy_to_table(
                "licence",
                source=_stream(models, rows, vault),
                columns=models.names,
                format="binary",
                freeze=True,
                timeout=3600,
            )
        for index in indexes:
            note(f"{rows:,} rows: making {index['name']}")
            await connection.execute(_made(index), timeout=3600)
        note(f"{rows:,} rows: vacuum, analyze, checkpoint")
        for each in ("vacuum (analyze) licence", *_AS_BEFORE, "checkpoint"):
            await connection.execute(each, timeout=3600)
    finally:
        await connection.close()


async def _import_models(certs: CertsAlone) -> None:
    async def messages() -> AsyncIterator[Sequence[tuple[int, Mapping[str, str]]]]:
        yield [(number + 1, row(number)) for number in range(MODELS)]

    async with Department(MARKET, certs.department(MARKET), {"certs": certs.address}) as department:
        async for answer in department.import_rows(str(uuid.uuid4()), messages()):
            assert answer.outcome == "created", answer


@dataclass(frozen=True)
class Models:
    """The model rows in COPY's binary form: each a list of its fields, every field with its length before it."""

    names: list[str]
    types: list[str]
    rows: list[list[bytes]]


async def _models(connection: asyncpg.Connection[Any]) -> Models:
    columns = await connection.fetch(_COLUMNS)
    names = [each["attname"] for each in columns]
    copied = io.BytesIO()
    query = f"select {', '.join(names)} from licence"
    await connection.copy_from_query(query, output=copied, format="binary")
    return Models(names, [each["type"] for each in columns], list(_tuples(copied.getvalue())))


def _tuples(data: bytes) -> Iterator[list[bytes]]:
    """Yield the tuples of a binary COPY, field by field (PostgreSQL, COPY, Binary Format)."""
    at = len(_SIGNATURE)
    while (count := struct.unpack_from(">h", data, at)[0]) >= 0:
        at += 2
        fields = []
        for _ in range(count):
            end = at + 4 + max(0, _LENGTH.unpack_from(data, at)[0])
            fields.append(data[at:end])
            at = end
        yield fields


async def _stream(models: Models, rows: int, vault: Vault) -> AsyncIterator[bytes]:
    """Yield the rows in COPY's binary form; making a chunk leaves the event loop to others."""
    made = _Maker(models, vault)
    yield _SIGNATURE
    for start in range(0, rows, ROWS_PER_CHUNK):
        yield await asyncio.to_thread(made.chunk, start, min(start + ROWS_PER_CHUNK, rows))
    yield _END


class _Maker:
    """Makes rows from models: what is the same from row to row stays one piece of bytes."""

    def __init__(self, models: Models, vault: Vault) -> None:
        self._chance, self._vault, self._person = Random(7), vault, (-1, b"")
        patches = {
            at: patch
            for at, (name, kind) in enumerate(zip(models.names, models.types, strict=True))
            if (patch := self._patch(name, kind))
        }
        self._first_id = int.from_bytes(_first_id(models))
        count = struct.pack(">h", len(models.names))
        self._models = [_pieces(count, fields, patches) for fields in models.rows]

    def chunk(self, start: int, end: int) -> bytes:
        """Return the rows from one number up to another."""
        found: list[bytes] = []
        for number in range(start, end):
            pieces = self._models[number % len(self._models)]
            found += [each if isinstance(each, bytes) else each(number) for each in pieces]
        return b"".join(found)

    def _patch(self, name: str, kind: str) -> Patch | None:
        """Return what makes a column anew in each row; None for one that stays as the service wrote it."""
        if name == "licence_id":  # ascending, as ids ordered by time are
            return lambda number: _field((self._first_id + number).to_bytes(16))
        if name == "lineage_id":
            return lambda _: _field(self._chance.randbytes(16))
        if name == "identifier":
            return lambda number: _field(b"1.2.156.3005.2.%012d" % number)
        if name == "holder_key":
            return self._holder_key
        if kind == "bytea" and name.endswith("_key"):
            return lambda _: _field(self._chance.randbytes(32))
        return None

    def _holder_key(self, number: int) -> bytes:
        person, _ = divmod(number, EACH)
        if self._person[0] != person:
            self._person = person, _field(self._vault.holder_key("111", citizen(person)))
        return self._person[1]


def _first_id(models: Models) -> bytes:
    """Return the id of the first model row."""
    return models.rows[0][models.names.index("licence_id")][4:]


def _pieces(count: bytes, fields: Sequence[bytes], patches: Mapping[int, Patch]) -> list[bytes | Patch]:
    """Return a tuple as runs of bytes that stay, and what makes the fields between them."""
    pieces: list[bytes | Patch] = []
    same = count
    for at, each in enumerate(fields):
        if at in patches and each != _LENGTH.pack(-1):
            pieces += [same, patches[at]]
            same = b""
        else:
            same += each
    return [*pieces, same]


def _field(data: bytes) -> bytes:
    return _LENGTH.pack(len(data)) + data


def _dropped(index: asyncpg.Record) -> str:
    if index["conname"]:
        return f'alter table licence drop constraint "{index["conname"]}"'
    return f"drop index {index['name']}"


def _made(index: asyncpg.Record) -> str:
    if index["conname"]:
        return f'alter table licence add constraint "{index["conname"]}" {index["constraint_made"]}'
    return str(index["made"])
