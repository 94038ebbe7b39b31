"""Re-encryption at rest after a rotation: every encrypted column and file, in small steps, while all runs.

A step changes at most ``BATCH_ROWS`` rows in one transaction and only where a value is still what it
was when it was read, so nobody waits for it and nobody's change is lost. A walk that was broken off
is simply started again: what is under the newest key already is passed over by the database.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chassis.db import Database
from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import FILE_NOT_FOUND
from chassis.row_codes import CodedTable

BATCH_ROWS = 200
COUNT_SECONDS = 3_600.0
"""Counting reads every row of the encrypted tables; it locks none."""
_HEADER_LIKE = r"get_byte({c}, 0) = 1 and get_byte({c}, 1) in (1, 2) and get_byte({c}, 2) between 6 and 13"
"""How the ciphertexts of `chassis.fields` begin; neither protobuf nor JSON does."""


@dataclass(frozen=True, slots=True)
class EncryptedTable:
    """A table's encrypted columns: its primary key, and per column the field name of its values."""

    table: str
    key: tuple[str, ...]
    fields: Mapping[str, str]
    mixed: bool = False
    """Whether some of the values are not encrypted."""


STORED_ANSWERS = EncryptedTable(
    "stored_answer", ("caller", "method", "request_id"), {"answer": "stored_answer.answer"}, mixed=True
)
"""Every service's stored answers, see ``chassis.requests``."""


class EncryptedFiles(Protocol):
    """A store of encrypted files."""

    def keys(self) -> Iterator[str]:
        """Yield the key of every file."""
        ...

    def beginning(self, key: str) -> bytes:
        """Return the first bytes as they are on disk. Raises FILE_NOT_FOUND."""
        ...

    def rewrap(self, key: str) -> None:
        """Have the file under the newest key. Raises FILE_NOT_FOUND."""
        ...


@dataclass(frozen=True, slots=True)
class AtRest:
    """Everything that one service keeps encrypted, and the tables whose rows carry integrity codes."""

    database: Database
    cipher: FieldCipher
    tables: Sequence[EncryptedTable]
    files: EncryptedFiles | None = None
    coded: Sequence[CodedTable] = ()


@dataclass(slots=True)
class Rewrapped:
    """How far a walk is."""

    values: int = 0
    files: int = 0
    unreadable: int = 0
    """Values and files that no key opens: they are left as they are."""


async def count_by_key(rest: AtRest) -> Counter[str]:
    """Return how many values and files there are under each key."""
    found: Counter[str] = Counter()
    async with rest.database.connection() as connection:
        await connection.execute("set statement_timeout = 0")
        try:
            for table in rest.tables:
                for column in table.fields:
                    for row in await connection.fetch(
                        _COUNT.format(**_names(table, column)), timeout=COUNT_SECONDS
                    ):
                        found[row["key_id"]] += row["values"]
        finally:
            await connection.execute("reset statement_timeout")
    if rest.files is not None:
        found += await asyncio.to_thread(_count_files, rest.cipher, rest.files)
    return found


async def rewrap(
    rest: AtRest, *, batch_rows: int = BATCH_ROWS, progress: Callable[[str, Rewrapped], None] | None = None
) -> Rewrapped:
    """Have every value and file under the newest key; ``progress`` is told after each step.

    Raises PEER_UNAVAILABLE; started again it goes on where it was broken off.
    """
    done = Rewrapped()
    for table in rest.tables:
        for column in table.fields:
            async for changed, unreadable in _walk(rest, table, column, batch_rows):
                done.values += changed
                done.unreadable += unreadable
                if progress:
                    progress(f"{table.table}.{column}", done)
    for key in await asyncio.to_thread(lambda: list(rest.files.keys()) if rest.files else []):
        await asyncio.to_thread(_rewrap_file, rest, key, done)
        if progress and done.files % 50 == 0:
            progress("files", done)
    return done


async def _walk(rest: AtRest, table: EncryptedTable, column: str, batch_rows: int) -> Any:
    """Yield (changed, unreadable) per step, in the order of the primary key."""
    names, field = _names(table, column), table.fields[column]
    header, after = rest.cipher.header, None
    while True:
        async with rest.database.transaction() as tx:
            where = names["after"] if after else "true"
            query = _PAGE.format(**names, where=where)
            rows = await tx.fetch(query, header, batch_rows, *(after or ()))
            changed = [(row, _again(rest.cipher, row["_value"], field)) for row in rows]
            fresh = [
                (*(row[name] for name in table.key), value, row["_value"]) for row, value in changed if value
            ]
            await tx.executemany(_CHANGE.format(**names), fresh)
        if rows:
            yield len(fresh), len(rows) - len(fresh)
        if len(rows) < batch_rows:
            return
        after = tuple(rows[-1][name] for name in table.key)


def _again(cipher: FieldCipher, sealed: bytes, field: str) -> bytes | None:
    try:
        return cipher.encrypt_bytes(cipher.decrypt_bytes(sealed, field=field), field=field)
    except Fault:
        return None


def _rewrap_file(rest: AtRest, key: str, done: Rewrapped) -> None:
    assert rest.files is not None
    try:
        if rest.cipher.needs_rewrap(_padded(rest.files.beginning(key))):
            rest.files.rewrap(key)
            done.files += 1
    except Fault as problem:
        if problem.reason is not FILE_NOT_FOUND:
            done.unreadable += 1


def _count_files(cipher: FieldCipher, files: EncryptedFiles) -> Counter[str]:
    found: Counter[str] = Counter()
    for key in files.keys():  # noqa: SIM118 - not a mapping
        try:
            found[cipher.key_id_of(files.beginning(key))] += 1
        except Fault as problem:
            if problem.reason is not FILE_NOT_FOUND:
                found["unreadable"] += 1
    return found


def _padded(beginning: bytes) -> bytes:
    return beginning + bytes(64)


def _names(table: EncryptedTable, column: str) -> dict[str, str]:
    """Return the parts of the statements; all names are this code's own constants."""
    numbers = range(3, 3 + len(table.key))
    like = f"length({column}) > 31 and {_HEADER_LIKE.format(c=column)}"
    return {
        "table": table.table,
        "column": column,
        "keys": ", ".join(table.key),
        "after": f"({', '.join(table.key)}) > ({', '.join(f'${n}' for n in numbers)})",
        "encrypted": like if table.mixed else "true",
        "same": " and ".join(f"{name} = ${n}" for n, name in enumerate(table.key, 1)),
        "value": f"${len(table.key) + 1}",
        "old": f"${len(table.key) + 2}",
    }


_PAGE = """
select {keys}, {column} as _value from {table}
where {column} is not null and {encrypted} and substring({column} for length($1::bytea)) <> $1 and {where}
order by {keys} limit $2
"""
_CHANGE = "update {table} set {column} = {value} where {same} and {column} = {old}"
_COUNT = """
select case when length({column}) > 31 and get_byte({column}, 2) between 6 and 13
    then encode(substring({column} from 4 for get_byte({column}, 2)), 'escape') else 'unreadable' end as key_id,
  count(*) as values
from {table} where {column} is not null and {encrypted} group by 1
"""

__all__ = [
    "STORED_ANSWERS",
    "AtRest",
    "EncryptedFiles",
    "EncryptedTable",
    "Rewrapped",
    "count_by_key",
    "rewrap",
]
