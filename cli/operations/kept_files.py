"""What a backup does with one store of files: a directory, or the part of a bucket that stands for one.

In the backup both look alike, so files may be restored into the other kind than they came from.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tarfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO, Protocol, cast

from chassis.errors import Fault
from chassis.files import FILE_KEY, FILE_NOT_FOUND, KeptFiles
from cli.operations import stores
from cli.operations.faults import BACKUP_TAMPERED, RESTORE_TARGET_NOT_EMPTY
from cli.operations.field_keys import key_id_in
from cli.operations.part_reader import PartReader
from cli.operations.parts import PartWriter
from cli.operations.stores import Kept


class Store(Protocol):
    """One store of files; these calls block."""

    def pack(self, archive: PartWriter, index: PartWriter) -> Kept:
        """Write all files and their list. A file that vanishes meanwhile is in neither."""
        ...

    def holds(self, key: str) -> bool:
        """Tell whether there is a file of this key, after `pack`."""
        ...

    def check_empty(self, name: str) -> None:
        """Return if nothing is in the store. Raises RESTORE_TARGET_NOT_EMPTY."""
        ...

    def receive(self, reader: PartReader) -> None:
        """Take the files of a tar, to be kept or undone. Raises BACKUP_TAMPERED, FILE_STORE_FAILED."""
        ...

    def received(self) -> Iterator[bytes]:
        """Yield the list of what was received, read back, in the order of `pack`."""
        ...

    def keep(self) -> None:
        """Have what was received as the store's content."""
        ...

    def undo(self) -> None:
        """Leave nothing of what was received and not kept."""
        ...


class Directory:
    """A store that is a directory: files are received beside it and get its name at the end."""

    def __init__(self, root: Path) -> None:
        self._root, self._fresh = root, root.with_name(f".restoring-{root.name}")

    def pack(self, archive: PartWriter, index: PartWriter) -> Kept:
        """Write all files and their list. Raises BACKUP_NOT_WRITTEN."""
        return stores.pack(self._root, archive, index)

    def holds(self, key: str) -> bool:
        """Tell whether there is a file of this key."""
        return (self._root / _name(key)).is_file()

    def check_empty(self, name: str) -> None:
        """Return if nothing is in the directory. Raises RESTORE_TARGET_NOT_EMPTY."""
        stores.check_empty(name, self._root)

    def receive(self, reader: PartReader) -> None:
        """Unpack beside the directory. Raises BACKUP_TAMPERED."""
        shutil.rmtree(self._fresh, ignore_errors=True)
        stores.unpack(reader, self._fresh)

    def received(self) -> Iterator[bytes]:
        """Yield the list of what was unpacked."""
        return stores.lines_of(self._fresh)

    def keep(self) -> None:
        """Make what was unpacked the store."""
        stores.give_name(self._fresh, self._root)

    def undo(self) -> None:
        """Remove what was unpacked and not kept."""
        shutil.rmtree(self._fresh, ignore_errors=True)


class Objects:
    """A store in an object store: nothing refers to what is received until the databases commit."""

    def __init__(self, files: KeptFiles) -> None:
        self._files = files
        self._there: set[str] = set()
        self._placed: list[str] = []

    def pack(self, archive: PartWriter, index: PartWriter) -> Kept:
        """Write all objects, as they are stored, and their list. Raises FILE_STORE_FAILED."""
        listed, ids, size = hashlib.sha256(), set[str](), 0
        self._there.clear()
        with tarfile.open(fileobj=cast("IO[bytes]", archive), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for key in sorted(self._files.keys(), key=_name):
                try:
                    data = self._files.stored(key)
                except Fault as problem:
                    if problem.reason is FILE_NOT_FOUND:
                        continue
                    raise
                tar.addfile(_member(key, len(data)), BytesIO(data))
                entry = _line(key, data)
                listed.update(entry)
                index.write(entry)
                ids |= {key_id_in(data)} - {""}
                self._there.add(key)
                size += len(data)
        return Kept(len(self._there), size, listed.hexdigest(), tuple(sorted(ids)))

    def holds(self, key: str) -> bool:
        """Tell whether the object was packed."""
        return key in self._there

    def check_empty(self, name: str) -> None:
        """Return if there is no object. Raises RESTORE_TARGET_NOT_EMPTY, FILE_STORE_FAILED."""
        if next(iter(self._files.keys()), None) is not None:
            raise RESTORE_TARGET_NOT_EMPTY(found=f"{name} (s3)")

    def receive(self, reader: PartReader) -> None:
        """Put each file of the tar under its key. Raises BACKUP_TAMPERED, FILE_STORE_FAILED."""
        try:
            with tarfile.open(fileobj=cast("IO[bytes]", reader), mode="r|") as tar:
                for member in tar:
                    key, content = member.name.rpartition("/")[2], tar.extractfile(member)
                    if content is None or not FILE_KEY.fullmatch(key) or member.name != _name(key):
                        raise BACKUP_TAMPERED(part="files")
                    self._placed.append(key)  # before it is there: what fails half-way is undone too
                    self._files.place(key, content.read())
        except tarfile.TarError as problem:
            raise BACKUP_TAMPERED(part="files") from problem

    def received(self) -> Iterator[bytes]:
        """Yield the list of what is in the object store now."""
        for key in sorted(self._files.keys(), key=_name):
            yield _line(key, self._files.stored(key))

    def keep(self) -> None:
        """Leave the objects where they are."""
        self._placed.clear()

    def undo(self) -> None:
        """Remove the objects that were put and not kept. Raises FILE_STORE_FAILED."""

        async def remove() -> None:
            while self._placed:
                await self._files.remove(self._placed[-1])
                self._placed.pop()

        asyncio.run(remove())


def _name(key: str) -> str:
    """Return the path of a key in a directory (`chassis.files`), which it has in every backup."""
    return f"{key[-2:]}/{key[-4:-2]}/{key}"


def _line(key: str, data: bytes) -> bytes:
    return stores.line(hashlib.sha256(data).hexdigest(), len(data), _name(key))


def _member(key: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(_name(key))
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member
