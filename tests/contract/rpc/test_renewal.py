"""Renewed certificates are taken over while calls run: shown by servers and clients, no call fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from chassis.errors import Fault
from chassis.rpc import renewing
from chassis.rpc.channel import PeerChannel, open_channel
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer, ServerLimits
from chassis.rpc.tls import TlsFiles, channel_credentials
from cli.local.authority import Authority, open_authority
from tests.contract.rpc.conftest import SERVER, Stubs
from tests.contract.rpc.test_calls import servicer_of

pytestmark = [pytest.mark.promise("P17")]
CLIENT = Peer("service", "intake")
BRIEF = ServerLimits(max_connection_age_seconds=0.3, connection_age_grace_seconds=5)
"""Connections end soon, so that a server's new certificate is met soon."""


@dataclass
class Here:
    """A server and a client with certificates of their own directory."""

    authority: Authority
    server: TlsFiles
    client: TlsFiles
    channel: PeerChannel
    stub: Any
    messages: Any
    port: int
    seen: set[int]

    async def echo(self) -> int:
        await self.channel.call(self.stub.EchoText, self.messages.EchoTextRequest(text="x"))
        return 1


@pytest.fixture
async def here(stubs: Stubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Here]:
    # A second's wait per look would make these tests slow; the path is the same.
    monkeypatch.setitem(renewing.RenewingChannel.__init__.__kwdefaults__, "look_every_seconds", 0.02)
    authority = open_authority(tmp_path)
    seen: set[int] = set()

    async def echo(messages: Any, request: Any, context: Any) -> Any:
        shown = x509.load_pem_x509_certificate(context.auth_context()["x509_pem_cert"][0])
        seen.add(shown.serial_number)
        return messages.EchoTextResponse(text=request.text)

    async def slow_counts(messages: Any, request: Any, _context: Any) -> Any:
        for count in range(request.until):
            await asyncio.sleep(0.1)
            yield messages.WatchCountsResponse(count=count)

    server = RpcServer(authority.identity(SERVER), limits=BRIEF)
    servicer = servicer_of(stubs, EchoText=echo, WatchCounts=slow_counts)
    server.register(stubs.services.add_ProbeServiceServicer_to_server, servicer)
    port = await server.start("127.0.0.1:0")
    client = authority.identity(CLIENT)
    channel = open_channel(f"127.0.0.1:{port}", SERVER, client)
    stub = stubs.services.ProbeServiceStub(channel.channel)
    yield Here(authority, authority.identity(SERVER), client, channel, stub, stubs.messages, port, seen)
    await channel.close()
    await server.drain(notice_seconds=0, grace_seconds=0.2)


def renew(authority: Authority, peer: Peer) -> TlsFiles:
    """Issue the identity anew, in the order key, certificate, as a careful operator does not."""
    files = authority.identity(peer)
    files.certificate.unlink()
    return authority.identity(peer)


def serial_in(files: TlsFiles) -> int:
    return x509.load_pem_x509_certificate(files.certificate.read_bytes()).serial_number


async def shown_by(port: int, client: TlsFiles) -> int:
    """Return the serial number of the certificate that the server shows on a new connection."""
    context = ssl.create_default_context(cafile=str(client.authority))
    context.load_cert_chain(client.certificate, client.key)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=SERVER.host_name
    )
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(found).serial_number


async def test_renewed_certificates_are_shown_under_load_and_no_call_fails(
    here: Here, record_property: Any
) -> None:
    done, stop = 0, asyncio.Event()

    async def call() -> None:
        nonlocal done
        while not stop.is_set():
            done += await here.echo()

    async def watch() -> int:
        request = here.messages.WatchCountsRequest(until=15)
        return len([each async for each in here.channel.stream(here.stub.WatchCounts, request)])

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(call())
        running = group.create_task(watch())  # begun on the first connection, ended long after the renewals
        before = {serial_in(here.server), serial_in(here.client)}
        for _ in range(3):
            await asyncio.sleep(0.4)
            renew(here.authority, SERVER)
            renew(here.authority, CLIENT)
        newest = serial_in(here.server), serial_in(here.client)
        async with asyncio.timeout(5):
            while newest[1] not in here.seen:
                await asyncio.sleep(0.05)
        assert await shown_by(here.port, here.client) == newest[0]
        assert before.isdisjoint(newest)
        assert await running == 15
        stop.set()
    assert len(here.seen) >= 2
    record_property("measured", f"{done} calls during 3 renewals of both sides, 0 failed")


async def test_a_half_replaced_pair_is_not_shown_but_what_was_shown_before(here: Here) -> None:
    old = serial_in(here.server)
    kept = {path: path.read_bytes() for path in (here.server.key, here.client.key)}
    for peer in (SERVER, CLIENT):
        renew(here.authority, peer)
    fresh = {path: path.read_bytes() for path in kept}
    for path, content in kept.items():  # the new certificates beside the old keys
        path.write_bytes(content)
    with pytest.raises(ValueError, match="belong together"):
        channel_credentials(here.client)
    for _ in range(5):
        await here.echo()
        await asyncio.sleep(0.1)
    for path, content in fresh.items():
        path.write_bytes(content)
    await asyncio.sleep(0.1)
    await here.echo()
    assert serial_in(here.server) != old
    assert await shown_by(here.port, here.client) == serial_in(here.server)
    assert serial_in(here.client) in here.seen


async def test_a_certificate_of_the_same_age_and_a_removed_one_are_told_apart(here: Here) -> None:
    times = {path: path.stat().st_mtime_ns for path in here.server.paths}
    renew(here.authority, SERVER)
    import os

    for path, moment in times.items():
        os.utime(path, ns=(moment, moment))
    assert await shown_by(here.port, here.client) == serial_in(here.server)
    here.client.certificate.unlink()
    for _ in range(3):
        await asyncio.sleep(0.05)
        await here.echo()


async def test_a_stranger_is_refused_after_a_renewal_as_before(here: Here, tmp_path: Path) -> None:
    renew(here.authority, SERVER)
    stranger = open_authority(tmp_path / "other").identity(CLIENT)
    channel = open_channel(f"127.0.0.1:{here.port}", SERVER, stranger)
    stub = type(here.stub)(channel.channel)
    with pytest.raises(Fault, match="PEER_UNAVAILABLE"):
        await channel.call(stub.EchoText, here.messages.EchoTextRequest(text="x"), timeout_seconds=2)
    await channel.close()
