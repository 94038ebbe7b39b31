"""Encrypted parts: bytes go through gzip and age into a file, and back, in pieces; memory stays flat.

age is a synchronous library, so it runs in a thread behind a pipe; the pipe is what holds the producer
back when the disk is slower.
"""

from __future__ import annotations

import hashlib
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pyrage

from cli.operations.faults import (
    BACKUP_IDENTITY_UNREADABLE,
    BACKUP_IDENTITY_WRONG,
    BACKUP_NOT_WRITTEN,
    BACKUP_RECIPIENT_MALFORMED,
    BACKUP_TAMPERED,
)
from cli.operations.manifest import Part

CHUNK_BYTES = 1 << 18
_GZIP = 31  # zlib's window bits for a gzip frame
_LEVEL = 1  # documents and pictures are compressed already; a backup should not cost the CPU a service needs


def recipient(text: str) -> pyrage.x25519.Recipient:
    """Return an operator's public key. Raises BACKUP_RECIPIENT_MALFORMED."""
    try:
        return pyrage.x25519.Recipient.from_str(text.strip())
    except pyrage.RecipientError as problem:
        raise BACKUP_RECIPIENT_MALFORMED() from problem


def read_identity(path: Path) -> pyrage.x25519.Identity:
    """Return the private key of an age identity file. Raises BACKUP_IDENTITY_UNREADABLE."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        line = next(each for each in lines if each.startswith("AGE-SECRET-KEY-"))
        return pyrage.x25519.Identity.from_str(line.strip())
    except (OSError, UnicodeDecodeError, StopIteration, pyrage.IdentityError) as problem:
        raise BACKUP_IDENTITY_UNREADABLE(path=path) from problem


def make_identity(path: Path) -> str:
    """Write a new identity where nothing is, readable by its owner only; return the public key."""
    identity = pyrage.x25519.Identity.generate()
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(f"# public key: {identity.to_public()}\n{identity}\n")
    except OSError as problem:
        raise BACKUP_IDENTITY_UNREADABLE(path=path) from problem
    return str(identity.to_public())


class _Sink:
    """A file that knows the digest of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


class PartWriter:
    """Writes one part; ``with`` it, `write` the plain bytes, read `part` afterwards."""

    def __init__(self, root: Path, path: str, to: pyrage.x25519.Recipient) -> None:
        self._root, self._path, self._to = root, path, to
        self._problem: Exception | None = None
        self.part: Part | None = None

    def __enter__(self) -> Self:
        source, target = os.pipe()
        self._thread = threading.Thread(target=self._encrypt, args=(source,), daemon=True)
        self._thread.start()
        self._pipe = os.fdopen(target, "wb", buffering=0)
        self._gzip = zlib.compressobj(_LEVEL, wbits=_GZIP)
        return self

    def write(self, data: bytes) -> int:
        """Take plain bytes. Raises BACKUP_NOT_WRITTEN."""
        self._push(self._gzip.compress(data))
        return len(data)

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._push(self._gzip.flush())
        finally:
            self._pipe.close()
            self._thread.join()
        if self._problem is not None and kind is None:
            raise BACKUP_NOT_WRITTEN(cause=self._problem) from self._problem

    def _push(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._pipe.write(view) :]
        except OSError as problem:
            self._thread.join()
            raise BACKUP_NOT_WRITTEN(cause=self._problem or problem) from problem

    def _encrypt(self, source: int) -> None:
        try:
            with os.fdopen(source, "rb") as plain, (self._root / self._path).open("xb") as file:
                sink = _Sink(file)
                pyrage.encrypt_io(plain, sink, [self._to])
                file.flush()
                os.fsync(file.fileno())
            self.part = Part(path=self._path, size_bytes=sink.size, sha256=sink.digest.hexdigest())
        except (OSError, pyrage.EncryptError) as problem:
            self._problem = problem


@contextmanager
def reading(root: Path, part: Part, identity: pyrage.x25519.Identity) -> Iterator[Callable[[], bytes]]:
    """Yield a function that returns the next plain bytes, empty at the end.

    Raises BACKUP_IDENTITY_WRONG, BACKUP_TAMPERED.
    """
    source, target = os.pipe()
    problems: list[Exception] = []

    def decrypt() -> None:
        try:
            with os.fdopen(target, "wb") as plain, (root / part.path).open("rb") as file:
                pyrage.decrypt_io(file, plain, [identity])
        except BrokenPipeError:
            pass  # whoever read had enough
        except (OSError, pyrage.DecryptError) as problem:
            problems.append(problem)

    thread = threading.Thread(target=decrypt, daemon=True)
    thread.start()
    gunzip = zlib.decompressobj(_GZIP)
    with os.fdopen(source, "rb") as pipe:

        def following() -> bytes:
            while True:
                packed = pipe.read(CHUNK_BYTES)
                if not packed:
                    thread.join()
                    _refuse(part, problems, complete=gunzip.eof)
                    return b""
                try:
                    plain = gunzip.decompress(packed)
                except zlib.error as problem:
                    raise BACKUP_TAMPERED(part=part.path) from problem
                if plain:
                    return plain

        yield following
    thread.join()


def _refuse(part: Part, problems: list[Exception], *, complete: bool) -> None:
    if any(isinstance(each, pyrage.DecryptError) for each in problems):
        raise BACKUP_IDENTITY_WRONG() from problems[0]
    if problems or not complete:
        raise BACKUP_TAMPERED(part=part.path)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
