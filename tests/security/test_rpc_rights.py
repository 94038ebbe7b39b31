"""The authorisation matrix of gRPC: every method of every service × every kind of caller and token.

The methods come from the descriptors, the server is the real one with mutual TLS; behind the guard
stands a servicer that only answers, so that a call that passes is seen to have passed. Whose object a
department may touch is asked of the real services in tests/e2e/bad_input/test_departments.py.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass

from chassis.auth import (
    ActingPerson,
    TokenSigner,
    TokenVerifier,
    new_signing_key,
    public_keys,
    sign_assertion,
)
from chassis.auth.documents import DocumentSigner
from chassis.clock import system_clock
from chassis.rpc.access import Method, methods_of
from chassis.rpc.channel import service
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from chassis.rpc.suspended import SuspendedCallers, fingerprint
from chassis.rpc.tls import channel_credentials
from cli.local.authority import Authority, open_authority
from tests.security.rights import ROLES, RPC

pytestmark = [pytest.mark.promise("P24")]
ISSUER = "tongban-intake"
PEERS = {
    "department": Peer("department", "11361103MB0000001A"),
    "operator": Peer("operator", "op-1"),
    "terminal": Peer("terminal", "KIOSK-361123-01"),
    "registry": Peer("registry", "361123-county"),
    **{name: Peer("service", name) for name in ("intake", "certs", "seal", "notify")},
}
IDENTITIES = {**PEERS, "administrator": Peer("administrator", "system")}  # type: ignore[arg-type]
"""With an identity of a kind that no caller has, though our authority issued it."""


def services() -> Iterator[tuple[Any, Any]]:
    """Yield (service descriptor, its generated grpc module) of every contract."""
    for name in ("certs", "intake", "notify", "seal", "common"):
        package = importlib.import_module(f"tongban.{name}.v1")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name.endswith("_pb2"):
                found = importlib.import_module(f"{package.__name__}.{module.name}")
                for each in found.DESCRIPTOR.services_by_name.values():
                    yield each, importlib.import_module(f"{package.__name__}.{module.name}_grpc")


ALL = [(descriptor, methods_of(descriptor.full_name)) for descriptor, _ in services()]
METHODS = [method for _, methods in ALL for method in methods.values()]


def row(method: Method) -> str:
    return method.path.removeprefix("/tongban.").replace(".v1.", ".")


def test_every_method_has_its_row_and_no_row_is_left_over() -> None:
    assert {row(each) for each in METHODS} == set(RPC)


@dataclass
class Bench:
    port: int
    suspended: Path
    pause: asyncio.Event
    authority: Authority
    signer: TokenSigner
    stack: AsyncExitStack
    key: Any

    def __post_init__(self) -> None:
        self.channels: dict[str, grpc.aio.Channel] = {}

    def channel(self, peer: str) -> grpc.aio.Channel:
        """Return the connection of a caller."""
        if peer not in self.channels:
            credentials = channel_credentials(self.authority.identity(IDENTITIES[peer]))
            options = [("grpc.ssl_target_name_override", service("certs").host_name)]
            self.channels[peer] = grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options)
            self.stack.push_async_callback(self.channels[peer].close)
        return self.channels[peer]

    async def call(self, method: Method, peer: str, token: str | None) -> str:
        """Return "OK" or the status of one call."""
        channel = self.channel(peer)
        descriptor = next(d for d, methods in ALL if method in methods.values()).methods_by_name[method.name]
        request = GetMessageClass(descriptor.input_type)()
        if method.has_request_id:
            request.request_id = "018f0000-0000-7000-8000-000000000001"
        metadata = (("authorization", f"Bearer {token}"),) if token else ()
        return await attempt(channel, method.path, descriptor, request, metadata)


ATTEMPTS = 5
CUT_OFF = "INTERNAL"
"""What a client reads whose stream was refused while it still sent: the answer may be lost under HTTP/2's reset."""


async def attempt(channel: Any, path: str, descriptor: Any, request: Any, metadata: Any) -> str:
    parse = GetMessageClass(descriptor.output_type).FromString
    kinds = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, True): channel.stream_stream,
        (True, False): channel.stream_unary,
    }
    kind = descriptor.client_streaming, descriptor.server_streaming
    stub = kinds[kind](path, request_serializer=type(request).SerializeToString, response_deserializer=parse)
    for _ in range(ATTEMPTS):
        given = iter([request]) if descriptor.client_streaming else request
        status = await _status(stub, given, metadata, streams=descriptor.server_streaming)
        if status != CUT_OFF:
            return status
    return CUT_OFF


