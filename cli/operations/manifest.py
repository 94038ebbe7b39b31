"""The manifest of a backup: what is in it, in the clear and signed. It holds counts and digests, no data."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from cli.operations.faults import BACKUP_FOREIGN_VERSION, BACKUP_INCOMPLETE, BACKUP_TAMPERED

FORMAT = 1
FILE = "manifest.json"
SIGNATURE = "manifest.json.sig"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Part(_Record):
    """One encrypted file of the backup; digests are SHA-256 in hex."""

    path: str
    size_bytes: int
    sha256: str
    """Of the file as it lies there, encrypted."""


class TableRecord(_Record):
    """One table: its rows in the order of its primary key, as PostgreSQL's binary COPY writes them."""

    columns: tuple[str, ...]
    rows: int
    copy_bytes: int
    sha256: str
    part: Part


class Position(_Record):
    """How far one topic of an outbox had come."""

    events: int
    last_seq: int
    unpublished: int


class DatabaseRecord(_Record):
    """One database at the moment of the cut."""

    head: str
    """Schema revision; of the bus database, which has none, ``BUS_V1``."""
    tables: dict[str, TableRecord]
    sequences: dict[str, tuple[int, bool]]
    """Last value of each sequence, and whether it was given out."""
    outbox: dict[str, Position]
    offsets: dict[str, int]
    """Of the PostgreSQL bus: ``topic/partition`` → next offset, ``group@topic/partition`` → offset."""
    bus_clusters: tuple[str, ...]
    """The ids of the buses that its events went to, by relay shard."""
    field_keys: tuple[str, ...] = ()
    """The ids of the field keys that its values are under; empty in backups of older releases."""


class StoreRecord(_Record):
    """One file store: a tar of its files, and the sorted list of their digests."""

    files: int
    size_bytes: int
    sha256: str
    """Of the list."""
    part: Part
    index: Part
    field_keys: tuple[str, ...] = ()
    """The ids of the field keys that its files are under; empty in backups of older releases."""


class Manifest(_Record):
    """Everything of one backup."""

    format: Literal[1] = 1
    name: str
    release: str
    bus: Literal["kafka", "postgres"]
    cut_at: datetime
    """The one moment at which all databases are in the backup."""
    made_at: datetime
    recipient: str
    databases: dict[str, DatabaseRecord]
    stores: dict[str, StoreRecord]

    def parts(self) -> list[Part]:
        """Return every encrypted file."""
        found = [table.part for each in self.databases.values() for table in each.tables.values()]
        return found + [part for each in self.stores.values() for part in (each.part, each.index)]

    @property
    def rows(self) -> int:
        """All rows of all tables."""
        return sum(table.rows for each in self.databases.values() for table in each.tables.values())

    @property
    def size_bytes(self) -> int:
        """What the backup takes on disk, without the manifest."""
        return sum(part.size_bytes for part in self.parts())

    def as_bytes(self) -> bytes:
        """Return the bytes that are signed."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def read_manifest_bytes(backup: Path) -> tuple[bytes, bytes]:
    """Return manifest and signature as they lie there. Raises BACKUP_INCOMPLETE."""
    missing = [name for name in (FILE, SIGNATURE) if not (backup / name).is_file()]
    if missing:
        raise BACKUP_INCOMPLETE(missing=", ".join(missing))
    return (backup / FILE).read_bytes(), (backup / SIGNATURE).read_bytes()


def parse_manifest(data: bytes) -> Manifest:
    """Return the manifest of bytes whose signature holds. Raises BACKUP_FOREIGN_VERSION, BACKUP_TAMPERED."""
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as problem:
        for error in problem.errors():
            if error["loc"] == ("format",):
                found = error["input"]
                raise BACKUP_FOREIGN_VERSION(what="format", found=found, expected=FORMAT) from problem
        raise BACKUP_TAMPERED(part=FILE) from problem
