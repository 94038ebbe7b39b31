"""The door's gate: so many at a time, a bounded queue, an early refusal with a time to come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.errors import Fault
from chassis.web.pressure import Bounds, Gate, Pressure

TIGHT = Bounds(running=1, waiting=1, waiting_seconds=0.05, answer_seconds=0.05)


async def test_who_comes_when_the_queue_is_full_is_told_at_once_when_to_come_back() -> None:
    gate = Gate(TIGHT)
    await gate.enter()
    queued = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    with pytest.raises(Fault) as refused:
        await gate.enter()
    assert refused.value.code == "SERVER_BUSY"
    assert refused.value.kind.http_status == 429
    assert refused.value.retry_after_seconds >= 1
    gate.leave()
    await queued
    assert gate.running == 1


async def test_who_waited_too_long_is_refused_and_takes_no_place() -> None:
    gate = Gate(TIGHT)
    await gate.enter()
    with pytest.raises(Fault, match="SERVER_BUSY"):
        await gate.enter()
    gate.leave()
    assert gate.running == 0
    await gate.enter()


async def test_a_caller_that_hangs_up_in_the_queue_takes_no_place() -> None:
    gate = Gate(Bounds(running=1, waiting=5, waiting_seconds=5))
    await gate.enter()
    gone = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gate.leave()  # it is let in at the moment it hangs up
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert gate.running == 0


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_operators_are_answered_however_busy_the_door_is(path: str) -> None:
    pressure = Pressure(answering, bounds=TIGHT)
    await pressure.gate.enter()
    assert await ask(pressure, path) == [200]


async def test_a_request_that_takes_too_long_is_told_so() -> None:
    pressure = Pressure(hanging, bounds=TIGHT)
    with pytest.raises(Fault, match="DEADLINE_PASSED"):
        await ask(pressure, "/v1/cases")
    assert pressure.gate.running == 0


async def test_a_slow_sender_holds_no_place_while_its_body_comes() -> None:
    pressure = Pressure(reading, bounds=TIGHT)
    came = asyncio.Event()

    async def receive() -> dict[str, Any]:
        assert pressure.gate.running == 0
        came.set()
        await asyncio.sleep(0.2)  # far longer than an answer may take: the time of the sender is its own
        return {"type": "http.request", "body": b"x", "more_body": False}

    assert await ask(pressure, "/v1/cases", receive, [(b"content-length", b"1")]) == [200]
    assert came.is_set()
    assert pressure.gate.running == 0


async def test_a_slow_reader_holds_no_place_and_is_not_cut_off() -> None:
    pressure = Pressure(streaming, bounds=TIGHT)
    assert await ask(pressure, "/v1/licences") == [200]
    assert pressure.gate.running == 0


async def answering(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def hanging(_scope: Any, _receive: Any, _send: Any) -> None:
    await asyncio.sleep(10)


async def reading(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await answering(scope, receive, send)


async def streaming(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(0.2)
    await send({"type": "http.response.body", "body": b""})


async def ask(
    pressure: Pressure, path: str, receive: Any = None, headers: list[tuple[bytes, bytes]] | None = None
) -> list[int]:
    """Return the statuses that were sent for one request."""
    sent: list[int] = []

    async def send(message: Any) -> None:
        if "status" in message:
            sent.append(message["status"])

    async def nothing() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    await pressure({"type": "http", "path": path, "headers": headers or []}, receive or nothing, send)
    return sent