async def _status(stub: Any, given: Any, metadata: Any, *, streams: bool) -> str:
    try:
        made = stub(given, metadata=metadata, timeout=10)
        if streams:
            async for _ in made:
                pass
        else:
            await made
    except grpc.aio.AioRpcError as problem:
        return str(problem.code().name)
    return "OK"


def answering(descriptor: Any, pause: asyncio.Event) -> object:
    """Return a servicer whose every method answers with an empty message, a stream with two and a pause between."""

    def unary(each: Any) -> Any:
        async def answer(self: object, request: Any, context: Any) -> Any:
            return GetMessageClass(each.output_type)()

        return answer

    def streaming(each: Any) -> Any:
        async def answer(self: object, request: Any, context: Any) -> AsyncIterator[Any]:
            yield GetMessageClass(each.output_type)()
            await pause.wait()
            yield GetMessageClass(each.output_type)()

        return answer

    made = {each.name: (streaming if each.server_streaming else unary)(each) for each in descriptor.methods}
    return type(descriptor.name, (), made)()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
async def bench(authority: Authority, tmp_path: Path) -> AsyncIterator[Bench]:
    key, suspended, pause = new_signing_key(), tmp_path / "suspended_callers.txt", asyncio.Event()
    pause.set()
    async with AsyncExitStack() as stack:
        server = RpcServer(
            authority.identity(PEERS["certs"]),
            verifier=TokenVerifier(public_keys([key]), ISSUER),
            suspended=SuspendedCallers(suspended),
            reflect=False,
        )
        for descriptor, module in services():
            server.register(
                getattr(module, f"add_{descriptor.name}Servicer_to_server"), answering(descriptor, pause)
            )
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.drain, notice_seconds=0, grace_seconds=0.2)
        yield Bench(port, suspended, pause, authority, TokenSigner(key, ISSUER), stack, key)


PERSON = ActingPerson("018f0000-0000-7000-8000-0000000000aa", 2, terminal_id="K", session_id="s")


def tokens(bench: Bench) -> dict[str, str]:
    """Return bearers that must all be refused, each wrong in one thing."""
    long_ago = TokenSigner(bench.key, ISSUER, now=lambda: system_clock().replace(year=2024))
    ahead = TokenSigner(bench.key, ISSUER, now=lambda: system_clock().replace(year=2040))
    body, signature = bench.signer.sign(PERSON).rsplit(".", 1)
    header, claims = body.split(".")
    none = "eyJhbGciOiJub25lIiwidHlwIjoidG9uZ2Jhbi1wZXJzb24rand0In0"
    return {
        "expired": long_ago.sign(PERSON),
        "not yet valid": ahead.sign(PERSON),
        "wrong audience": bench.signer.sign(PERSON, audience="another-system"),
        "wrong issuer": TokenSigner(bench.key, "someone-else").sign(PERSON),
        "another key": TokenSigner(new_signing_key(), ISSUER).sign(PERSON),
        "a terminal's assertion": sign_assertion(bench.key, "K", audience="tongban", now=system_clock()),
        "a receipt": DocumentSigner(bench.key).sign_document({"sub": "x"}, kind="receipt"),
        "no algorithm": f"{none}.{claims}.",
        "a changed claim": f"{header}.{claims[:-4]}AAAA.{signature}",
        "no token": "x",
    }


@pytest.mark.parametrize("method", METHODS, ids=row)
async def test_a_method_opens_to_its_callers_and_to_no_other(bench: Bench, method: Method) -> None:
    callers, person = RPC[row(method)]
    good = bench.signer.sign(PERSON)
    for peer in PEERS:
        allowed = peer in callers.split()
        assert await bench.call(method, peer, good) == ("OK" if allowed else "PERMISSION_DENIED"), peer
        alone = "PERMISSION_DENIED" if not allowed else "UNAUTHENTICATED" if person else "OK"
        assert await bench.call(method, peer, None) == alone, f"{peer} without a person"


@pytest.mark.parametrize("method", METHODS, ids=row)
async def test_a_suspended_caller_is_refused_everywhere_on_its_next_call(
    bench: Bench, method: Method
) -> None:
    callers, _ = RPC[row(method)]
    good = bench.signer.sign(PERSON)
    for peer, identity in PEERS.items():
        before = await bench.call(method, peer, good)
        bench.suspended.write_text(f"# by hand\n{identity}  until they call\n")
        assert await bench.call(method, peer, good) == "PERMISSION_DENIED", peer
        assert await bench.call(method, peer, None) == "PERMISSION_DENIED", peer
        bench.suspended.write_text("department/another\n")
        assert await bench.call(method, peer, good) == before, "and let in again"
        assert (before == "OK") is (peer in callers.split())


