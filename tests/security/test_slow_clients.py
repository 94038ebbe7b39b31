"""Clients that take their time, and clients that lie about where they come from, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from chassis.web import bind, patience, serve_web, web_app
from chassis.web.patience import PatientProtocol


def app() -> FastAPI:
    made = web_app("test")

    @made.get("/who")
    async def who(request: Request) -> list[str]:
        return [request.client.host, request.url.scheme]

    @made.post("/body")
    async def body(request: Request) -> int:
        return len(await request.body())

    @made.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(0.8)
        return "done"

    return made


@pytest.fixture
async def port(monkeypatch) -> AsyncIterator[int]:
    monkeypatch.setattr(PatientProtocol, "header_seconds", 0.4)
    monkeypatch.setattr(
        patience.PatientBody.__init__, "__kwdefaults__", {"gap_seconds": 0.4, "body_seconds": 1.2}
    )
    stop, listener = asyncio.Event(), bind("127.0.0.1", 0)
    server = asyncio.ensure_future(serve_web(app(), "", 0, stop, listener=listener, max_connections=20))
    yield listener.getsockname()[1]
    stop.set()
    await server


async def drip(port: int, pieces: list[bytes], pause: float) -> bytes:
    """Send pieces slowly; return what the server said before it hung up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = bytearray()

    async def listen() -> None:
        while data := await reader.read(65_536):
            said.extend(data)

    listening = asyncio.ensure_future(listen())
    for each in pieces:
        if not listening.done():
            writer.write(each)
            await asyncio.wait([listening], timeout=pause)
    await asyncio.wait([listening], timeout=5)
    writer.close()
    if listening.done():
        listening.exception()  # a reset is an end too
    else:
        listening.cancel()
        said.extend(b"(still open)")
    return bytes(said)


async def test_headers_that_never_end_end_the_connection(port: int) -> None:
    began = asyncio.get_running_loop().time()
    lines = [b"GET /who HTTP/1.1\r\n", *(f"X-{n}: y\r\n".encode() for n in range(20))]
    assert await drip(port, lines, 0.1) == b""
    assert asyncio.get_running_loop().time() - began < 4


async def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    assert await drip(port, [], 0) == b""


async def test_the_next_request_of_a_kept_connection_has_the_same_time(port: int) -> None:
    first = b"GET /who HTTP/1.1\r\nHost: t\r\n\r\n"
    answered = await drip(port, [first, b"GET /who HT"], 0.1)
    assert answered.count(b"HTTP/1.1 200") == 1


async def test_a_slow_answer_is_no_slow_client(port: int) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/slow")).text == '"done"'


@pytest.mark.parametrize("pause", [0.7, 0.25], ids=["with a gap", "byte by byte"])
async def test_a_body_that_drips_is_refused(port: int, pause: float) -> None:
    head = b"POST /body HTTP/1.1\r\nHost: t\r\nContent-Type: application/octet-stream\r\nContent-Length: 50\r\n\r\n"
    answer = await drip(port, [head, *[b"x"] * 8], pause)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"BODY_TOO_SLOW" in answer
    assert b"(still open)" not in answer


async def test_a_crowd_of_slow_clients_does_not_keep_others_out_for_long(port: int) -> None:
    crowd = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
    for _, writer in crowd:
        writer.write(b"GET / HTTP/1.1\r\n")
    await asyncio.sleep(0.7)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/who")).status_code == 200
    for _, writer in crowd:
        writer.close()


async def test_headers_over_sixteen_kilobytes_are_refused(port: int) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{port}/who", headers={"x-long": "y" * 70_000})
    assert (answer.status_code, answer.json()["code"]) == (431, "HEADERS_TOO_LARGE")


async def test_where_a_request_comes_from_is_not_for_the_client_to_say(port: int) -> None:
    said = {
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-proto": "https",
        "forwarded": "for=203.0.113.9;proto=https",
        "x-real-ip": "203.0.113.9",
        "x-forwarded-host": "evil.example",
        "true-client-ip": "203.0.113.9",
    }
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"http://127.0.0.1:{port}/who", headers=said)).json() == [
            "127.0.0.1",
            "http",
        ]
