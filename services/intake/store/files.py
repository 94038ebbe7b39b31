"""Uploaded files at rest: encrypted, since a scan of a card is as personal as its number."""

from __future__ import annotations

import asyncio

from chassis.fields import FieldCipher
from chassis.files import FileStore

FILE_FIELD = "file"


class EncryptedFiles:
    """The port ``Files`` over a store that sees ciphertext only; equal files have unequal ids."""

    def __init__(self, store: FileStore, cipher: FieldCipher) -> None:
        self._store, self._cipher = store, cipher

    async def put(self, data: bytes) -> str:
        """Keep bytes durably and return their id. Raises FILE_TOO_LARGE, FILE_STORE_FAILED."""
        return await self._store.put(await asyncio.to_thread(self._seal, data))

    async def get(self, key: str) -> bytes:
        """Return the bytes of an id. Raises FILE_NOT_FOUND, FILE_BROKEN, FIELD_UNREADABLE."""
        return await asyncio.to_thread(self._open, await self._store.get(key))

    def _seal(self, data: bytes) -> bytes:
        return self._cipher.encrypt_bytes(data, field=FILE_FIELD)

    def _open(self, sealed: bytes) -> bytes:
        return self._cipher.decrypt_bytes(sealed, field=FILE_FIELD)
