"""Back-pressure at the door: so many requests at a time, a short queue, and an early refusal beyond it.

A process that takes in all that comes answers everybody too late (bar N3, N4). Who is refused here is
told at once when to come back; who is let in is answered about as fast as ever.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import DEADLINE_PASSED, Kind, declare
from chassis.telemetry import counter

SERVER_BUSY = declare(
    "SERVER_BUSY",
    Kind.RESOURCE_EXHAUSTED,
    "办理人数较多，请稍后再试",
    "Too busy at the moment; try again later",
)
REFUSED = counter("http_server_busy", "Requests refused because too many were waiting", ("reason",))
ALWAYS_ANSWERED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What tells an operator or a supervisor that we are busy must not be refused for it."""
RETRY_AFTER_SECONDS = (1.0, 4.0)
"""At random within, so that those refused together do not come back together."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one process takes on."""

    running: int = 32
    """Requests worked on at a time: a few for each database connection, so that none is idle."""
    waiting: int = 32
    waiting_seconds: float = 0.5
    """Longest time in the queue; whoever is not let in by then is refused."""
    answer_seconds: float = 25.0
    """From the whole request's arrival to the first byte of its answer; then DEADLINE_PASSED."""


class Gate:
    """Counts who is inside, and has others wait their turn for a bounded time."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._queue: deque[asyncio.Future[None]] = deque()
        self.running = 0

    async def enter(self) -> None:
        """Be inside. Raises SERVER_BUSY at once when the queue is full, or when its time is over."""
        if self.running < self._bounds.running and not self._queue:
            self.running += 1
            return
        if len(self._queue) >= self._bounds.waiting:
            raise self._busy("queue_full")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            async with asyncio.timeout(self._bounds.waiting_seconds):
                await turn
        except TimeoutError:
            self._forget(turn)
            raise self._busy("waited_too_long") from None
        except asyncio.CancelledError:
            self._forget(turn)
            raise

    def come_back(self) -> None:
        """Be inside again at once, after a pause of one's own making."""
        self.running += 1

    def leave(self) -> None:
        """Make room for the next in the queue."""
        self.running -= 1
        while self._queue and self.running < self._bounds.running:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self.running += 1

    def _forget(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():  # let in at the very moment it gave up
            self.leave()
        elif turn in self._queue:
            self._queue.remove(turn)

    @staticmethod
    def _busy(cause: str) -> Exception:
        REFUSED.labels(cause).inc()
        return SERVER_BUSY(retry_after_seconds=random.uniform(*RETRY_AFTER_SECONDS))  # noqa: S311 - jitter


class Pressure:
    """The middleware inside the boundary, which renders what this one raises."""

    def __init__(self, app: ASGIApp, *, bounds: Bounds | None = None) -> None:
        self._app, self._bounds = app, bounds or Bounds()
        self.gate = Gate(self._bounds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI), or refuse it."""
        if scope["type"] != "http" or scope["path"] in ALWAYS_ANSWERED:
            await self._app(scope, receive, send)
            return
        await self.gate.enter()
        visit = _Visit(self.gate, receive, send, self._bounds.answer_seconds)
        try:
            async with asyncio.timeout(None) as visit.limit:
                if not _has_body(scope):
                    visit.begin_to_wait()
                await self._app(scope, visit.receive, visit.send)
        except TimeoutError:
            if visit.limit is not None and visit.limit.expired():
                raise DEADLINE_PASSED() from None
            raise
        finally:
            visit.end()


@dataclass(slots=True)
class _Visit:
    """One request inside; a slow sender or reader at the other end takes no place away."""

    gate: Gate
    raw_receive: Receive
    raw_send: Send
    answer_seconds: float
    limit: asyncio.Timeout | None = None
    inside: bool = True

    async def receive(self) -> Message:
        """Wait for the next piece of the request outside the gate."""
        was_inside = self.inside
        self.end()
        try:
            message = await self.raw_receive()
        finally:
            if was_inside:
                self.gate.come_back()
                self.inside = True
        if message["type"] == "http.request" and not message.get("more_body"):
            self.begin_to_wait()
        return message

    async def send(self, message: Message) -> None:
        """Pass a piece of the answer on; from the first one on, time is the reader's."""
        if message["type"] == "http.response.start" and self.limit is not None:
            self.limit.reschedule(None)
            self.end()
        await self.raw_send(message)

    def begin_to_wait(self) -> None:
        """Have the answer's time run from now."""
        if self.limit is not None and self.limit.when() is None:
            self.limit.reschedule(asyncio.get_running_loop().time() + self.answer_seconds)

    def end(self) -> None:
        """Be outside."""
        if self.inside:
            self.inside = False
            self.gate.leave()


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
