"""Make a database large: each row it has is copied until its table holds the wanted number.

What must be unique and what rows are found by is made anew in each copy, everything else is as the service wrote it, so
that the planner sees the widths and the spread of real rows. Checks and foreign keys are not kept: the copy is there to be planned over, and
measured, not to be served from.
"""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

_TABLES = """
SELECT c.oid::regclass::text AS name, c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname = 'public' AND c.relname <> 'alembic_version' ORDER BY 1
"""
_COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, a.attgenerated <> '' AS generated,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY(i.indkey))
         AS is_unique,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND a.attnum = ANY(i.indkey)) AS is_indexed,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attnum = ANY(k.conkey))
         AS is_foreign
  FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_CHECKS = "SELECT conname FROM pg_constraint WHERE conrelid = $1 AND contype = 'c'"
_MADE_ANEW = {
    "uuid": "gen_random_uuid()",
    "text": "{name} || '-' || n",
    "character varying": "{name} || '-' || n",
    "bytea": "{name} || int4send(n)",
    "bigint": "{name} + n::bigint * 1000000",
    "integer": "n * 100 + {name} % 100",
    "date": "{name} - n",
    "timestamp with time zone": "{name} - n * interval '1 second'",
}


@dataclass(frozen=True)
class Table:
    """A table and how many rows it had before it was made large."""

    name: str
    rows: int


async def multiply(
    connection: asyncpg.Connection, rows: int, *, keep: frozenset[str] = frozenset()
) -> list[Table]:
    """Bring every table that has rows, but those to keep, to about the number of rows; return what each had."""
    await connection.execute("SET session_replication_role = replica")
    found: list[Table] = []
    for table in await connection.fetch(_TABLES):
        had = await connection.fetchval(f"SELECT count(*) FROM {table['name']}")
        found.append(Table(table["name"], had))
        if had and table["name"] not in keep:
            await _multiply_table(connection, table["oid"], table["name"], max(1, rows // had))
    await connection.execute("ANALYZE")
    return found


async def _multiply_table(connection: asyncpg.Connection, oid: int, name: str, copies: int) -> None:
    for check in await connection.fetch(_CHECKS, oid):
        await connection.execute(f'ALTER TABLE {name} DROP CONSTRAINT "{check["conname"]}"')
    columns = [each for each in await connection.fetch(_COLUMNS, oid) if not each["generated"]]
    names = ", ".join(f'"{each["name"]}"' for each in columns)
    values = ", ".join(_value(each) for each in columns)
    await connection.execute(
        f"INSERT INTO {name} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} "
        f"FROM {name} CROSS JOIN generate_series(1, $1::int) AS n ON CONFLICT DO NOTHING",
        copies,
    )


def _value(column: asyncpg.Record) -> str:
    """Return what a copy has in a column: new where it is unique, an identity or a digest looked up by, else the same."""
    quoted = f'"{column["name"]}"'
    spread = column["type"] == "uuid" or (
        column["is_indexed"]
        and (column["type"] == "bytea" or column["name"].endswith(("_id", "_sm3", "_sha256")))
    )
    if not (spread or column["is_unique"] or column["is_foreign"]):
        return quoted
    return _MADE_ANEW.get(column["type"], "{name}").format(name=quoted)
