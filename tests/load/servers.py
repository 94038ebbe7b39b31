"""The servers a measurement stands on: PostgreSQL as the local stack runs it (fsync on), a real Kafka."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from chassis.errors import Fault
from chassis.roles import dsn_for
from cli.local.kafka import start_kafka
from cli.local.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "bench-only"
END_SECONDS = 20.0
ANSWER = b"> "
"""Begins the lines of a child that are answers; the others are its log."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory that is gone afterwards. Its path is short: a socket lies in it."""
    directory = Path(tempfile.mkdtemp(prefix="tbload"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@asynccontextmanager
async def postgres() -> AsyncIterator[str]:
    """The superuser's DSN of a fresh server."""
    with scratch() as directory:
        server = EmbeddedPostgres(directory / "pg")
        await asyncio.to_thread(server.start, PASSWORD)
        try:
            yield dsn_for(server.server_dsn, database="postgres", user="postgres", password=PASSWORD)
        finally:
            await asyncio.to_thread(server.stop)


@asynccontextmanager
async def kafka() -> AsyncIterator[str | None]:
    """The address of a fresh broker; None where this machine has none."""
    with scratch() as directory:
        try:
            broker = await asyncio.to_thread(start_kafka, directory)
        except Fault:
            yield None
            return
        try:
            yield broker.bootstrap
        finally:
            await asyncio.to_thread(broker.stop)


async def create_database(admin_dsn: str, name: str, statements: Sequence[str] = ()) -> str:
    """Create a database, run the statements in it, return its DSN."""
    await _execute(admin_dsn, f'create database "{name}"')
    dsn = dsn_for(admin_dsn, database=name, user="postgres", password=PASSWORD)
    await _execute(dsn, *statements)
    return dsn


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


class Child:
    """A Python process that talks by lines: one request in, one answer out."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def answer(self) -> str:
        """Return its next answer; log lines between are passed over. Raises RuntimeError when it ended."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            if line.startswith(ANSWER):
                return line[len(ANSWER) :].decode().strip()
        raise RuntimeError(f"the process ended with {await self.process.wait()}")

    async def ask(self, line: str) -> str:
        """Send a line and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()
        return await self.answer()


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Run a module as a process for the block; it ends when its input does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=64 * 1024 * 1024,
    )
    try:
        yield Child(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), END_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
