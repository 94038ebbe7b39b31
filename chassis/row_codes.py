"""Integrity codes of rows: what decides or records something carries a keyed MAC, checked when it is read.

A row altered outside the service is told (ROW_ALTERED), and so is one without a code, once the keyring
says since when every row has one. A fresh keyring says so from the start; an installation whose older
releases wrote rows without codes gets there once, by `fill_codes`. Columns that hold ciphertexts stay
out of the code: they prove themselves, and are encrypted anew when keys rotate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from asyncpg.pgproto import pgproto

from chassis.db import Database
from chassis.errors import Fault
from chassis.fields import FieldCipher, row_part

BATCH_ROWS = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NOTHING = object()
_AS_IT_IS = frozenset({str, bool, type(None)})


class Reader(Protocol):
    """Whatever answers a query with one value: a transaction, or a connection of one's own."""

    async def fetchval(self, query: str) -> Any:
        """Return the first value of the first row."""


@dataclass(frozen=True, slots=True)
class CodedTable:
    """A table with a column ``mac``: its primary key, and every column that counts, in an order that stays."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def names(self) -> str:
        """The columns as a statement lists them, the code last."""
        return ", ".join((*self.columns, "mac"))

    def code(self, cipher: FieldCipher, row: Any) -> bytes:
        """Return the code of a row; values by column name."""
        return cipher.row_mac(*(stable(row[name]) for name in self.columns), field=self.table)

    def coded(self, cipher: FieldCipher, values: Sequence[object]) -> tuple[object, ...]:
        """Return the values of a row, given in the order of the columns, with their code at the end."""
        if len(values) != len(self.columns):
            message = f"{len(values)} values for the {len(self.columns)} coded columns of {self.table}"
            raise ValueError(message)
        return *values, cipher.row_mac(*map(stable, values), field=self.table)

    def coded_each(
        self, cipher: FieldCipher, rows: Iterable[Sequence[object]]
    ) -> Iterator[tuple[object, ...]]:
        """Yield what `coded` returns of each row; what is the same object as in the row before is not written anew."""
        before: Sequence[object] = (_NOTHING,) * len(self.columns)
        parts = [b""] * len(self.columns)
        mac_of = cipher.row_macs(field=self.table)
        for values in rows:
            parts = [
                part if value is old else row_part(stable(value))
                for value, old, part in zip(values, before, parts, strict=True)
            ]
            before = values
            yield *values, mac_of(b"".join(parts))

    def check(self, cipher: FieldCipher, row: Any) -> None:
        """Return if a row is as it was written. Raises ROW_ALTERED."""
        cipher.check_row(row["mac"], *(stable(row[name]) for name in self.columns), field=self.table)


def stable(value: object) -> object:
    """Return a value in the one form that is the same before writing and after reading."""
    if type(value) in _AS_IT_IS:
        return value
    form = _FORMS.get(type(value))
    return form(value) if form else _by_kind(value)


def _by_kind(value: object) -> object:
    """Return the stable form of a value of a derived type, or of one that has no form of its own."""
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return json.dumps([str(each) for each in value], ensure_ascii=False)
    return str(value)


def _moment(value: datetime) -> int:
    return (value - _EPOCH) // _MICROSECOND


_FORMS: dict[type, Callable[[Any], object]] = {
    UUID: str,
    pgproto.UUID: str,
    bytes: bytes.hex,
    datetime: _moment,
}
"""The forms of the most frequent types: every recorded use has these."""


async def fill_codes(
    database: Database, cipher: FieldCipher, tables: Sequence[CodedTable], *, batch_rows: int = BATCH_ROWS
) -> int:
    """Give every row that has none its code; return how many. For rows of releases that wrote none.

    Each step is a transaction that locks its rows only. Raises PEER_UNAVAILABLE; again goes on.
    """
    filled = 0
    for table in tables:
        count = batch_rows
        while count == batch_rows:
            count = await _fill_some(database, cipher, table, batch_rows)
            filled += count
    return filled


async def count_uncoded(database: Database, tables: Sequence[CodedTable]) -> int:
    """Return how many rows have no code. Raises PEER_UNAVAILABLE."""
    async with database.connection() as connection:
        return await count_in(connection, [table.table for table in tables])


async def count_in(connection: Reader, tables: Iterable[str]) -> int:
    """Return how many rows of the named tables have no code, over a connection that is open."""
    count = 0
    for table in tables:
        count += await connection.fetchval(f"select count(*) from {table} where mac is null")  # noqa: S608
    return count


async def altered_rows(
    database: Database, cipher: FieldCipher, table: CodedTable, *, batch_rows: int = BATCH_ROWS
) -> list[tuple[str, ...]]:
    """Return the primary keys of the rows that are not as they were written, over the whole table."""
    altered: list[tuple[str, ...]] = []
    keys, after = ", ".join(table.key), None
    where = f"({keys}) > ({', '.join(f'${at}' for at in range(2, 2 + len(table.key)))})"
    while True:
        async with database.connection() as connection:
            rows = await connection.fetch(
                f"select {table.names} from {table.table} where {where if after else 'true'}"  # noqa: S608
                f" order by {keys} limit $1",
                batch_rows,
                *(after or ()),
            )
        altered += [_key_of(table, row) for row in rows if _is_altered(table, cipher, row)]
        if len(rows) < batch_rows:
            return altered
        after = tuple(rows[-1][name] for name in table.key)


async def _fill_some(database: Database, cipher: FieldCipher, table: CodedTable, limit: int) -> int:
    keys = table.key
    same = " and ".join(f"{name} = ${at}" for at, name in enumerate(keys, 2))
    async with database.transaction() as tx:
        rows = await tx.fetch(
            f"select {table.names} from {table.table} where mac is null limit $1",  # noqa: S608
            limit,
        )
        await tx.executemany(
            f"update {table.table} set mac = $1 where {same} and mac is null",  # noqa: S608
            [(table.code(cipher, row), *(row[name] for name in keys)) for row in rows],
        )
    return len(rows)


def _is_altered(table: CodedTable, cipher: FieldCipher, row: Any) -> bool:
    try:
        table.check(cipher, row)
    except Fault:
        return True
    return False


def _key_of(table: CodedTable, row: Any) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in table.key)
