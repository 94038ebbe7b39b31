"""Reads a whole log out of the registry's database, in one snapshot."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.keyring import read_keyring
from chassis.tlog.alignment import Damage, Finding
from chassis.tlog.audit import Log
from chassis.tlog.packed import Hashes
from chassis.tlog.tiles import split
from chassis.tlog.tree import leaf_hash
from cli.operations.cut import connect
from cli.operations.places import Places
from cli.transparency.rows import LEAVES, ROWS, SAID, WAITING

_ROWS_AT_ONCE = 1_000
_LEAVES = "select leaf_index, leaf from log_leaf order by leaf_index"
_TILES = "select tile_index, hashes from log_tile where level = 0 order by tile_index"


async def read_deployment(
    places: Places, anchors: Sequence[str], keyring: Path | None = None
) -> tuple[Log, list[Finding]]:
    """Return the log as its tables hold it, and the rows of the registry that it does not bear out.

    With the registry's keyring, also those whose integrity code does not hold. Raises PEER_UNAVAILABLE.
    """
    connection = await connect(places.server_dsn, "certs")
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            log, rows = await read_log(connection, anchors), await unproved_rows(connection)
            if keyring is not None:
                rows += await altered_rows(connection, FieldCipher(read_keyring(keyring), service="certs"))
            return log, rows
    finally:
        await connection.close()


async def read_log(connection: asyncpg.Connection[Any], anchors: Sequence[str] = ()) -> Log:
    """Return the log of an open transaction."""
    leaves, indices, hashes = Hashes(), array("q"), Hashes()
    async for row in connection.cursor(_LEAVES, prefetch=_ROWS_AT_ONCE):
        indices.append(row["leaf_index"])
        leaves.append(leaf_hash(row["leaf"]))
    async for row in connection.cursor(_TILES):
        for each in split(row["hashes"]):
            hashes.append(each)
    notes = [row["note"] for row in await connection.fetch("select note from log_checkpoint order by size")]
    return Log(leaves, indices, hashes, notes, tuple(anchors))


async def unproved_rows(connection: asyncpg.Connection[Any]) -> list[Finding]:
    """Return the rows, written since the log began, that no leaf speaks of or speaks of otherwise; leaves without row."""
    began = await connection.fetchval("select began_at from log_state")
    found = []
    for name, query in LEAVES.items():
        rows = await connection.fetch(SAID + query)
        found += [Finding(_place(row), Damage.LEAF_WITHOUT_ROW, f"{name} {row['row']}") for row in rows]
    for name, query in ROWS.items():
        for row in await connection.fetch(SAID + query, began):
            damage = Damage.ROW_WITHOUT_LEAF if row["place"] is None else Damage.ROW_ALTERED
            found.append(Finding(_place(row), damage, f"{name} {row['row']}"))
    return found


async def altered_rows(connection: asyncpg.Connection[Any], cipher: FieldCipher) -> list[Finding]:
    """Return the rows whose integrity code does not hold: every word of them is under it."""
    from services.certs.app.coded import CODED  # noqa: PLC0415 - only a verification with the keys needs it

    found = []
    for table in CODED:
        query = f"select {table.names} from {table.table}"  # noqa: S608 - constants
        async for row in connection.cursor(query, prefetch=_ROWS_AT_ONCE):
            try:
                table.check(cipher, row)
            except Fault:
                key = " ".join(str(row[name]) for name in table.key)
                found.append(Finding(0, Damage.ROW_ALTERED, f"{table.table} {key}"))
    return found


def _place(row: Any) -> int:
    """Return the index of the leaf, 0 for none and for one that still waits."""
    place: int | None = row["place"]
    return place if place is not None and place < WAITING else 0
