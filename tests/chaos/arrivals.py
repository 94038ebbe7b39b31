"""Load by arrival rate: requests come when they come, however slow the answers are (no coordinated omission)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

CALLER_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a load generator looks at."""

    status: int
    """0 for no answer at all."""
    retry_after: str | None = None


Request = Callable[[], Awaitable[Answer]]


@dataclass(frozen=True)
class Arrival:
    """One request: when it was due, how long after that its answer came, what it was."""

    phase: int
    due: float
    seconds: float
    status: int
    """0 for no answer at all."""
    retry_after: str | None


@dataclass(frozen=True)
class Phase:
    """So many requests a second for so long."""

    per_second: float
    seconds: float


async def drive(phases: Iterable[Phase], request: Request) -> list[Arrival]:
    """Send the phases' requests in turn and return all arrivals in the order they were due."""
    tasks: list[asyncio.Task[Arrival]] = []
    starts = time.monotonic()
    for number, phase in enumerate(phases):
        for count in range(int(phase.per_second * phase.seconds)):
            due = starts + count / phase.per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            tasks.append(asyncio.create_task(_one(number, due, request)))
        starts += phase.seconds
        await asyncio.sleep(max(0.0, starts - time.monotonic()))
    return list(await asyncio.gather(*tasks))


async def ceiling(request: Request, workers: int, seconds: float) -> float:
    """Return how many good answers a second so many callers get who ask as fast as they are answered."""
    ends, good = time.monotonic() + seconds, 0

    async def ask() -> None:
        nonlocal good
        while time.monotonic() < ends:
            answer = await request()
            good += 200 <= answer.status < 300

    await asyncio.gather(*(ask() for _ in range(workers)))
    return good / seconds


def p95(arrivals: Iterable[Arrival]) -> float:
    """Return the 95th percentile of the accepted answers' seconds; 0 without any."""
    found = sorted(each.seconds for each in arrivals if 200 <= each.status < 300)
    return found[min(len(found) - 1, int(0.95 * len(found)))] if found else 0.0


async def post(address: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
    """Send one JSON request on a connection of its own.

    By hand, as an HTTP library takes as long for a request as the server under test: on the cores that both
    share it would be the client whose ceiling is measured.
    """
    host, _, port = address.partition(":")
    content = json.dumps(body).encode()
    lines = {"host": address, "content-type": "application/json", "content-length": str(len(content))}
    head = "".join(
        f"{name}: {value}\r\n" for name, value in {**lines, **headers, "connection": "close"}.items()
    )
    try:
        async with asyncio.timeout(CALLER_SECONDS):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                writer.write(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
                return _answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, EOFError):
        return Answer(0)


def _answer(head: str) -> Answer:
    first, *rest = head.split("\r\n")
    named = dict(line.lower().split(": ", 1) for line in rest if ": " in line)
    return Answer(int(first.split(" ")[1]), named.get("retry-after"))


async def _one(phase: int, due: float, request: Request) -> Arrival:
    answer = await request()
    return Arrival(phase, due, time.monotonic() - due, answer.status, answer.retry_after)
