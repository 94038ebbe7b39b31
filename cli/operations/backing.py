"""Makes a backup: every database at one moment, then the files that they refer to, encrypted and signed."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pyrage

from chassis.clock import system_clock
from cli.operations.cut import Cut, Snapshot, take_cut
from cli.operations.faults import BACKUP_FILES_MISSING, BACKUP_NOT_WRITTEN, BACKUP_RECIPIENT_MISSING
from cli.operations.field_keys import key_ids_in
from cli.operations.kept_files import Store
from cli.operations.manifest import (
    FILE,
    SIGNATURE,
    DatabaseRecord,
    Manifest,
    Part,
    Position,
    StoreRecord,
    TableRecord,
)
from cli.operations.parts import PartWriter, recipient
from cli.operations.places import Places
from cli.operations.progress import Advance, Follow
from cli.operations.shelf import UNFINISHED, keep_state
from cli.operations.signing import sign
from cli.operations.tables import Table, copy_out, read_sequences, schema_head

BUS_SCHEMA = "BUS_V1"
_NAMED = 20
_OUTBOX = """
select topic, count(*) as events, max(seq) as last_seq, count(*) filter (where published_at is null) as unpublished
from event_log group by topic order by topic
"""
_OFFSETS = """
select topic || '/' || part as place, next_off as off from part
union all select grp || '@' || topic || '/' || part, off from grp order by 1
"""
_REFERRED = {
    "certs/documents": (
        "certs",
        """select unsealed_sha256 from licence where unsealed_sha256 <> ''
        union select sealed_sha256 from licence where sealed_sha256 <> ''
        union select unsealed_sha256 from licence_pdf where unsealed_sha256 <> ''
        union select sealed_sha256 from licence_pdf where sealed_sha256 <> ''""",
    ),
    "intake/files": ("intake", "select file_id from case_archive"),
}
"""What a database says of its store in the clear; files of cases in hand stand in encrypted content."""


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup."""

    path: Path
    manifest: Manifest
    seconds: float
    held_seconds: float


async def back_up(places: Places, shelf: Path, to: str | None, follow: Follow) -> Made:
    """Have a new backup below the shelf directory, whole and under its name, or nothing.

    Raises BACKUP_RECIPIENT_MISSING, BACKUP_RECIPIENT_MALFORMED, BACKUP_KEY_UNREADABLE, BACKUP_CUT_FAILED,
    BACKUP_FILES_MISSING, BACKUP_NOT_WRITTEN, FILE_STORE_FAILED, PEER_UNAVAILABLE.
    """
    address = to or places.recipient
    if not address:
        raise BACKUP_RECIPIENT_MISSING()
    key, signing_key, started = recipient(address), places.key("signing_key"), system_clock()
    name = f"tongban-{started:%Y%m%dT%H%M%S%f}Z"
    fresh = shelf / f"{UNFINISHED}{name}"
    try:
        fresh.mkdir(parents=True)
        async with take_cut(places.reader_dsn or places.server_dsn, places.databases) as cut:
            manifest = await _Backup(places, fresh, key, cut, follow).write(name, address)
        _finish(fresh, shelf / name, manifest, signing_key)
    except OSError as problem:
        raise BACKUP_NOT_WRITTEN(cause=problem) from problem
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    seconds = (system_clock() - started).total_seconds()
    keep_state(shelf, manifest, system_clock(), seconds)
    return Made(shelf / name, manifest, seconds, cut.held_seconds)


class _Backup:
    """One run."""

    def __init__(
        self, places: Places, root: Path, key: pyrage.x25519.Recipient, cut: Cut, follow: Follow
    ) -> None:
        self._places, self._root, self._key, self._cut, self._follow = places, root, key, cut, follow

    async def write(self, name: str, address: str) -> Manifest:
        databases = {each: await self._database(each, at) for each, at in self._cut.snapshots.items()}
        opened = {name: self._places.store(name) for name in self._places.stores}
        kept = {name: await self._store(name, store) for name, store in opened.items()}
        await self._check_references(opened)
        return Manifest(
            name=name,
            release=release(),
            bus=self._places.bus,
            cut_at=self._cut.at,
            made_at=system_clock(),
            recipient=address,
            databases=databases,
            stores=kept,
        )

    async def _database(self, name: str, snapshot: Snapshot) -> DatabaseRecord:
        advance = self._follow(f"数据库 | {name}", sum(table.size_bytes for table in snapshot.tables))
        tables = {table.name: await self._table(name, snapshot, table, advance) for table in snapshot.tables}
        connection = snapshot.connection
        if name == "bus":
            offsets = {row["place"]: row["off"] for row in await connection.fetch(_OFFSETS)}
            outbox, clusters = {}, ()
        else:
            rows = await connection.fetch(_OUTBOX)
            outbox = {row["topic"]: Position(**{k: row[k] for k in Position.model_fields}) for row in rows}
            known = await connection.fetch("select cluster_id from relay_state order by shard")
            offsets, clusters = {}, tuple(row["cluster_id"] for row in known)
        return DatabaseRecord(
            head=await schema_head(connection, BUS_SCHEMA) or "",
            tables=tables,
            sequences=await read_sequences(connection),
            outbox=outbox,
            offsets=offsets,
            bus_clusters=clusters,
            field_keys=await key_ids_in(connection),
        )

    async def _table(self, database: str, snapshot: Snapshot, table: Table, advance: Advance) -> TableRecord:
        with PartWriter(self._root, f"{database}.{table.name}.copy.gz.age", self._key) as writer:

            def take(data: bytes) -> None:
                writer.write(data)
                advance(len(data))

            content = await copy_out(snapshot.connection, table, take)
        return TableRecord(
            columns=table.columns,
            rows=content.rows,
            copy_bytes=content.copy_bytes,
            sha256=content.sha256,
            part=_written(writer),
        )

    async def _store(self, name: str, store: Store) -> StoreRecord:
        stem = name.replace("/", ".")
        self._follow(f"文件 | {name}", 1)
        with (
            PartWriter(self._root, f"{stem}.tar.gz.age", self._key) as archive,
            PartWriter(self._root, f"{stem}.list.gz.age", self._key) as index,
        ):
            kept = await asyncio.to_thread(store.pack, archive, index)
        return StoreRecord(
            files=kept.files,
            size_bytes=kept.size_bytes,
            sha256=kept.sha256,
            part=_written(archive),
            index=_written(index),
            field_keys=kept.field_keys,
        )

    async def _check_references(self, opened: Mapping[str, Store]) -> None:
        """Refuse a backup whose databases name files that the stores, read after them, do not have."""
        for store, (database, query) in _REFERRED.items():
            there, missing = opened[store], []
            async for row in self._cut.snapshots[database].connection.cursor(query):
                key = str(row[0])
                if not there.holds(key):
                    missing.append(key)
            if missing:
                raise BACKUP_FILES_MISSING(count=len(missing), files=", ".join(sorted(missing)[:_NAMED]))


def release() -> str:
    """Return the version of the installed package; inside an image, where none is, ``unknown``."""
    try:
        return version("tongban")
    except PackageNotFoundError:
        return "unknown"


def _written(writer: PartWriter) -> Part:
    assert writer.part is not None, "the block has ended without an error"
    return writer.part


def _finish(fresh: Path, final: Path, manifest: Manifest, signing_key: Path) -> None:
    """Sign, flush to disk, give the name: from here on it is a backup."""
    data = manifest.as_bytes()
    for name, content in ((FILE, data), (SIGNATURE, sign(data, signing_key))):
        with (fresh / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _flush(fresh)
    fresh.rename(final)
    _flush(final.parent)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
