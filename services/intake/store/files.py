"""Uploaded files at rest: encrypted, since a scan of a card is as personal as its number.

A file's id is the digest of the ciphertext it was first stored as. Rewrapped, the file keeps its id
and is bound to it by the ciphertext's authenticated context instead.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator

from chassis.errors import Fault
from chassis.fields import FIELD_UNREADABLE, FieldCipher
from chassis.files import FILE_BROKEN, KeptFiles

FILE_FIELD = "file"


class EncryptedFiles:
    """The port ``Files`` over a store that sees ciphertext only; equal files have unequal ids."""

    def __init__(self, store: KeptFiles, cipher: FieldCipher) -> None:
        self._store, self._cipher = store, cipher

    async def put(self, data: bytes) -> str:
        """Keep bytes durably and return their id. Raises FILE_TOO_LARGE, FILE_STORE_FAILED."""
        return await self._store.put(await asyncio.to_thread(self._seal, data))

    async def get(self, key: str) -> bytes:
        """Return the bytes of an id. Raises FILE_NOT_FOUND, FILE_BROKEN, FIELD_UNREADABLE."""
        return await asyncio.to_thread(lambda: self._open(key, self._store.stored(key)))

    async def remove(self, key: str) -> None:
        """Have the file gone; the caller knows that nothing refers to it. Raises FILE_STORE_FAILED."""
        await self._store.remove(key)

    def keys(self) -> Iterator[str]:
        """Yield every id."""
        return self._store.keys()

    def beginning(self, key: str) -> bytes:
        """Return the first bytes of the ciphertext. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
        return self._store.beginning(key)

    def rewrap(self, key: str) -> None:
        """Have a file under the newest field key, its id unchanged.

        Raises FILE_NOT_FOUND, FILE_BROKEN, FILE_STORE_FAILED.
        """

        def change(sealed: bytes) -> bytes:
            return self._cipher.encrypt_bytes(self._open(key, sealed), field=_bound(key))

        self._store.rewrite(key, change)

    def _seal(self, data: bytes) -> bytes:
        return self._cipher.encrypt_bytes(data, field=FILE_FIELD)

    def _open(self, key: str, sealed: bytes) -> bytes:
        first = hashlib.sha256(sealed).hexdigest() == key
        try:
            return self._cipher.decrypt_bytes(sealed, field=FILE_FIELD if first else _bound(key))
        except Fault as problem:
            if first or problem.reason is not FIELD_UNREADABLE:
                raise
            raise FILE_BROKEN(file=key) from problem


def _bound(key: str) -> str:
    return f"{FILE_FIELD}|{key}"
