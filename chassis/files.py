"""Files by content: stored under a name made from their bytes, checked when read back.

No name, type or date of a caller is kept with the bytes; what a file is stands in the database row
that refers to it. Another store (`chassis.object_files`, S3) implements the same port.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from chassis.errors import Fault, Kind, declare
from chassis.fields import FieldCipher

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Largest stored file: a scanned bundle at 300 dpi; whole files pass through memory."""

FILE_NOT_FOUND = declare("FILE_NOT_FOUND", Kind.NOT_FOUND, "文件不存在", "No such file")
FILE_BROKEN = declare(
    "FILE_BROKEN", Kind.INTERNAL, "文件 {file} 与其摘要不符", "File {file} does not match its digest"
)
FILE_TOO_LARGE = declare(
    "FILE_TOO_LARGE", Kind.INVALID_ARGUMENT, "文件超过 {limit_bytes} 字节", "More than {limit_bytes} bytes"
)
FILE_STORE_FAILED = declare(
    "FILE_STORE_FAILED", Kind.UNAVAILABLE, "文件存储不可用", "The file store is unavailable"
)

FILE_KEY = re.compile(r"[0-9a-f]{64}")
ENCRYPTED_AS = "file"
"""The field under which a store encrypts."""
BEGINNING_BYTES = 64
"""Enough of a ciphertext to tell its key."""


class FileStore(Protocol):
    """Where bytes are kept; keys are SHA-256 in hex."""

    async def put(self, data: bytes) -> str:
        """Keep bytes durably and return their key; the same bytes again are the same key."""
        ...

    async def get(self, key: str) -> bytes:
        """Return the bytes of a key, checked. Raises FILE_NOT_FOUND, FILE_BROKEN."""
        ...

    async def remove(self, key: str) -> None:
        """Have the bytes gone; the caller knows that nothing refers to them."""
        ...


class KeptFiles(FileStore, Protocol):
    """A file store with what a rotation of keys needs; these calls block."""

    def keys(self) -> Iterator[str]:
        """Yield the key of every file; what is added meanwhile may be missed."""
        ...

    def beginning(self, key: str) -> bytes:
        """Return the first bytes as they are stored. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
        ...

    def stored(self, key: str) -> bytes:
        """Return the bytes as they are stored, unchecked. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
        ...

    def place(self, key: str, stored: bytes) -> None:
        """Have under a key what `stored` gave once. Raises FILE_NOT_FOUND for no key, FILE_STORE_FAILED."""
        ...

    def rewrite(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Replace what is stored under a key by what ``change`` makes of it, in one step.

        Raises FILE_NOT_FOUND, FILE_STORE_FAILED, and what ``change`` raises; then nothing changed.
        """
        ...

    def rewrap(self, key: str) -> None:
        """Have a file under the newest field key. Raises FILE_NOT_FOUND, FILE_BROKEN, FILE_STORE_FAILED."""
        ...


class DirectoryStore:
    """A directory; files are spread over 65,536 folders by the last four digits of their key.

    With a cipher the bytes on disk are encrypted; the key is still the digest of what they mean.
    """

    def __init__(self, root: Path, cipher: FieldCipher | None = None) -> None:
        self._root, self._cipher = root, cipher

    async def put(self, data: bytes) -> str:
        """Write, flush to disk, then give the name. Raises FILE_TOO_LARGE, FILE_STORE_FAILED."""
        if len(data) > MAX_FILE_BYTES:
            raise FILE_TOO_LARGE(limit_bytes=MAX_FILE_BYTES)
        return await asyncio.to_thread(self._put, data)

    async def get(self, key: str) -> bytes:
        """Return the bytes of a key. Raises FILE_NOT_FOUND, FILE_BROKEN, FILE_STORE_FAILED."""
        return await asyncio.to_thread(self._get, key)

    async def remove(self, key: str) -> None:
        """Have the file gone. Raises FILE_STORE_FAILED."""
        try:
            await asyncio.to_thread(self._path(key).unlink, missing_ok=True)
        except OSError as problem:
            raise FILE_STORE_FAILED() from problem

    def keys(self) -> Iterator[str]:
        """Yield the key of every file; what is added meanwhile may be missed."""
        for path in self._root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            if FILE_KEY.fullmatch(path.name):
                yield path.name

    def beginning(self, key: str) -> bytes:
        """Return the first bytes as they are on disk. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
        with self._reading(), self._path(key).open("rb") as file:
            return file.read(BEGINNING_BYTES)

    def stored(self, key: str) -> bytes:
        """Return the bytes as they are on disk, unchecked. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
        with self._reading():
            return self._path(key).read_bytes()

    def place(self, key: str, stored: bytes) -> None:
        """Have under a key what `stored` gave once. Raises FILE_NOT_FOUND for no key, FILE_STORE_FAILED."""
        with self._reading():
            _write_durably(self._path(key), stored)

    def rewrite(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Replace what is on disk under a key by what ``change`` makes of it, in one step.

        Raises FILE_NOT_FOUND, FILE_STORE_FAILED, and what ``change`` raises; then nothing changed.
        """
        data = change(self.stored(key))
        with self._reading():
            if not self._path(key).exists():  # removed meanwhile: it must not come back
                raise FILE_NOT_FOUND()
            _write_durably(self._path(key), data)

    def rewrap(self, key: str) -> None:
        """Have a file under the newest field key. Raises FILE_NOT_FOUND, FILE_BROKEN, FILE_STORE_FAILED."""
        cipher = self._cipher
        assert cipher is not None, "this store does not encrypt"
        self.rewrite(key, lambda _: cipher.encrypt_bytes(self._get(key), field=ENCRYPTED_AS))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise FILE_NOT_FOUND() from None
        except OSError as problem:
            raise FILE_STORE_FAILED() from problem

    def _put(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        path = self._path(key)
        try:
            if not self._holds(path, data):  # a rotten copy is replaced
                _write_durably(
                    path, self._cipher.encrypt_bytes(data, field=ENCRYPTED_AS) if self._cipher else data
                )
        except OSError as problem:
            raise FILE_STORE_FAILED() from problem
        return key

    def _get(self, key: str) -> bytes:
        path = self._path(key)
        try:
            data = self._read(path)
        except FileNotFoundError:
            raise FILE_NOT_FOUND() from None
        except OSError as problem:
            raise FILE_STORE_FAILED() from problem
        except Fault as problem:
            raise FILE_BROKEN(file=key) from problem
        if hashlib.sha256(data).hexdigest() != key:
            raise FILE_BROKEN(file=key)
        return data

    def _holds(self, path: Path, data: bytes) -> bool:
        try:
            return path.exists() and self._read(path) == data
        except Fault:
            return False

    def _read(self, path: Path) -> bytes:
        data = path.read_bytes()
        return self._cipher.decrypt_bytes(data, field=ENCRYPTED_AS) if self._cipher else data

    def _path(self, key: str) -> Path:
        if not FILE_KEY.fullmatch(key):  # also what keeps a path from outside out
            raise FILE_NOT_FOUND()
        return self._root / key[-2:] / key[-4:-2] / key


def _write_durably(path: Path, data: bytes) -> None:
    """Leave either the whole file under its name, on disk, or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=".fresh-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(fresh).unlink(missing_ok=True)
        raise
    for folder in (path.parent, path.parent.parent, path.parent.parent.parent):
        _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
