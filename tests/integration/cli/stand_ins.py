"""A `services` package of stand-ins: real settings, database, bus, mutual TLS and health, no business."""

from __future__ import annotations

from pathlib import Path

SERVICES = ("intake", "certs", "seal", "notify")

_MAIN = """
import asyncio
import sys

if sys.argv[1:] in (["signer"], ["tsa"], ["keep-seals"]):
    from services.seal.beside import stand

    stand(sys.argv[1])
if sys.argv[1:] != ["serve"]:
    sys.exit(0)  # a one-shot job: nothing to do here

import asyncpg
from pydantic_settings import SettingsConfigDict
from chassis.bus import BusConfig, open_bus
from chassis.event import topics
from chassis.readiness import Readiness
from chassis.rpc.server import RpcServer, serve
from chassis.rpc.tls import TlsFiles
from chassis.run import Part, run, run_process
from chassis.settings import ServiceSettings, load
import events


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_{SERVICE}_")


async def main():
    settings = load(Settings)
    connection = await asyncpg.connect(settings.database_dsn.get_secret_value())
    assert await connection.fetchval("SELECT count(*) FROM thing") == 0
    bus = await open_bus(BusConfig(
        settings.bus, "{service}", kafka_bootstrap=settings.kafka_bootstrap,
        postgres_dsn=settings.bus_dsn.get_secret_value(),
    ))
    await bus.require_topics(topics())
    ready = Readiness("serving", ready_file=settings.ready_file)
    server = RpcServer(TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority))

    async def door(stop):
        await serve(server, f"{settings.grpc_host}:{settings.grpc_port}", stop, notice_seconds=0.0)

    ready.set("serving", True)
    return await run([Part("door", door)], ready=ready)


run_process(main)
"""

_BESIDE = """
import os
import sys
from pathlib import Path

from chassis.readiness import Readiness
from chassis.run import Part, run, run_process


def stand(name):
    who = {"signer": "SEALSIGNER", "tsa": "TSA", "keep-seals": "SEALMAKER"}[name]

    async def main():
        ready = Readiness("standing", ready_file=Path(os.environ[f"TONGBAN_{who}_READY_FILE"]))

        async def wait(stop):
            ready.set("standing", True)
            await stop.wait()

        return await run([Part("wait", wait)], ready=ready)

    run_process(main)
"""

_FIRST = """
from alembic import op

revision = "0001"
down_revision = None

def upgrade() -> None:
    op.execute("CREATE TABLE thing (thing_id text PRIMARY KEY)")

def downgrade() -> None:
    op.execute("DROP TABLE thing")
"""


def write_services(directory: Path) -> Path:
    """Write the package; with the directory first on PYTHONPATH it stands in for the real one."""
    package = directory / "services"
    for service in SERVICES:
        versions = package / service / "migrations" / "versions"
        versions.mkdir(parents=True)
        (versions / "0001_first.py").write_text(_FIRST)
        (package / service / "__init__.py").write_text('"""Consumes: CaseSubmitted"""\n')
        main = _MAIN.replace("{service}", service).replace("{SERVICE}", service.upper())
        (package / service / "__main__.py").write_text(main)
    (package / "seal" / "beside.py").write_text(_BESIDE)
    (package / "__init__.py").write_text("")
    return directory
