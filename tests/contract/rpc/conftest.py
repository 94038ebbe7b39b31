"""A service of test methods over real mutual TLS; its stubs are compiled when the tests start."""

from __future__ import annotations

import importlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from grpc_tools import protoc

from chassis.auth import ActingPerson, TokenSigner, TokenVerifier, new_signing_key, public_keys
from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer, ServerLimits
from cli.local.authority import Authority, open_authority

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ISSUER = "https://intake.example"
SERVER = Peer("service", "certs")


@dataclass(frozen=True)
class Stubs:
    """The generated modules of the test protos."""

    messages: ModuleType
    services: ModuleType


@pytest.fixture(scope="session")
def stubs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stubs]:
    """Compile the test protos and import what comes out."""
    import tongban

    target = tmp_path_factory.mktemp("gen")
    protos = HERE / "protos"
    name = "tongban/testing/v1/probe"
    arguments = [f"--proto_path={protos}", f"--proto_path={ROOT / 'proto'}", f"--proto_path={_google()}"]
    assert (
        protoc.main(
            ["protoc", *arguments, f"--python_out={target}", f"--grpc_python_out={target}", f"{name}.proto"]
        )
        == 0
    )
    for package in ("testing", "testing/v1"):
        (target / "tongban" / package / "__init__.py").write_text("")
    tongban.__path__.append(str(target / "tongban"))
    yield Stubs(
        importlib.import_module("tongban.testing.v1.probe_pb2"),
        importlib.import_module("tongban.testing.v1.probe_pb2_grpc"),
    )
    tongban.__path__.remove(str(target / "tongban"))
    for module in [module for module in sys.modules if module.startswith("tongban.testing")]:
        del sys.modules[module]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A development authority."""
    return open_authority(tmp_path_factory.mktemp("authority"))


@dataclass(frozen=True)
class Person:
    """A person who can log in, and the checker of the tokens."""

    signer: TokenSigner
    verifier: TokenVerifier
    person: ActingPerson

    @property
    def token(self) -> str:
        """A fresh token."""
        return self.signer.sign(self.person)


@pytest.fixture(scope="session")
def person() -> Person:
    """A logged-in person."""
    key = new_signing_key()
    return Person(
        TokenSigner(key, ISSUER),
        TokenVerifier(public_keys([key]), ISSUER),
        ActingPerson("person-1", 2, terminal_id="kiosk-7", session_id="session-1"),
    )


@dataclass
class Running:
    """A started server and how to reach it."""

    server: RpcServer
    port: int
    authority: Authority
    stubs: Stubs
    stack: AsyncExitStack

    def channel(
        self, kind: str, name: str, *, limit_seconds: float = 5.0, expect: Peer = SERVER
    ) -> PeerChannel:
        """Return a channel of a client with this identity."""
        tls = self.authority.identity(Peer(kind, name))  # type: ignore[arg-type]
        opened = open_channel(f"127.0.0.1:{self.port}", expect, tls, limit_seconds=limit_seconds)
        self.stack.push_async_callback(opened.close)
        return opened

    def stub(self, channel: PeerChannel) -> Any:
        """Return the stub of the test service on a channel."""
        return self.stubs.services.ProbeServiceStub(channel.channel)


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(stubs: Stubs, authority: Authority, person: Person) -> AsyncIterator[Start]:
    """``running = await start(servicer)``: serve it until the test ends."""
    async with AsyncExitStack() as stack:

        async def run(servicer: object, *, limits: ServerLimits | None = None, admit: Any = None) -> Running:
            server = RpcServer(
                authority.identity(SERVER), verifier=person.verifier, limits=limits, admit=admit
            )
            server.register(stubs.services.add_ProbeServiceServicer_to_server, servicer)
            port = await server.start("127.0.0.1:0")
            stack.push_async_callback(server.drain, notice_seconds=0, grace_seconds=0.2)
            return Running(server, port, authority, stubs, stack)

        yield run


def _google() -> Path:
    import grpc_tools

    return Path(grpc_tools.__file__).parent / "_proto"
