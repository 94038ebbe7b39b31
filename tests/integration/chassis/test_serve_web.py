"""The HTTP server in our process: TLS, shared port, and an end that finishes running requests."""

from __future__ import annotations

import asyncio
import ssl

import httpx
import pytest
from fastapi import Request

from chassis.rpc.peer import Peer
from chassis.web import bind, serve_web, web_app
from cli.local.authority import open_authority


def slow_app(entered: asyncio.Event):
    app = web_app("test")

    @app.get("/slow")
    async def slow() -> str:
        entered.set()
        await asyncio.sleep(0.4)
        return "done"

    return app


async def test_a_running_request_is_answered_after_the_stop_and_no_new_one_is_taken() -> None:
    stop, entered = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = asyncio.ensure_future(serve_web(slow_app(entered), "", 0, stop, listener=listener))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        request = asyncio.ensure_future(client.get("/slow"))
        await entered.wait()
        stop.set()
        assert (await request).json() == "done"
        await server
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz")


async def test_a_connection_that_rests_as_long_as_clients_keep_theirs_is_still_answered() -> None:
    stop = asyncio.Event()
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = asyncio.ensure_future(serve_web(slow_app(asyncio.Event()), "", 0, stop, listener=listener))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for rest_seconds in (5.5, 0.0):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        await asyncio.sleep(rest_seconds)
    writer.close()
    stop.set()
    await server


async def test_client_certificates_can_be_demanded(tmp_path) -> None:
    stop = asyncio.Event()
    authority = open_authority(tmp_path)
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    tls = authority.identity(Peer("service", "intake"))
    serving = serve_web(
        slow_app(asyncio.Event()), "", 0, stop, listener=listener, tls=tls, client_certificates=True
    )
    server = asyncio.ensure_future(serving)
    stranger = ssl.create_default_context(cafile=str(authority.root_file))
    known = ssl.create_default_context(cafile=str(authority.root_file))
    terminal = authority.identity(Peer("terminal", "kiosk-7"))
    known.load_cert_chain(terminal.certificate, terminal.key)
    async with httpx.AsyncClient(verify=known) as client:
        assert (await client.get(f"https://127.0.0.1:{port}/healthz")).status_code == 200
    async with httpx.AsyncClient(verify=stranger) as client:
        with pytest.raises((httpx.ReadError, httpx.ConnectError, httpx.RemoteProtocolError)):
            await client.get(f"https://127.0.0.1:{port}/healthz")
    stop.set()
    await server


async def test_two_servers_share_a_port_only_when_both_say_so() -> None:
    with bind("127.0.0.1", 0, reuse_port=True) as first:
        port = first.getsockname()[1]
        bind("127.0.0.1", port, reuse_port=True).close()
        with pytest.raises(OSError):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("trusted", "seen"), [(None, "127.0.0.1"), ("127.0.0.1", "198.51.100.7"), ("10.0.0.0/8", "127.0.0.1")]
)
async def test_only_a_trusted_proxy_says_who_calls(trusted: str | None, seen: str) -> None:
    app = web_app("test")

    @app.get("/who")
    async def who(request: Request) -> str:
        return request.client.host

    stop, listener = asyncio.Event(), bind("127.0.0.1", 0)
    server = asyncio.ensure_future(serve_web(app, "", 0, stop, listener=listener, trusted_proxies=trusted))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
        assert (await client.get("/who", headers={"X-Forwarded-For": "198.51.100.7"})).json() == seen
    stop.set()
    await server


async def test_a_kept_connection_is_told_that_it_ends_before_it_is_closed() -> None:
    stop, listener = asyncio.Event(), bind("127.0.0.1", 0)
    server = asyncio.ensure_future(serve_web(slow_app(asyncio.Event()), "", 0, stop, listener=listener))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
        assert "connection" not in (await client.get("/healthz")).headers
        stop.set()
        await asyncio.sleep(0.1)
        told = await client.get("/healthz")  # on the connection it kept: nobody listens any more
        assert told.status_code == 200
        assert told.headers["connection"] == "close"
        await server


async def test_a_renewed_certificate_is_shown_to_the_next_caller_and_half_a_renewal_to_nobody(
    tmp_path,
) -> None:
    stop, listener = asyncio.Event(), bind("127.0.0.1", 0)
    port, authority = listener.getsockname()[1], open_authority(tmp_path / "own")
    tls = authority.identity(Peer("service", "intake"))
    app = slow_app(asyncio.Event())
    server = asyncio.ensure_future(serve_web(app, "", 0, stop, listener=listener, tls=tls))

    async def shown() -> bytes:
        return (await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))).encode()

    first = tls.certificate.read_bytes()
    assert await shown() == first
    renewed = open_authority(tmp_path / "other").identity(Peer("service", "intake"))
    renewed.certificate.replace(tls.certificate)
    assert await shown() == first
    renewed.key.replace(tls.key)
    assert await shown() == tls.certificate.read_bytes() != first
    stop.set()
    await server
