"""Import of new licences over gRPC: into an empty registry, one of 100,000, one of a million."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date, timedelta

import asyncpg

from cli.clients.department import Department
from cli.local.credentials import migrator_dsn
from cli.local.postgres import EmbeddedPostgres
from standards.identifiers import build_citizen_id, build_licence_identifier
from tests.load.certs_alone import CertsAlone, certs_alone
from tests.load.measured import Measured

HELD = (0, 100_000, 1_000_000)
ROWS = 40_000
FILL_AT_A_TIME = 50_000
ROWS_PER_MESSAGE = 2_000
MARKET = "11361103TB1000011X"
BUSINESS = "11100000MB0143028R001"
Note = Callable[[str], None]
Message = list[tuple[int, Mapping[str, str]]]

_FILL = """
insert into licence (licence_id, lineage_id, identifier, identifier_key, type_code, type_name, issuer_code,
  issuer_name, county_code, holder_key, subject, face, content_key, issued_date, status, origin, trust_grade,
  quality_flags, version, serial_version, case_id, part_id, item_code, created_at, updated_at, number_key)
select gen_random_uuid(), gen_random_uuid(), '1.2.156.3005.2.x.' || n, sha256(('i' || n)::bytea), $3, '营业执照',
  $4, '市场监督管理局', '361103', sha256(('h' || n / 2)::bytea),
  decode(repeat(md5(n::text), 7), 'hex'), decode(repeat(md5(n::text), 20), 'hex'), sha256(n::text::bytea),
  date '2006-01-01' + n % 7000, 'valid', 'imported', 'A', '{}', 1, 1, '', '', '', now(), now(),
  sha256(('n' || n)::bytea)
from generate_series($1::int, $2::int) n
"""
"""Rows of the right sizes; nobody reads what they hold, so it needs no key."""


async def licence_import(seconds: float, note: Note) -> Measured:
    """Return rows per second into a million, the empty and the 100,000 figure in its detail."""
    del seconds  # so many rows, however long they take
    async with certs_alone() as certs:
        held, rates = 0, {}
        async with Department(MARKET, certs.department(MARKET), {"certs": certs.address}) as department:
            await _send(department, _messages(10_000_000, ROWS_PER_MESSAGE))  # warm
            for size in HELD:
                note(f"filling up to {size:,}")
                await _fill(certs, held, size)
                held = max(held, size)
                note(f"importing {ROWS:,} into {size:,}")
                rates[size] = await _measure(department, 20_000_000 + size)
    return Measured(
        "licence_import",
        rates[HELD[-1]],
        "rows/s",
        limit_name=f"the same into {HELD[1]:,}",
        limit_value=rates[HELD[1]],
        rows=HELD[-1],
        detail={
            "rows": "licences in the registry before",
            "into_empty": rates[0],
            "imported": ROWS,
            "rows_per_message": ROWS_PER_MESSAGE,
            "streams": 1,
        },
    )


async def _fill(certs: CertsAlone, held: int, size: int) -> None:
    dsn = migrator_dsn(certs.layout, EmbeddedPostgres(certs.layout.postgres).server_dsn, "certs")
    connection = await asyncpg.connect(dsn)
    try:
        for start in range(held, size, FILL_AT_A_TIME):
            end = min(start + FILL_AT_A_TIME, size) - 1
            await connection.execute(_FILL, start, end, BUSINESS, MARKET)
        await connection.execute("vacuum analyze licence")
    finally:
        await connection.close()


async def _measure(department: Department, first: int) -> float:
    messages = await asyncio.to_thread(_messages, first, ROWS)
    began = time.monotonic()
    await _send(department, messages)
    return round(ROWS / (time.monotonic() - began), 1)


async def _send(department: Department, messages: Sequence[Message]) -> None:
    async def sent() -> AsyncIterator[Message]:
        for message in messages:
            yield message

    created = 0
    async for answer in department.import_rows(str(uuid.uuid4()), sent()):
        assert answer.outcome == "created", answer
        created += 1
    assert created == sum(map(len, messages))


def _messages(first: int, rows: int) -> list[Message]:
    """Return rows made beforehand: making them is no part of the import."""
    return [
        [
            (number - first + 1, row_of(number))
            for number in range(start, min(start + ROWS_PER_MESSAGE, first + rows))
        ]
        for start in range(first, first + rows, ROWS_PER_MESSAGE)
    ]


def row_of(number: int) -> dict[str, str]:
    """Return a row of a business licence, another for every number."""
    serial, name = f"2026{number:08d}", f"测试{number % 97:02d}"
    issued = date(2006, 1, 1) + timedelta(days=number % 7_000)
    return {
        "ZZMC": "营业执照",
        "ZZLXDM": BUSINESS,
        "ZZBH": serial,
        "ZZBS": build_licence_identifier(BUSINESS, MARKET, serial),
        "ZZBFJG": "上饶市广丰区市场监督管理局",
        "ZZBFJGDM": MARKET,
        "ZZBFRQ": issued.isoformat(),
        "CZZT": name,
        "CZZTDM": build_citizen_id(
            "361103", date(1950, 1, 1) + timedelta(days=number % 20_000), number % 999
        ),
        "CZZTDMLXDM": "111",
        "ZZYXQJZRQ": "长期",
        "KZ_MC": f"广丰区{name}餐饮店",
        "KZ_TYSHXYDM": "92361103MA0000000A",
        "KZ_LX": "个体工商户",
        "KZ_FDDBR": name,
        "KZ_JYFW": "餐饮服务",
        "KZ_CLRQ": issued.isoformat(),
        "KZ_ZS": "江西省上饶市广丰区永丰街道一号",
    }
