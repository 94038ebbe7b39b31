"""Services' stores over key files that are replaced while they work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chassis.clock import system_clock
from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.keyring import LiveKeyring, new_keyring, write_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
LOOK_SECONDS = 0.02


@dataclass
class Place:
    """One service's database, keyring file and directory; what the key commands need of a runtime."""

    service: str
    dsn: str
    database: Database
    ring: Path
    cipher: FieldCipher
    directory: Path

    @property
    def runtime(self) -> Any:
        settings = SimpleNamespace(field_keys=self.ring, data_dir=self.directory, files=None)
        return SimpleNamespace(
            service=self.service, settings=settings, database=self.database, cipher=self.cipher
        )

    def process(self) -> FieldCipher:
        """The cipher of another process of this service, which notices a new key by itself."""
        return FieldCipher(LiveKeyring(self.ring, look_every_seconds=LOOK_SECONDS), service=self.service)


Open = Callable[[str], Awaitable[Place]]


@pytest.fixture
async def place(fresh_database: Any, tmp_path: Path) -> Any:
    """``await place("intake")``: a migrated database with a keyring file beside it."""
    opened: list[Database] = []

    async def make(service: str) -> Place:
        dsn = await fresh_database()
        await migrate(service, dsn)
        database = await Database.open(
            dsn, now=system_clock, write_events=outbox_writer(f"//tongban/{service}"), max_size=8
        )
        opened.append(database)
        directory = tmp_path / service
        directory.mkdir()
        ring = directory / "field_keys.json"
        write_keyring(ring, new_keyring(NOW))
        cipher = FieldCipher(LiveKeyring(ring, look_every_seconds=LOOK_SECONDS), service=service)
        return Place(service, dsn, database, ring, cipher, directory)

    yield make
    for database in opened:
        await database.close()
