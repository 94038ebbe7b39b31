"""Two real certs processes with databases and buses of their own, agreed with each other, mirrors between them.

``async with two_registries() as (city, county, mirrors)``; used by the federation's fault tests and its load run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from chassis.bus import TOPIC_PARTITIONS, BusConfig, open_bus
from chassis.event import topics
from chassis.migrate import migrate
from chassis.roles import provision
from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.peer import Peer
from chassis.rpc.tls import TlsFiles
from cli.clients.department import Department
from cli.clients.registry_operator import RegistryOperator
from cli.federation.agreeing import Registry, add_peer, export_file, name_registry
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
from cli.local.postgres import EmbeddedPostgres
from cli.local.prepare import make_bus_tables
from cli.local.services import service_processes
from cli.local.state import StackState
from cli.local.supervisor import Supervisor
from tests.stacks.catalogues import county_catalogue
from tongban.certs.v1 import federation_pb2, licence_pb2, licence_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
CITY, COUNTY = "361100-city", "361123-county"
COUNTIES = {CITY: "361103", COUNTY: "361123"}
"""Whose departments each registry has."""
BUREAUS = {
    CITY: ("11361103TB1000011X", "上饶市广丰区市场监督管理局"),
    COUNTY: ("11361123TB20000139", "玉山县市场监督管理局"),
}
"""Who issues business licences there."""
BUSINESS = "11100000MB0143028R001"
READY_SECONDS = 90.0
STOP_SECONDS = 20.0


@dataclass
class RunningRegistry:
    """One registry: its processes can be stopped and started, its address stays."""

    registry_id: str
    layout: Layout
    state: StackState
    server: EmbeddedPostgres
    supervisor: Supervisor | None = None

    @property
    def address(self) -> str:
        """The gRPC door of certs."""
        return self.state.services["certs"].grpc

    @property
    def files(self) -> Registry:
        """Its place among registries."""
        authority = open_authority(self.layout.certificates)
        return Registry(
            self.layout.federation, self.layout.secrets("certs"), authority, self.state.log_origin
        )

    @property
    def dsn(self) -> str:
        """The database, as its owner."""
        return migrator_dsn(self.layout, self.server.server_dsn, "certs")

    @property
    def bureau(self) -> str:
        """The code of its department that issues business licences."""
        return BUREAUS[self.registry_id][0]

    def identity(self, peer: Peer) -> TlsFiles:
        """Return an identity of its authority."""
        return open_authority(self.layout.certificates).identity(peer)

    def department(self) -> Department:
        """Return its bureau's client."""
        tls = self.identity(Peer("department", self.bureau))
        return Department(self.bureau, tls, {"certs": self.address})

    def operator(self) -> RegistryOperator:
        """Return an operator's client."""
        return RegistryOperator(self.identity(Peer("operator", "test")), self.address)

    async def find(self, holder: str) -> dict[str, dict[str, Any]]:
        """Return what every registry says of a holder, by registry."""
        request = federation_pb2.FindSharedRequest(
            holder_id_type_code="111",
            holder_id_number=holder,
            purpose=licence_pb2.Purpose(
                use_cause="食品经营许可审查",
                basis=licence_pb2.BASIS_STATUTORY_DUTY,
                item_code="item-1",
                case_id="case-1",
            ),
        )
        tls = self.identity(Peer("department", self.bureau))
        found = await RegistryOperator(tls, self.address).find(request)
        return {each["registry_id"]: each for each in found["answers"]}

    async def import_licences(self, holders: Sequence[str], first_serial: int) -> list[str]:
        """Return the ids of one new licence for each holder, imported by its issuer."""
        rows = [
            (number, business_licence(self.registry_id, holder, f"2026{first_serial + number:06d}"))
            for number, holder in enumerate(holders, 1)
        ]

        async def messages() -> AsyncIterator[list[tuple[int, dict[str, str]]]]:
            yield rows

        async with self.department() as department:
            return [each.licence_id async for each in department.import_rows(new_batch(), messages())]

    async def revoke(self, licence_id: str) -> None:
        """Have the issuer revoke a licence."""
        tls = self.identity(Peer("department", self.bureau))
        peer = open_channel(self.address, service_peer("certs"), tls)
        try:
            stub = licence_pb2_grpc.LicenceServiceStub(peer.channel)
            purpose = licence_pb2.Purpose(use_cause="核查", basis=licence_pb2.BASIS_STATUTORY_DUTY)
            held = await peer.call(
                stub.GetLicence, licence_pb2.GetLicenceRequest(licence_id=licence_id, purpose=purpose)
            )
            await peer.call(
                stub.ChangeLicenceStatus,
                licence_pb2.ChangeLicenceStatusRequest(
                    request_id=new_batch(),
                    licence_id=licence_id,
                    etag=held.licence.etag,
                    status=licence_pb2.LICENCE_STATUS_REVOKED,
                    reason="发现申请材料虚假",
                    basis_document="饶市监撤〔2026〕1号",
                    operator="李四",
                    second_person="王五",
                ),
            )
        finally:
            await peer.close()

    async def replica_of(self, licence_id: str) -> str | None:
        """Return the status of a licence in this registry's replica, read beside the service."""
        found = await self.query(
            "select status from replica_licence where licence_id = $1::text::uuid", licence_id
        )
        return str(found) if found else None

    async def status(self, registry_id: str) -> dict[str, Any]:
        """Return how the replica of a registry is, empty before it is."""
        found = await self.operator().replicas()
        return next((each for each in found if each["registry_id"] == registry_id), {})

    async def query(self, statement: str, *values: object) -> Any:
        """Return one value of the database, read beside the service."""
        connection = await asyncpg.connect(self.dsn)
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    async def start(self) -> None:
        """Have database and certs run. Raises RuntimeError with the process's last words."""
        await asyncio.to_thread(self.server.start, passwords(self.layout)["postgres"])
        write_dsns(self.layout, self.server.server_dsn)
        if not (self.layout.home / "prepared").is_file():
            await self._prepare()
        await self.start_certs()

    async def start_certs(self) -> None:
        """Have certs run."""
        processes = service_processes(self.layout, self.state)
        self.supervisor = Supervisor([each for each in processes if each.name == "certs"], lambda: None)
        self.supervisor.start()
        late = await self.supervisor.wait_ready(READY_SECONDS)
        if late:
            raise RuntimeError(f"{late}: {self.layout.log('certs').read_text()[-3000:]}")

    async def stop_certs(self) -> None:
        """Have certs gone; its database goes on."""
        if self.supervisor is not None:
            await self.supervisor.stop()
            self.supervisor = None

    async def stop(self) -> None:
        """Have everything gone."""
        await self.stop_certs()
        await asyncio.to_thread(self.server.stop)

    async def _prepare(self) -> None:
        import events  # noqa: F401 - declares the topics

        dsn = self.server.server_dsn
        await provision(admin_dsn(self.layout, dsn), ("certs", "bus"), passwords(self.layout))
        await migrate("certs", self.dsn)
        await make_bus_tables(migrator_dsn(self.layout, dsn, "bus"))
        bus = await open_bus(BusConfig("postgres", "test", postgres_dsn=bus_app_dsn(self.layout, dsn)))
        await bus.create_topics(topics(), TOPIC_PARTITIONS)
        await bus.close()
        (self.layout.home / "prepared").touch()


