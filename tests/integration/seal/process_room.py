"""The real jobs and the real serving process of one seal installation, with its signer and its TSA. Not a test module."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from chassis.auth import new_signing_key, write_jwks
from chassis.bus import BusConfig, open_bus
from chassis.clock import system_clock
from chassis.event import topics
from chassis.keyring import new_keyring
from chassis.messaging_schema import BUS_V1
from chassis.rpc.channel import PeerChannel, open_channel, service
from chassis.rpc.peer import Peer
from cli.local.authority import open_authority
from cli.local.ports import free_port
from tests.integration.seal.signer_room import SignerProcess, signer_process
from tests.integration.seal.stamping_servers import TsaProcess
from tongban.certs.v1 import licence_pb2, licence_pb2_grpc

ROOT = Path(__file__).parents[3]
DEPARTMENT = "11361103TB1000011X"


@dataclass
class Stack:
    """One seal installation in a directory."""

    home: Path
    database_dsn: str
    bus_dsn: str
    grpc: str
    http_port: int
    certs: str
    signer_socket: str
    tsa: TsaProcess

    def __post_init__(self) -> None:
        self.authority = open_authority(self.home / "certificates")
        write_jwks([new_signing_key()], self.home / "token_keys.json")
        (self.home / "field_keys.json").write_text(new_keyring(system_clock()))

    def environment(self, side: str) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TONGBAN_")}
        common = {
            "TONGBAN_SECRETS_DIR": str(self.home / "nowhere"),
            "TONGBAN_CATALOGUE_DIR": str(ROOT / "catalogue"),
        }
        if side == "maker":
            own = {
                "DATABASE_DSN": self.database_dsn,
                "MAKER_KEYSTORE_KEY": "m" * 43,
                "MAKER_DIR": str(self.home / "maker"),
                "TSA_EXCHANGE_DIR": str(self.tsa.exchange),
            }
            return {**plain, **common, **{f"TONGBAN_SEALMAKER_{name}": value for name, value in own.items()}}
        tls = self.authority.identity(service("seal"))
        own = {
            "DATABASE_DSN": self.database_dsn, "MIGRATOR_DSN": self.database_dsn, "SIGNER_SOCKET": self.signer_socket,
            "BUS": "postgres", "BUS_DSN": self.bus_dsn, "ENVIRONMENT": "development",
            "GRPC_PORT": self.grpc.rpartition(":")[2], "HTTP_PORT": str(self.http_port),
            "CERTS_ADDRESS": self.certs, "FIELD_KEYS": str(self.home / "field_keys.json"),
            "TOKEN_KEYS": str(self.home / "token_keys.json"),
            "TLS_CERTIFICATE": str(tls.certificate), "TLS_KEY": str(tls.key), "TLS_AUTHORITY": str(tls.authority),
            "READY_FILE": str(self.home / "ready"), "TIMESTAMPERS": self.tsa.address, "LEDGER_STAMP_SECONDS": "0.5",
        }  # fmt: skip
        return {**plain, **common, **{f"TONGBAN_SEAL_{name}": value for name, value in own.items()}}

    def job(self, word: str, side: str = "signing") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.seal", word],
            cwd=ROOT, env=self.environment(side), capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def channel(self, peer: Peer) -> PeerChannel:
        return open_channel(self.grpc, service("seal"), self.authority.identity(peer))


@pytest.fixture
def signer() -> Iterator[SignerProcess]:
    with signer_process() as running:
        yield running


@pytest.fixture
async def stack(fresh_database, tmp_path: Path, signer: SignerProcess) -> Stack:
    bus_dsn = await fresh_database(BUS_V1)
    import events  # noqa: F401

    bus = await open_bus(BusConfig("postgres", "test", postgres_dsn=bus_dsn))
    await bus.create_topics(topics(), 2)
    await bus.close()
    return Stack(
        tmp_path,
        await fresh_database(),
        bus_dsn,
        f"127.0.0.1:{free_port()}",
        free_port(),
        f"127.0.0.1:{free_port()}",
        str(signer.socket),
        TsaProcess(tmp_path),
    )


@pytest.fixture
def prepared(stack: Stack) -> Stack:
    stack.tsa.job("make-tsa-keys")
    for word, side in (("migrate", "signing"), ("make-keys", "signing"), ("make-seals", "maker")):
        done = stack.job(word, side)
        assert done.returncode == 0, done.stdout + done.stderr
    return stack


@pytest.fixture
def serving(prepared: Stack) -> Iterator[Stack]:
    prepared.tsa.start()
    log = (prepared.home / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "services.seal", "serve"],
        cwd=ROOT, env=prepared.environment("signing"), stdout=log, stderr=log,
    )  # fmt: skip
    try:
        end = time.monotonic() + 20
        while not (prepared.home / "ready").exists():
            assert process.poll() is None, (prepared.home / "log").read_text()
            assert time.monotonic() < end, (prepared.home / "log").read_text()
            time.sleep(0.05)
        yield prepared
    finally:
        process.terminate()
        status = process.wait(30)
        log.close()
        prepared.tsa.stop()
    assert status == 0, (prepared.home / "log").read_text()


def certs_with(document: bytes) -> object:
    """LicenceService that hands out one document; whatever else is asked of it is a mistake."""

    class Certs(licence_pb2_grpc.LicenceServiceServicer):
        async def GetUnsealedDocument(self, request, context):
            return licence_pb2.GetUnsealedDocumentResponse(
                ofd=document, issuer_code=DEPARTMENT, case_id="case-1", seal_x_mm=130, seal_y_mm=220
            )

    async def not_asked(self, request, context):
        raise AssertionError

    for method in licence_pb2.DESCRIPTOR.services_by_name["LicenceService"].methods:
        if method.name != "GetUnsealedDocument":
            setattr(Certs, method.name, not_asked)
    return Certs()
