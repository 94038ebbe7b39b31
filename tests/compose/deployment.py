"""A county's deployment for a test: its own directory, project name, ports; Compose as an operator runs it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.local.jobs import register_terminals
from cli.local.layout import Layout
from cli.local.ports import free_port
from cli.local.state import Endpoints, StackState
from cli.reach import Reach
from deploy import init
from tests.stacks.engine import Engine
from tests.stacks.local import troubles

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "deploy" / "docker-compose.yml"
SANDBOX = Path(__file__).with_name("sandbox.yml")
COUNTY = "测试县"
SERVICES = ("intake", "certs", "seal", "notify")
_DOORS = ("INTAKE_HTTP", "INTAKE_GRPC", "CERTS_GRPC", "CERTS_SHARING", "SEAL_GRPC", "NOTIFY_HTTP")


@dataclass
class Deployment:
    """One deployment on an engine; `make` first, `remove` at the end."""

    engine: Engine
    directory: Path
    version: str
    project: str = field(default_factory=lambda: f"tbtest{uuid.uuid4().hex[:8]}")
    ports: dict[str, int] = field(default_factory=lambda: {door: free_port() for door in _DOORS})

    def make(self) -> None:
        """Have secrets, certificates and terminals as init.py makes them."""
        self.directory.mkdir(parents=True, exist_ok=True)
        init.make_deployment(self.directory, init.Owner.current(), COUNTY)
        environment = self.directory / ".env"
        text = re.sub(r"TONGBAN_VERSION=.*", f"TONGBAN_VERSION={self.version}", environment.read_text())
        doors = "".join(f"TONGBAN_{door}_PORT={port}\n" for door, port in self.ports.items())
        environment.write_text(text + doors)
        self.layout.home.mkdir(exist_ok=True)
        self.layout.certificates.symlink_to(self.directory / "secrets" / "authority")
        register_terminals(self.layout, ROOT / "catalogue")
        for key in self.layout.terminal_keys.iterdir():
            shutil.copy(key, self.directory / "terminal_keys")

    @property
    def layout(self) -> Layout:
        """Where a caller from outside keeps its things; its identities are of the deployment's authority."""
        return Layout(self.directory / "outside")

    def reach(self) -> Reach:
        """Return the deployment as a caller on this machine, outside of its networks, reaches it."""
        at = {door: f"127.0.0.1:{port}" for door, port in self.ports.items()}
        services = {
            "intake": Endpoints(http=f"https://{at['INTAKE_HTTP']}", grpc=at["INTAKE_GRPC"]),
            "certs": Endpoints(http="", grpc=at["CERTS_GRPC"]),
            "seal": Endpoints(http="", grpc=at["SEAL_GRPC"]),
            "notify": Endpoints(http=f"https://{at['NOTIFY_HTTP']}", grpc=""),
        }
        state = StackState(state="ready", bus="kafka", catalogue=ROOT / "catalogue", services=services)
        state.write(self.layout.state_file)
        return Reach(self.layout, state)

    def compose(
        self, *arguments: str, check: bool = True, timeout_seconds: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run ``docker compose …`` on the deployment."""
        files = ("--file", str(COMPOSE_FILE), "--file", str(SANDBOX))
        given = ("--project-name", self.project, "--env-file", str(self.directory / ".env"))
        return self.engine.docker(
            "compose", *files, *given, *arguments, check=check, timeout_seconds=timeout_seconds
        )

    def up(self, *services: str, wait: bool = True) -> float:
        """Start services, or all; return the seconds until every one was ready."""
        began = time.monotonic()
        waiting = ("--wait", "--wait-timeout", "240") if wait else ()
        done = self.compose("up", "--detach", "--no-build", *waiting, *services, check=False)
        if done.returncode:
            raise AssertionError(done.stderr[-400:] + self.said())
        return time.monotonic() - began

    def said(self) -> str:
        """Return the last words of every container that is neither well nor done."""
        ill = [
            each["Service"]
            for each in self.containers()
            if each.get("Health") not in {"", "healthy"}
            or (each["State"], each.get("ExitCode")) == ("exited", 1)
        ]
        return "\n".join(
            f"--- {each}\n{self.compose('logs', '--no-color', '--tail', '25', each, check=False).stdout[-4_000:]}"
            for each in ill
        )

    def complaints(self) -> str:
        """Return what the services logged as wrong, and which ended; what a failed test says of the deployment."""
        return troubles(self.compose("logs", "--no-color", check=False).stdout)

    def containers(self) -> list[dict[str, Any]]:
        """Return what Compose says of each container."""
        lines = self.compose("ps", "--all", "--format", "json").stdout.splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine says of a service's container."""
        name = next(each["Name"] for each in self.containers() if each["Service"] == service)
        found: dict[str, Any] = json.loads(self.engine.docker("inspect", name).stdout)[0]
        return found

    def memory_mib(self) -> float:
        """Return what all containers of the deployment use now."""
        names = [each["Name"] for each in self.containers() if each["State"] == "running"]
        told = self.engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", *names).stdout
        return sum(_mib(line.split("/")[0]) for line in told.splitlines())

    def sql(self, database: str, query: str) -> str:
        """Return what the superuser's psql, on the server itself, answers; rows by line, columns by ``|``."""
        script = 'PGPASSWORD="$(cat /run/secrets/superuser_password)" exec psql -AtX -U postgres "$@"'
        arguments = ("exec", "-T", "postgres", "bash", "-c", script, "psql", "-d", database, "-c", query)
        return self.compose(*arguments).stdout.strip()

    def run(self, *arguments: str, timeout_seconds: float = 300) -> str:
        """Run a one-off container, as an operator does; return what it printed."""
        return self.compose("run", "--rm", "-T", *arguments, timeout_seconds=timeout_seconds).stdout

    def destroy_volumes(self) -> None:
        """Remove every container and every volume of Compose: what a lost disk leaves."""
        self.compose("down", "--volumes", "--timeout", "5")

    def remove(self) -> None:
        """Leave nothing of it."""
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "5", "--remove-orphans", check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


def tables_of(
    deployment: Deployment, database: str, leave_out: Sequence[str] = ()
) -> dict[str, tuple[int, str]]:
    """Return the number of rows and a hash over all of them for each table of a database."""
    names = deployment.sql(database, "select relname from pg_stat_user_tables order by 1").split()
    query = " union all ".join(
        f"select '{name}', count(*), coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '')"
        f" from public.{name} t"
        for name in names
        if name not in leave_out
    )
    rows = (line.split("|") for line in deployment.sql(database, query).splitlines())
    return {name: (int(count), digest) for name, count, digest in rows}


def _mib(text: str) -> float:
    number, unit = re.fullmatch(r"\s*([\d.]+)\s*([KMG]i?B|B)\s*", text).groups()  # type: ignore[union-attr]
    return float(number) * {"B": 2**-20, "KiB": 2**-10, "MiB": 1, "GiB": 1024, "kB": 2**-10}[unit]
