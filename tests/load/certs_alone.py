"""The real certs by itself, as one process or several: its database, the bus, mutual TLS; no other service runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from chassis.bus import TOPIC_PARTITIONS, BusConfig, open_bus
from chassis.event import topics
from chassis.migrate import migrate
from chassis.roles import provision
from chassis.rpc.peer import Peer
from chassis.rpc.tls import TlsFiles
from cli.local.authority import open_authority
from cli.local.control import Wanted, describe
from cli.local.credentials import (
    admin_dsn,
    bus_app_dsn,
    make_secrets,
    migrator_dsn,
    passwords,
    write_dsns,
)
from cli.local.layout import Layout
from cli.local.ports import LOOPBACK, free_port
from cli.local.postgres import EmbeddedPostgres
from cli.local.prepare import make_bus_tables
from cli.local.services import ServiceProcess, service_processes
from cli.local.supervisor import Supervisor
from tests.load.servers import ROOT, scratch

READY_SECONDS = 60.0


@dataclass(frozen=True)
class CertsAlone:
    """Where its processes listen, and identities to call them with."""

    addresses: tuple[str, ...]
    layout: Layout

    @property
    def address(self) -> str:
        """Where the first process listens."""
        return self.addresses[0]

    def department(self, uscc: str) -> TlsFiles:
        """Return a department's identity."""
        return open_authority(self.layout.certificates).identity(Peer("department", uscc))

    def service(self, name: str) -> TlsFiles:
        """Return a service's identity, to stand in for it."""
        return open_authority(self.layout.certificates).identity(Peer("service", name))


@asynccontextmanager
async def certs_alone(processes: int = 1) -> AsyncIterator[CertsAlone]:
    """Run certs for the block, its database empty at the start; several processes share the database."""
    with scratch() as directory:
        layout = Layout(Path(directory))
        layout.make()
        make_secrets(layout)
        server = EmbeddedPostgres(layout.postgres)
        await asyncio.to_thread(server.start, passwords(layout)["postgres"])
        try:
            await _prepare(layout, server.server_dsn)
            state = describe(layout, Wanted(ROOT / "catalogue"))
            first = next(each for each in service_processes(layout, state) if each.name == "certs")
            described = [first, *(_another(first, number) for number in range(2, processes + 1))]
            supervisor = Supervisor(described, lambda: None)
            supervisor.start()
            try:
                late = await supervisor.wait_ready(READY_SECONDS)
                if late:
                    raise RuntimeError(f"{late}: {layout.log('certs').read_text()[-2000:]}")
                yield CertsAlone(tuple(map(_address, described)), layout)
            finally:
                await supervisor.stop()
        finally:
            await asyncio.to_thread(server.stop)


def _another(first: ServiceProcess, number: int) -> ServiceProcess:
    """Return a further process of the service: its own ports and marks, all else shared."""
    ready = first.ready_file.with_name(f"{first.ready_file.name}-{number}")
    ports = {name: str(free_port()) for name in first.environment if name.endswith("_PORT")}
    return replace(
        first,
        name=f"{first.name}-{number}",
        environment={**first.environment, **ports, "TONGBAN_CERTS_READY_FILE": str(ready)},
        ready_file=ready,
        log=first.log.with_name(f"{number}-{first.log.name}"),
    )


def _address(process: ServiceProcess) -> str:
    return f"{LOOPBACK}:{process.environment['TONGBAN_CERTS_GRPC_PORT']}"


async def _prepare(layout: Layout, server_dsn: str) -> None:
    import events  # noqa: F401 - declares the topics

    write_dsns(layout, server_dsn)
    await provision(admin_dsn(layout, server_dsn), ("certs", "bus"), passwords(layout))
    await migrate("certs", migrator_dsn(layout, server_dsn, "certs"))
    await make_bus_tables(migrator_dsn(layout, server_dsn, "bus"))
    bus = await open_bus(BusConfig("postgres", "load", postgres_dsn=bus_app_dsn(layout, server_dsn)))
    await bus.create_topics(topics(), TOPIC_PARTITIONS)
    await bus.close()
