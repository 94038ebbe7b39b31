"""Processes that judge and encrypt imported rows, so that an import uses more than one processor.

They are started with the first larger import and ended when none came for a while. A process reads the
field keys itself, from the file that the service reads them from; rows come to it and go back encrypted.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
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

ASIDE_FROM_ROWS = 1_000
"""Fewer rows at a time are prepared in a thread: to start a process, and to keep it, costs more."""
IDLE_SECONDS = 300.0
LOOK_SECONDS = 30.0

log = get_logger(__name__)
_tools: list[tuple[Vault, LicenceTypes]] = []
"""In a worker: its vault and the types."""


class ImportWorkers:
    """The processes of one service process; none until they are needed."""

    def __init__(self, keys: Path, vault: Vault, types: LicenceTypes, processes: int) -> None:
        self._keys, self._vault, self._types, self._processes = keys, vault, types, processes
        self._pool: ProcessPoolExecutor | None = None
        self._used_at = time.monotonic()
        self._known: dict[str, LicenceType] = {}
        """The types as the processes have them."""

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
        self._used_at = time.monotonic()
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._pool_of_now(), _prepare, importer, packed, now)
        return list(map(PreparedRow.of, found))

    def _pool_of_now(self) -> ProcessPoolExecutor:
        """Return processes that know the types as they are now: new ones once a type has changed."""
        types = dict(self._types)
        if self._pool is not None and types != self._known:
            self._pool.shutdown(wait=False)  # ends when it has done what it was given
            self._pool = None
        if self._pool is None:
            self._known = types
            self._pool = ProcessPoolExecutor(
                self._processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=(str(self._keys), types),
            )
        return self._pool

    def _end(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(keys: str, types: Mapping[str, LicenceType]) -> None:
    """Make this process a worker: it ends with its parent, and by nothing else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _tools.append(
        (Vault(FieldCipher(LiveKeyring(Path(keys)), service="certs")), LicenceTypes(types.values()))
    )
    spare_what_stays()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


def _prepare(importer: Importer, packed: bytes, now: datetime) -> list[tuple[Any, ...]]:
    vault, types = _tools[0]
    return [row.plain() for row in prepare_rows(vault, types, importer, messages.unpack_rows(packed), now)]
