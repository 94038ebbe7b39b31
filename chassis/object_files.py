"""Files in an object store (S3), behind the same port as the directory and encrypted alike.

An object appears whole or not at all; equal bytes get the same key from every process. A bucket holds
``<prefix>/<service>/<store>/<last two digits>/<key>``; versioning and locks are the bucket's own business.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeAlias

import obstore
from obstore.exceptions import BaseError, NotFoundError, NotSupportedError, PreconditionError
from obstore.store import LocalStore, MemoryStore, S3Store

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.files import (
    BEGINNING_BYTES,
    ENCRYPTED_AS,
    FILE_BROKEN,
    FILE_KEY,
    FILE_NOT_FOUND,
    FILE_STORE_FAILED,
    FILE_TOO_LARGE,
    MAX_FILE_BYTES,
    DirectoryStore,
    KeptFiles,
)
from chassis.settings import FileSettings, ServiceSettings

Objects: TypeAlias = S3Store | LocalStore | MemoryStore

CONNECT_SECONDS = timedelta(seconds=3)
CALL_SECONDS = timedelta(seconds=30)
RETRY_SECONDS = timedelta(seconds=10)
RETRIES = 3


class ObjectFiles:
    """The port ``KeptFiles`` over an object store; see `DirectoryStore` for what a key means."""

    def __init__(self, objects: Objects, cipher: FieldCipher | None = None) -> None:
        self._objects, self._cipher = objects, cipher

    async def put(self, data: bytes) -> str:
        """Store the bytes and return their key. Raises FILE_TOO_LARGE, FILE_STORE_FAILED."""
        if len(data) > MAX_FILE_BYTES:
            raise FILE_TOO_LARGE(limit_bytes=MAX_FILE_BYTES)
        return await asyncio.to_thread(self._put, data)

    async def get(self, key: str) -> bytes:
        """Return the bytes of a key. Raises FILE_NOT_FOUND, FILE_BROKEN, FILE_STORE_FAILED."""
        return await asyncio.to_thread(self._get, key)

    async def remove(self, key: str) -> None:
        """Have the file gone. Raises FILE_STORE_FAILED."""

        def delete() -> None:
            with contextlib.suppress(NotFoundError, FileNotFoundError):
                obstore.delete(self._objects, _path(key))

        with _translated():
            await asyncio.to_thread(delete)

    def keys(self) -> Iterator[str]:
        """Yield the key of every file; what is added meanwhile may be missed. Raises FILE_STORE_FAILED."""
        with _translated():
            for page in obstore.list(self._objects):
                for each in page:
                    key = str(each["path"]).rpartition("/")[2]
                    if FILE_KEY.fullmatch(key):
                        yield key

    def beginning(self, key: str) -> bytes:
        """Return the first bytes as they are stored. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
        with _translated():
            if not obstore.head(self._objects, _path(key))["size"]:
                return b""
            return bytes(obstore.get_range(self._objects, _path(key), start=0, length=BEGINNING_BYTES))

    def stored(self, key: str) -> bytes:
        """Return the bytes as they are stored, unchecked. Raises FILE_NOT_FOUND, FILE_STORE_FAILED."""
        with _translated():
            return bytes(obstore.get(self._objects, _path(key)).bytes())

    def place(self, key: str, stored: bytes) -> None:
        """Have under a key what `stored` gave once. Raises FILE_NOT_FOUND for no key, FILE_STORE_FAILED."""
        with _translated():
            obstore.put(self._objects, _path(key), stored, use_multipart=False)

    def rewrite(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Replace what is stored under a key by what ``change`` makes of it, in one step.

        Raises FILE_NOT_FOUND (also when it was removed meanwhile), FILE_STORE_FAILED, and what ``change`` raises.
        """
        with _translated():
            found = obstore.get(self._objects, _path(key))
            version, old = found.meta, bytes(found.bytes())
        data = change(old)
        with _translated():
            try:
                same = {name: version[name] for name in ("e_tag", "version") if version[name]}
                obstore.put(self._objects, _path(key), data, mode=same, use_multipart=False)  # type: ignore[arg-type]
            except PreconditionError:
                obstore.head(self._objects, _path(key))  # removed meanwhile: it must not come back
                raise
            except (NotSupportedError, NotImplementedError):  # a directory behind the same interface
                obstore.put(self._objects, _path(key), data, use_multipart=False)

    def rewrap(self, key: str) -> None:
        """Have a file under the newest field key. Raises FILE_NOT_FOUND, FILE_BROKEN, FILE_STORE_FAILED."""
        cipher = self._cipher
        assert cipher is not None, "this store does not encrypt"
        self.rewrite(key, lambda old: cipher.encrypt_bytes(self._checked(key, old), field=ENCRYPTED_AS))

    def _put(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        if not self._holds(key):  # a rotten copy is replaced
            sealed = self._cipher.encrypt_bytes(data, field=ENCRYPTED_AS) if self._cipher else data
            with _translated():
                obstore.put(self._objects, _path(key), sealed, use_multipart=False)
        return key

    def _get(self, key: str) -> bytes:
        return self._checked(key, self.stored(key))

    def _holds(self, key: str) -> bool:
        try:
            self._get(key)
        except Fault as problem:
            if problem.reason is FILE_STORE_FAILED:
                raise
            return False
        return True

    def _checked(self, key: str, stored: bytes) -> bytes:
        try:
            data = self._cipher.decrypt_bytes(stored, field=ENCRYPTED_AS) if self._cipher else stored
        except Fault as problem:
            raise FILE_BROKEN(file=key) from problem
        if hashlib.sha256(data).hexdigest() != key:
            raise FILE_BROKEN(file=key)
        return data


def open_files(settings: ServiceSettings, store: str, cipher: FieldCipher | None = None) -> KeptFiles:
    """Return a service's store of that name where the settings say. Nothing is contacted yet."""
    if not settings.files:
        return DirectoryStore(settings.data_dir / store, cipher)
    return ObjectFiles(open_objects(settings, settings.service(), store), cipher)


def open_objects(settings: FileSettings, service: str, store: str) -> S3Store:
    """Return the part of the bucket that is a service's store of that name. Nothing is contacted yet."""
    bucket, _, prefix = (settings.files or "").removeprefix("s3://").partition("/")
    place = "/".join(part for part in (prefix.strip("/"), service, store) if part)
    assert settings.files_key_id is not None, "the settings require it"
    assert settings.files_secret_key is not None, "the settings require it"
    authority = settings.files_authority.read_text() if settings.files_authority else None
    return S3Store(
        bucket,
        prefix=place,
        endpoint=settings.files_endpoint,
        region=settings.files_region,
        access_key_id=settings.files_key_id.get_secret_value(),
        secret_access_key=settings.files_secret_key.get_secret_value(),
        client_options={
            "connect_timeout": CONNECT_SECONDS,
            "timeout": CALL_SECONDS,
            **({"root_certificate": authority} if authority else {}),
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": RETRY_SECONDS},
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError):
        raise FILE_NOT_FOUND() from None
    except (BaseError, OSError) as problem:
        raise FILE_STORE_FAILED() from problem


def _path(key: str) -> str:
    if not FILE_KEY.fullmatch(key):  # also what keeps a path from outside out
        raise FILE_NOT_FOUND()
    return f"{key[-2:]}/{key}"
