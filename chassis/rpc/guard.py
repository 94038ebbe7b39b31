"""What happens around every method of ours: identity, access rule, deadline, trace, errors, metrics.

Handlers are wrapped once, when they are registered, so a call pays for no interceptor chain.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from chassis.auth import ActingPerson, TokenVerifier
from chassis.errors import DEADLINE_PASSED, INTERNAL, NOT_AUTHENTICATED, NOT_PERMITTED, Fault, Kind
from chassis.logs import get_logger
from chassis.process_metrics import QUEUE_IN_USE, RPC_REFUSALS, bounded
from chassis.rpc.access import Method, check_request
from chassis.rpc.call import Caller, enter
from chassis.rpc.faults import to_status
from chassis.rpc.hearing_out import hear_out
from chassis.rpc.peer import Peer, peer_of
from chassis.rpc.suspended import CALLER_SUSPENDED, SuspendedCallers
from chassis.telemetry import describe_span, histogram
from chassis.traceparent import mark_failed, traced

log = get_logger(__name__)

SERVED_SECONDS = histogram(
    "rpc_server_seconds", "Time to answer a call, by method and status code", ("method", "status")
)

RPC_CALLS = QUEUE_IN_USE.labels("rpc")

Admit = Callable[[Method, Caller], Awaitable[None]]
"""A further check after the access rule, e.g. a rate limit; raises a fault."""

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Guard:
    """The rules that hold for every call of one server."""

    verifier: TokenVerifier | None
    admit: Admit | None
    default_deadline_seconds: float
    """How long a call may take whose caller named no end."""
    stream_deadline_seconds: float
    """The same for server streams; the client resumes."""
    suspended: SuspendedCallers | None = None
    """Whom an operator has shut out; asked for every call and for every part of a stream."""

    def wrap(
        self, method: Method, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Return the handler with everything of this module around it.

        Raises TypeError for a handler that is neither a coroutine function nor an async generator.
        """
        inner = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        _check_shape(method, inner, streaming=bool(handler.response_streaming))
        make = _MAKERS[bool(handler.request_streaming), bool(handler.response_streaming)]
        behaviour = (
            self._streamed(method, inner) if handler.response_streaming else self._single(method, inner)
        )
        return make(behaviour, handler.request_deserializer, handler.response_serializer)

    def _single(self, method: Method, inner: Any) -> Any:
        async def answer(request: Any, context: Context) -> Any:
            async with self._around(method, request, context, self.default_deadline_seconds):
                return await inner(request, context)

        return answer

    def _streamed(self, method: Method, inner: Any) -> Any:
        async def answer(request: Any, context: Context) -> AsyncIterator[Any]:
            async with self._around(method, request, context, self.stream_deadline_seconds):
                async for part in inner(request, context):
                    self._check_standing(method, context)
                    yield part

        return answer

    @asynccontextmanager
    async def _around(
        self, method: Method, request: Any, context: Context, limit: float
    ) -> AsyncIterator[None]:
        started, code = time.perf_counter(), "CANCELLED"
        headers = {
            name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)
        }
        request_id = getattr(request, "request_id", "") if method.has_request_id else ""
        with (
            RPC_CALLS.track_inprogress(),
            traced(method.path, headers.get("traceparent")) as trace_id,
        ):
            try:
                async with _deadline(context, limit) as seconds:
                    await self._let_in(method, request, context, headers, seconds)
                    yield
                code = "OK"
            except grpc.aio.AbortError:
                code = "ABORTED_BY_HANDLER"
                raise
            except Exception as problem:  # noqa: BLE001 - the last line: nothing untyped leaves
                fault = _as_fault(problem, method)
                code = fault.kind.name
                reason = bounded(fault.code)
                RPC_REFUSALS.labels(method.path, reason).inc()
                mark_failed(reason)
                await hear_out(request)
                await context.abort_with_status(to_status(fault, trace_id=trace_id, request_id=request_id))
            finally:
                describe_span(method=method.path, status=code)
                SERVED_SECONDS.labels(method.path, code).observe(time.perf_counter() - started)

    async def _let_in(
        self, method: Method, request: Any, context: Context, headers: dict[str, str], seconds: float
    ) -> None:
        peer = self._check_standing(method, context)
        if not method.permits(peer):
            log.warning("call_refused", method=method.path, peer=str(peer), why="caller")
            raise NOT_PERMITTED()
        person, token = self._person(headers)
        if method.acting_person and person is None:
            log.warning("call_refused", method=method.path, peer=str(peer), why="no person")
            raise NOT_AUTHENTICATED()
        call = Caller(peer, person, token, time.monotonic() + seconds)
        enter(call)
        if self.admit is not None:
            await self.admit(method, call)
        if isinstance(request, Message):  # what streams in is checked by whoever reads it
            check_request(method, request)

    def _check_standing(self, method: Method, context: Context) -> Peer:
        """Return the peer. Raises NOT_AUTHENTICATED, CALLER_SUSPENDED."""
        properties = context.auth_context()
        peer = peer_of(properties)
        if self.suspended is not None and self.suspended.holds(peer, properties):
            log.warning("call_refused", method=method.path, peer=str(peer), why="suspended")
            raise CALLER_SUSPENDED()
        return peer

    def _person(self, headers: dict[str, str]) -> tuple[ActingPerson | None, str | None]:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if not scheme:
            return None, None
        if scheme.lower() != "bearer" or self.verifier is None:
            raise NOT_AUTHENTICATED()
        return self.verifier.verify(token), token


_MAKERS: dict[tuple[bool, bool], Callable[..., grpc.RpcMethodHandler[Any, Any]]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


@asynccontextmanager
async def _deadline(context: Context, limit: float) -> AsyncIterator[float]:
    remaining = context.time_remaining()
    seconds = limit if remaining is None else remaining
    try:
        async with asyncio.timeout(seconds) as end:
            yield seconds
    except TimeoutError as problem:
        if end.expired():
            raise DEADLINE_PASSED() from problem
        raise


def _as_fault(problem: Exception, method: Method) -> Fault:
    if isinstance(problem, Fault):
        try:
            _ = problem.zh, problem.en
        except (KeyError, IndexError):
            log.exception("fault_without_its_metadata", method=method.path, reason=problem.code)
        else:
            if problem.kind is Kind.UNAUTHENTICATED:
                log.warning("call_refused", method=method.path, why=problem.code)
            return problem
    incident = secrets.token_hex(6)
    log.error("call_failed", method=method.path, incident=incident, exc_info=problem)
    return INTERNAL(incident=incident)


def _check_shape(method: Method, inner: Any, *, streaming: bool) -> None:
    fits = inspect.isasyncgenfunction(inner) if streaming else inspect.iscoroutinefunction(inner)
    if not fits:
        message = f"{method.path} must be {'an async generator' if streaming else 'a coroutine function'}"
        raise TypeError(message)
