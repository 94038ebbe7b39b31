"""Around every HTTP request: trace, request id, deadline, security headers, metrics, the last error net."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog
import uuid_utils.compat
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.errors import Fault, Kind
from chassis.logs import get_logger
from chassis.process_metrics import HTTP_REFUSALS, QUEUE_IN_USE, bounded
from chassis.rpc.call import Caller, calling
from chassis.telemetry import describe_span, histogram
from chassis.traceparent import current_traceparent, traced
from chassis.web.patience import HEADERS_TOO_LARGE, MAX_HEADER_BYTES, PatientBody
from chassis.web.problems import MEDIA_TYPE, fault_of, fault_of_status, problem_of

SERVED_SECONDS = histogram(
    "http_server_seconds", "Time to answer a request, by route and status", ("route", "method", "status")
)
log = get_logger(__name__)
HTTP_REQUESTS = QUEUE_IN_USE.labels("http")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_LOGGED = frozenset({Kind.UNAUTHENTICATED, Kind.PERMISSION_DENIED, Kind.RESOURCE_EXHAUSTED})
"""Refusals that say something of the caller: failed authentication, denied access, used-up limits (ASVS 16.3.2)."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

FaultPage = Callable[[Fault], Response]
FAULT_PAGE = "fault_page"
"""A route that answers people sets this of ``request.state`` to a `FaultPage` before it reads the body."""


class Boundary:
    """The outermost middleware of ours; everything it adds gives way to what a route set itself."""

    def __init__(self, app: ASGIApp, *, headers: dict[str, str], deadline_seconds: float) -> None:
        self._app, self._headers, self._deadline_seconds = app, headers, deadline_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        received = Headers(scope=scope)
        given = received.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else str(uuid_utils.compat.uuid7())
        call = Caller(None, deadline=time.monotonic() + self._deadline_seconds)
        started = time.perf_counter()
        with (
            HTTP_REQUESTS.track_inprogress(),
            traced(f"{scope['method']} http", received.get("traceparent")) as trace_id,
            structlog.contextvars.bound_contextvars(request_id=request_id),
            calling(call),
        ):
            state = cast("dict[str, object]", scope.setdefault("state", {}))
            state.update(trace_id=trace_id, request_id=request_id)
            answer = _Answer(scope, receive, send, trace_id, request_id, self._headers)
            try:
                _require_short_headers(scope)
                await self._app(scope, PatientBody(receive), answer.send)
            except Exception as problem:  # the last line: nothing untyped leaves
                if answer.status:
                    raise
                await answer.problem(problem)
            finally:
                _observe(scope, answer.status, started)


@dataclass(slots=True)
class _Answer:
    """The response on its way out."""

    scope: Scope
    receive: Receive
    raw_send: Send
    trace_id: str
    request_id: str
    headers: dict[str, str]
    status: int = 0
    replaced: bool = False

    async def send(self, message: Message) -> None:
        """Complete the headers; put a problem document in place of the framework's bare 413."""
        if self.replaced:
            return
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if message["status"] == 413 and MEDIA_TYPE not in headers.get("content-type", ""):
                self.replaced = True
                await self._refuse_body()
                return
            self.status = message["status"]
            for name, value in self._own_headers().items():
                headers.setdefault(name, value)
        await self.raw_send(message)

    async def problem(self, problem: Exception) -> None:
        """Send the problem document of an exception."""
        fault = fault_of(problem)
        count_refusal(self.scope, fault)
        response = problem_of(fault, trace_id=self.trace_id, request_id=self.request_id)
        await response(self.scope, self.receive, self.send)

    async def _refuse_body(self) -> None:
        fault = fault_of_status(413, self.scope.get(MAX_BODY_SIZE_SCOPE_KEY))
        count_refusal(self.scope, fault)
        page: FaultPage | None = self.scope["state"].get(FAULT_PAGE)
        if page is not None:
            response = page(fault)
        else:
            response = problem_of(fault, trace_id=self.trace_id, request_id=self.request_id)
        self.status = response.status_code
        for name, value in self._own_headers().items():
            response.headers.setdefault(name, value)
        await response(self.scope, self.receive, self.raw_send)

    def _own_headers(self) -> dict[str, str]:
        traceparent = current_traceparent()
        own = self.headers | {"x-request-id": self.request_id}
        return own | {"traceparent": traceparent} if traceparent else own


def count_refusal(scope: Scope, fault: Fault) -> None:
    """Count a request that is answered with a fault, by route and reason; a refused caller leaves a line."""
    HTTP_REFUSALS.labels(_route(scope), bounded(fault.code)).inc()
    if fault.kind in _LOGGED:
        log.warning("request_refused", route=_route(scope), method=_method(scope), reason_code=fault.code)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unknown"))


def _method(scope: Scope) -> str:
    return str(scope["method"]) if scope["method"] in _METHODS else "other"


def _require_short_headers(scope: Scope) -> None:
    if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        raise HEADERS_TOO_LARGE(limit_bytes=MAX_HEADER_BYTES)


def _observe(scope: Scope, status: int, started: float) -> None:
    route = _route(scope)
    method = _method(scope)
    describe_span(f"{method} {route}", route=route, status=status or 499)
    SERVED_SECONDS.labels(route, method, str(status or 499)).observe(time.perf_counter() - started)
