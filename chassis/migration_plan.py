"""What a migration would do to a database in use: its statements, the locks they take, what they take away.

Statements are told apart by their heads; what is not known counts as the strongest lock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from chassis.errors import PEER_UNAVAILABLE
from chassis.migrate import migration_sql
from chassis.schema import Step, chain, versions_dir

NO_LOCK = "-"
_QUOTED = re.compile(r"(\$\w*\$)(?:.*?)\1|'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_TABLE = r'(?:if (?:not )?exists )?(?:only )?(?:public\.)?"?(\w+)"?'
_LOCKS: tuple[tuple[str, str], ...] = (
    (r"create (?:unique )?index concurrently .*? on " + _TABLE, "SHARE UPDATE EXCLUSIVE"),
    (r"create (?:unique )?index .*? on " + _TABLE, "SHARE"),
    (r"create (?:or replace )?(?:constraint )?trigger .*? on " + _TABLE, "SHARE ROW EXCLUSIVE"),
    (r"alter table " + _TABLE + r" validate constraint", "SHARE UPDATE EXCLUSIVE"),
    (r"alter table " + _TABLE + r" set \(", "SHARE UPDATE EXCLUSIVE"),
    (r"alter table " + _TABLE + r" add (?:constraint \S+ )?foreign key", "SHARE ROW EXCLUSIVE"),
    (r"alter table " + _TABLE, "ACCESS EXCLUSIVE"),
    (r"drop index concurrently " + _TABLE, "SHARE UPDATE EXCLUSIVE"),
    (r"(?:drop|truncate)(?: table| index)?(?: concurrently)? " + _TABLE, "ACCESS EXCLUSIVE"),
    (r"(?:insert into|update|delete from) " + _TABLE, "ROW EXCLUSIVE"),
    (r"create table " + _TABLE, NO_LOCK),
    (r"create (?:or replace )?(?:function|view|sequence|extension|type) " + _TABLE, NO_LOCK),
    (r"(?:comment on (?:table|column)|(?:grant|revoke)\b.*? on(?: table)?) " + _TABLE, NO_LOCK),
)
BLOCKS = {
    "ACCESS EXCLUSIVE": "reads and writes",
    "SHARE ROW EXCLUSIVE": "writes",
    "SHARE": "writes",
    "SHARE UPDATE EXCLUSIVE": "other migrations",
    "ROW EXCLUSIVE": "the same rows",
    NO_LOCK: "nothing",
}
_TAKES_AWAY: tuple[tuple[str, str], ...] = (
    (r"\bdrop (?:table|column|view|type|function|schema|constraint|trigger|sequence)\b", "drops"),
    (r"^alter table \S+ .*\bdrop (?!not null|default|expression|identity|column|constraint)\w", "drops"),
    (r"\brename\b", "renames"),
    (r"\balter (?:column )?\S+ (?:set data )?type\b", "changes a type"),
    (r"\bset not null\b", "demands a value"),
    (r"^(?:truncate|delete from)\b", "deletes rows"),
    (r"\badd (?:constraint|check|unique|primary key|exclude)\b", "tightens"),
    (r"^create unique index\b", "tightens"),
)
_NEW_COLUMN = re.compile(
    r"\badd (?:column )?(?:if not exists )?(?!constraint\b|check\b|unique\b|primary\b|foreign\b)\w+ .*?(?=, add |$)"
)
_BOOKKEEPING = re.compile(
    r"^(?:begin|commit|set |update alembic_version|insert into alembic_version|create table alembic_version)"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: the table that was there before and is locked, how, and what old code would miss."""

    sql: str
    table: str
    lock: str
    takes_away: str
    """Empty for a statement that only adds."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A migration that a database still waits for."""

    step: Step
    statements: tuple[Statement, ...]
    sizes_bytes: dict[str, int]
    """Of the tables that it locks."""


def statements_of(
    service: str, revision: str, start: str | None, *, directory: Path | None = None
) -> tuple[Statement, ...]:
    """Return what one migration executes."""
    text = migration_sql(service, revision=revision, start=start, directory=directory)
    found = [_statement(each) for each in _split(text) if not _BOOKKEEPING.match(_flat(each))]
    made = {each.table for each in found if _flat(each.sql).startswith("create table")}
    return tuple(_on_new_table(each) if each.table in made else each for each in found)


async def plan(service: str, dsn: str, *, directory: Path | None = None) -> tuple[Pending, ...]:
    """Return the migrations that a database waits for; nothing is executed. Raises PEER_UNAVAILABLE."""
    steps = chain(directory or versions_dir(service))
    try:
        connection = await asyncpg.connect(dsn)
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError) as problem:
        raise PEER_UNAVAILABLE(peer="database") from problem
    try:
        there = await connection.fetchval("select to_regclass('public.alembic_version') is not null")
        at = await connection.fetchval("select version_num from alembic_version") if there else None
        known = [step.revision for step in steps]
        waiting = steps[known.index(at) + 1 :] if at in known else steps if at is None else ()
        found = []
        for step in waiting:
            told = statements_of(service, step.revision, step.down_revision, directory=directory)
            locked = sorted({each.table for each in told if each.lock != NO_LOCK})
            found.append(Pending(step, told, await _sizes(connection, locked)))
        return tuple(found)
    finally:
        await connection.close()


async def _sizes(connection: asyncpg.Connection[Any], tables: list[str]) -> dict[str, int]:
    rows = await connection.fetch(
        "select relname, pg_table_size(oid) as size from pg_class where relname = any($1)", tables
    )
    return {row["relname"]: row["size"] for row in rows}


def _statement(sql: str) -> Statement:
    flat = _flat(sql)
    table, lock = "", "ACCESS EXCLUSIVE"
    for pattern, found in _LOCKS:
        match = re.match(pattern, flat)
        if match:
            table, lock = match.group(1), found
            break
    taken = [said for pattern, said in _TAKES_AWAY if re.search(pattern, flat)]
    if flat.startswith("alter table") and any(
        "not null" in each and "default" not in each and "generated" not in each
        for each in _NEW_COLUMN.findall(flat)
    ):
        taken.append("demands a value")
    return Statement(sql.strip(), table, lock, ", ".join(dict.fromkeys(taken)))


def _on_new_table(statement: Statement) -> Statement:
    """Nobody uses a table yet that the same migration makes."""
    return Statement(statement.sql, statement.table, NO_LOCK, "")


def _split(text: str) -> Iterator[str]:
    """Yield the statements of a text; a semicolon inside quotes or a function's body ends none."""
    hidden = _QUOTED.sub(lambda match: "\0" * len(match.group()), text)
    start = 0
    for match in re.finditer(";", hidden):
        if hidden[start : match.start()].strip("\0 \n\t"):
            yield text[start : match.start()]
        start = match.end()


def _flat(sql: str) -> str:
    """Return a statement without comments and literals, on one line, in lower case."""
    bare = _QUOTED.sub(lambda match: match.group() if match.group().startswith('"') else " ", sql)
    return " ".join(bare.lower().split())
