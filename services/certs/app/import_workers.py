"""Processes that judge and encrypt imported rows, so that an import uses more than one processor.

They are started with the first larger import and ended when none came for a while. A process reads the
field keys itself, from the file that the service reads them from; rows come to it and go back encrypted.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from functools import lru_cache
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from chassis.collecting import spare_what_stays
from chassis.fields import FieldCipher
from chassis.keyring import LiveKeyring
from chassis.logs import get_logger
from chassis.run import Part
from services.certs.domain.licence_type import LicenceType, LicenceTypes
from services.certs.rpc import messages
from services.certs.store import Vault
from services.certs.usecases.importing import Importer, PreparedRow, prepare_rows

ASIDE_FROM_ROWS = 200
"""Fewer rows are prepared in a thread: to start a process costs more."""
IDLE_SECONDS = 300.0
LOOK_SECONDS = 30.0

log = get_logger(__name__)
_vault: list[Vault] = []
"""In a worker: its vault."""


class ImportWorkers:
    """The processes of one service process; none until they are needed."""

    def __init__(self, keys: Path, vault: Vault, types: LicenceTypes, processes: int) -> None:
        self._keys, self._vault, self._types, self._processes = keys, vault, types, processes
        self._pool: ProcessPoolExecutor | None = None
        self._used_at = time.monotonic()
        self._sent: tuple[dict[str, LicenceType], bytes] = ({}, pickle.dumps({}))

    async def prepare(self, importer: Importer, rows: messages.WireRows, now: datetime) -> list[PreparedRow]:
        """Return a chunk's rows judged and encrypted. A worker that dies costs its chunk only time."""
        if self._processes and len(rows.rows) >= ASIDE_FROM_ROWS:
            try:
                return await self._aside(importer, messages.pack_rows(rows), now)
            except BrokenProcessPool:
                log.warning("import_worker_died")
                self._end()
        read = messages.import_rows(rows)
        return await asyncio.to_thread(prepare_rows, self._vault, self._types, importer, read, now)

    def part(self) -> Part:
        """Return the part of the service that ends the processes: when nothing comes, and with the service."""

        async def run(stop: asyncio.Event) -> None:
            while not stop.is_set():
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await stop.wait()
                except TimeoutError:
                    if time.monotonic() - self._used_at > IDLE_SECONDS:
                        self._end()
            self._end()

        return Part("import-workers", run)

    async def _aside(self, importer: Importer, packed: bytes, now: datetime) -> list[PreparedRow]:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(str(self._keys),),
            )
        self._used_at = time.monotonic()
        loop, types = asyncio.get_running_loop(), self._packed_types()
        found = await loop.run_in_executor(self._pool, _prepare, importer, packed, types, now)
        return list(map(PreparedRow.of, found))

    def _packed_types(self) -> bytes:
        """Return the types as they are now; they are packed again only once one has changed."""
        types = dict(self._types)
        if types != self._sent[0]:
            self._sent = types, pickle.dumps(types)
        return self._sent[1]

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(keys: str) -> None:
    """Make this process a worker: it ends with its parent, and by nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _vault.append(Vault(FieldCipher(LiveKeyring(Path(keys)), service="certs")))
    spare_what_stays()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


@lru_cache(maxsize=1)
def _types_of(packed: bytes) -> LicenceTypes:
    types: dict[str, LicenceType] = pickle.loads(packed)  # noqa: S301 - from the parent, over its own pipe
    return LicenceTypes(types.values())


def _prepare(importer: Importer, packed: bytes, types: bytes, now: datetime) -> list[tuple[Any, ...]]:
    rows = messages.unpack_rows(packed)
    return [row.plain() for row in prepare_rows(_vault[0], _types_of(types), importer, rows, now)]
