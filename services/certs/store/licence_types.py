"""Published licence types, append-only, each with its code; and the walk over stored licences."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.licence_type import LicenceType, document_of, read_type
from services.certs.domain.log import Leaf
from services.certs.domain.status import LicenceStatus
from services.certs.store.coded import LICENCE_TYPE
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault
from services.certs.usecases.licence_types import PublishedType, StoredFace

LEAF_KIND = "licence_type"
_PUBLISHING_LOCK = 0x6C74797065  # "ltype"
_FIRST = UUID(int=0)
_STAMP = "select count(*) as versions, max(published_at) as published_at from licence_type"
_WALK = """
select licence_id, type_code, status, case when type_code = any($3) then face end as face
from licence where licence_id > $1
order by licence_id limit $2
"""
Stamp = tuple[int, datetime | None]


class TypeTable:
    """The types of one open transaction; implements the port TypeRecords."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def all(self) -> list[PublishedType]:
        """Return every version, by code and version. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"select {LICENCE_TYPE.names} from licence_type order by type_code, version"  # noqa: S608
        )
        for row in rows:
            self._vault.check_row(LICENCE_TYPE, row)
        return [
            PublishedType(_kind(row), row["published_at"], row["published_by"], row["source"]) for row in rows
        ]

    async def stamp(self) -> Stamp:
        """Return what changes whenever a version is published."""
        row = await self._tx.fetchrow(_STAMP)
        assert row is not None
        return row["versions"], row["published_at"]

    async def lock(self) -> None:
        """Let nobody else publish until the transaction ends."""
        await self._tx.execute("select pg_advisory_xact_lock($1)", _PUBLISHING_LOCK)

    async def add(self, published: PublishedType) -> None:
        """Store a new version and queue its leaf. Raises AUDIT_UNWRITABLE."""
        kind, document = published.kind, _json(document_of(published.kind))
        values = (
            kind.code,
            kind.version,
            document,
            published.published_at,
            published.published_by,
            published.source,
        )
        await self._tx.execute(
            f"insert into licence_type ({LICENCE_TYPE.names}) values ($1, $2, $3, $4, $5, $6, $7)",  # noqa: S608
            *self._vault.coded(LICENCE_TYPE, values),
        )
        await LogQueue(self._tx).append(_leaf(published, document))

    async def count_licences(self) -> int:
        """Return about how many licences are stored, from the planner's statistics."""
        return int(
            await self._tx.fetchval("select greatest(reltuples, 0) from pg_class where relname = 'licence'")
        )

    async def faces(
        self, after: str, limit: int, type_codes: Sequence[str]
    ) -> tuple[list[StoredFace], str, int]:
        """Return a batch of the walk, decrypted in a thread, and where the next one starts."""
        start = UUID(after) if after else _FIRST
        rows = await self._tx.fetch(_WALK, start, limit, list(type_codes))
        wanted = [row for row in rows if row["face"] is not None]
        found = await asyncio.to_thread(lambda: [self._stored(row) for row in wanted])
        return found, str(rows[-1]["licence_id"]) if len(rows) == limit else "", len(rows)

    def first_of(self, moment: datetime) -> str:
        """Return the id below every one made since a moment: ids are UUIDs of version 7, RFC 9562 5.7."""
        return str(UUID(int=int(moment.timestamp() * 1000) << 80))

    def _stored(self, row: Any) -> StoredFace:
        return StoredFace(row["type_code"], LicenceStatus(row["status"]), self._vault.open_face(row["face"]))


def _leaf(published: PublishedType, document: str) -> Leaf:
    """Return the leaf of a published version: what everybody may see of licences is for everybody to check."""
    facts: dict[str, str | int] = {
        "type_code": published.kind.code,
        "version": published.kind.version,
        "document": hashlib.sha256(document.encode()).hexdigest(),
    }
    return Leaf(LEAF_KIND, "", published.published_at, facts)


def _kind(row: Any) -> LicenceType:
    """Return the type of a row; one that was published reads back without a problem, whatever came since."""
    kind, _ = read_type(json.loads(row["document"]), version=row["version"])
    return kind


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