@pytest.mark.parametrize("method", METHODS, ids=row)
async def test_a_suspended_certificate_is_refused_and_another_one_is_not(
    bench: Bench, method: Method, tmp_path: Path
) -> None:
    peer, good = RPC[row(method)][0].split()[0], bench.signer.sign(PERSON)
    assert await bench.call(method, peer, good) == "OK"
    files = bench.authority.identity(PEERS[peer])
    bench.suspended.write_text(f"certificate/{fingerprint(files.certificate.read_text())}\n")
    assert await bench.call(method, peer, good) == "PERMISSION_DENIED"
    bench.suspended.write_text(f"certificate/{'0' * 64}\n")
    assert await bench.call(method, peer, good) == "OK"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("method", METHODS, ids=row)
async def test_an_administrators_role_opens_nothing(bench: Bench, method: Method, role: str) -> None:
    callers, _ = RPC[row(method)]
    token = bench.signer.sign(replace(PERSON, roles=(role,)))
    for peer in set(PEERS) - set(callers.split()):
        assert await bench.call(method, peer, token) == "PERMISSION_DENIED", peer
    assert await bench.call(method, "administrator", token) == "UNAUTHENTICATED"
    assert await bench.call(method, "administrator", None) == "UNAUTHENTICATED"


async def test_an_open_stream_ends_when_its_caller_is_suspended(bench: Bench) -> None:
    method = next(each for each in METHODS if row(each) == "intake.PartService/WatchParts")
    channel = bench.channel("department")
    descriptor = next(d for d, methods in ALL if method in methods.values()).methods_by_name[method.name]
    stub = channel.unary_stream(
        method.path,
        request_serializer=GetMessageClass(descriptor.input_type).SerializeToString,
        response_deserializer=GetMessageClass(descriptor.output_type).FromString,
    )
    answered = stub(GetMessageClass(descriptor.input_type)(), timeout=10)
    bench.pause.clear()
    assert await answered.read() is not grpc.aio.EOF
    bench.suspended.write_text(f"{PEERS['department']}\n")
    bench.pause.set()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await answered.read()
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_list_of_suspended_callers_holds_whatever_becomes_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "suspended_callers.txt"
    listed, department = SuspendedCallers(path), PEERS["department"]
    assert not listed.holds(department, {}), "no file, nobody"
    path.write_text(f"nonsense here\n{department} since yesterday\n")
    assert listed.holds(department, {}), "a line that says nothing takes nothing away from the others"
    path.unlink()
    assert listed.holds(department, {}), "a file that vanished lets nobody in again"
    path.write_text("")
    assert not listed.holds(department, {})


@pytest.mark.parametrize("method", METHODS, ids=row)
async def test_a_wrong_token_opens_nothing_not_even_where_none_is_needed(
    bench: Bench, method: Method
) -> None:
    peer = RPC[row(method)][0].split()[0]
    for what, token in tokens(bench).items():
        assert await bench.call(method, peer, token) == "UNAUTHENTICATED", what


async def test_without_a_certificate_of_our_authority_nothing_is_reached(bench: Bench, tmp_path) -> None:
    root = grpc.ssl_channel_credentials(bench.authority.root_file.read_bytes())
    stranger = open_authority(tmp_path).identity(PEERS["intake"])
    mixed = grpc.ssl_channel_credentials(
        bench.authority.root_file.read_bytes(), stranger.key.read_bytes(), stranger.certificate.read_bytes()
    )
    descriptor = ALL[0][0].methods[0]
    for credentials in (root, mixed):
        options = [("grpc.ssl_target_name_override", service("certs").host_name)]
        async with grpc.aio.secure_channel(f"127.0.0.1:{bench.port}", credentials, options) as channel:
            request = GetMessageClass(descriptor.input_type)()
            path = f"/{ALL[0][0].full_name}/{descriptor.name}"
            assert await attempt(channel, path, descriptor, request, ()) == "UNAVAILABLE"


def test_time_passes() -> None:
    """A token that was good is remembered no longer than it lives."""
    key, now = new_signing_key(), [system_clock()]
    verifier = TokenVerifier(public_keys([key]), ISSUER, now=lambda: now[0])
    token = TokenSigner(key, ISSUER, now=lambda: now[0]).sign(PERSON, lifetime_seconds=1)
    assert verifier.verify(token).person_id == PERSON.person_id
    now[0] = now[0].fromtimestamp(time.time() + 5, now[0].tzinfo)
    with pytest.raises(Exception, match="NOT_AUTHENTICATED"):
        verifier.verify(token)