@dataclass
class Mirrors:
    """The mirror processes, by the id of the registry that they bring messages to."""

    homes: dict[str, Path]
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(self, source: str, target: str) -> None:
        """Have messages of one registry brought to the other."""
        ready = self.homes[target] / f"mirror-{source}.ready"
        ready.unlink(missing_ok=True)
        arguments = ["federation", "mirror", "--ready-file", str(ready)]
        arguments += ["--from", str(self.homes[source]), "--to", str(self.homes[target])]
        log = (self.homes[target] / f"mirror-{source}.log").open("wb")
        self.running[target] = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", *arguments),
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env=child_environment(),
        )
        log.close()
        async with asyncio.timeout(READY_SECONDS):
            while not ready.exists():
                if self.running[target].returncode is not None:
                    raise RuntimeError((self.homes[target] / f"mirror-{source}.log").read_text())
                await asyncio.sleep(0.05)

    async def stop(self, target: str) -> None:
        """Cut what brings messages to a registry."""
        process = self.running.pop(target, None)
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), STOP_SECONDS)


def child_environment() -> dict[str, str]:
    """Return our environment with this checkout first on the path."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "gen"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path}


def agree(
    first: Registry, second: Registry, addresses: Sequence[str], type_codes: Sequence[str] = (BUSINESS,)
) -> None:
    """Have two registries exchange their files, twice: the second ones carry certificates."""
    sides = list(zip((first, second), addresses, strict=True))
    for _ in range(2):
        for (one, address), (other, _) in (sides, sides[::-1]):
            signed, fingerprint = export_file(one, address)
            add_peer(other, signed, fingerprint, type_codes, type_codes)


@asynccontextmanager
async def two_registries() -> AsyncIterator[tuple[RunningRegistry, RunningRegistry, Mirrors]]:
    """Run a city's and a county's registry for the block."""
    home = Path(tempfile.mkdtemp(prefix="tbreg"))
    made: list[RunningRegistry] = []
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        for registry_id, name in ((CITY, "a"), (COUNTY, "b")):
            layout = Layout(home / name)
            layout.make()
            make_secrets(layout)
            catalogue = county_catalogue(home / f"{name}-catalogue", COUNTIES[registry_id])
            state = describe(layout, Wanted(catalogue))
            one = RunningRegistry(registry_id, layout, state, EmbeddedPostgres(layout.postgres))
            name_registry(one.files, registry_id, registry_id)
            made.append(one)
        city, county = made
        agree(city.files, county.files, [city.address, county.address])
        for one in made:
            stack.push_async_callback(one.stop)
            await one.start()
        mirrors = Mirrors({each.registry_id: each.layout.home for each in made})
        for source, target in ((CITY, COUNTY), (COUNTY, CITY)):
            stack.push_async_callback(mirrors.stop, target)
            await mirrors.start(source, target)
        yield city, county, mirrors


def business_licence(registry_id: str, holder: str, serial: str) -> dict[str, str]:
    """Return a business licence as a registry's bureau imports it."""
    from standards.identifiers import build_licence_identifier

    bureau, name = BUREAUS[registry_id]
    return {
        "ZZMC": "营业执照",
        "ZZLXDM": BUSINESS,
        "ZZBH": serial,
        "ZZBS": build_licence_identifier(BUSINESS, bureau, serial),
        "ZZBFJG": name,
        "ZZBFJGDM": bureau,
        "ZZBFRQ": "2024-03-05",
        "CZZT": "丰小玉",
        "CZZTDM": holder,
        "CZZTDMLXDM": "111",
        "ZZYXQJZRQ": "长期",
        "KZ_MC": "广丰区丰小玉餐饮店",
        "KZ_TYSHXYDM": "92361103MA0000000A",
        "KZ_LX": "个体工商户",
        "KZ_FDDBR": "丰小玉",
        "KZ_JYFW": "餐饮服务",
        "KZ_CLRQ": "2024-03-05",
        "KZ_ZS": "江西省上饶市广丰区永丰街道一号",
    }


def new_batch() -> str:
    """Return the id of an import batch."""
    return str(uuid.uuid4())
