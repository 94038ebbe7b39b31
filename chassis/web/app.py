"""A FastAPI application with our rules built in; a service adds its routers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import AfterValidator
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY, RequestBodyLimitMiddleware
from starlette.responses import JSONResponse, Response

from chassis.errors import Fault
from chassis.rpc.access import is_uuid
from chassis.web.boundary import Boundary, count_refusal
from chassis.web.pressure import Bounds, Pressure
from chassis.web.problems import fault_of, fault_of_status, invalid, problem_of

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

NO_TELEMETRY = TelemetryConfig(auto_configure=False, tracing=False, metrics=False, logs=False)
"""FastAPI's own spans carry paths and queries; ours carry the route, see `chassis.web.boundary`."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Bounds and switches of one application; sizes in bytes, times in seconds."""

    max_body_bytes: int = 1024 * 1024
    """For every route that does not give its own ``max_body_size``."""
    deadline_seconds: float = 25.0
    """What calls made for one request may take in all."""
    behind_tls: bool = True
    """Send Strict-Transport-Security; off for plain HTTP on one's own machine."""
    show_documentation: bool = False
    """Serve ``/openapi.json``."""
    show_metrics: bool = False
    """Serve ``/metrics`` as well; a public door must not (see ``chassis.metrics_door``)."""
    content_security_policy: str = CONTENT_SECURITY_POLICY
    bounds: Bounds = field(default_factory=Bounds)
    """How many requests are taken on at a time before others are told to come back."""


def web_app(
    title: str,
    *,
    version: str = "1",
    missing: Callable[[], Sequence[str]] = tuple,
    options: WebOptions | None = None,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Return an application that renders every refusal as problem+json.

    ``missing`` names what is not ready yet (``Readiness.missing``); ``/readyz`` answers 503 while
    anything is. Also served: ``/healthz``, and ``/metrics`` where the options say so.
    """
    chosen = options or WebOptions()
    app = FastAPI(
        title=title,
        version=version,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json" if chosen.show_documentation else None,
        telemetry=NO_TELEMETRY,
    )
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=chosen.max_body_bytes)
    app.add_middleware(Pressure, bounds=chosen.bounds)
    app.add_middleware(Boundary, headers=_headers(chosen), deadline_seconds=chosen.deadline_seconds)
    app.add_exception_handler(Fault, _on_fault)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_status)
    _add_operation(app, missing)
    if chosen.show_metrics:
        _add_metrics(app)
    return app


def _uuid(value: str) -> str:
    if not is_uuid(value):
        raise ValueError
    return value


def idempotency_key(
    idempotency_key: Annotated[str, Header(alias="Idempotency-Key", min_length=1), AfterValidator(_uuid)],
) -> str:
    """Return the ``Idempotency-Key`` of a request, a UUID; the dependency of every mutating route.

    A missing or wrong one is named together with what else is wrong in the request.
    """
    return idempotency_key


def _add_operation(app: FastAPI, missing: Callable[[], Sequence[str]]) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        waiting = list(missing())
        return JSONResponse({"ready": not waiting, "missing": waiting}, 503 if waiting else 200)


def _add_metrics(app: FastAPI) -> None:
    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _headers(options: WebOptions) -> dict[str, str]:
    headers = {
        "cache-control": "no-store",
        "content-security-policy": options.content_security_policy,
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }
    if options.behind_tls:
        headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
    return headers


async def _on_fault(request: Request, fault: Exception) -> Response:
    return _render(request, fault_of(fault))


async def _on_invalid(request: Request, problem: Exception) -> Response:
    errors: Any = problem.errors() if isinstance(problem, RequestValidationError) else ()
    return _render(request, invalid(errors))


async def _on_status(request: Request, problem: Exception) -> Response:
    status = problem.status_code if isinstance(problem, HTTPException) else 500
    cause = problem.__cause__
    if isinstance(cause, Fault):  # FastAPI wraps what is raised while a body is read
        return _render(request, fault_of(cause))
    response = _render(request, fault_of_status(status, request.scope.get(MAX_BODY_SIZE_SCOPE_KEY)))
    if isinstance(problem, HTTPException) and problem.headers:
        response.headers.update(problem.headers)
    return response


def _render(request: Request, fault: Fault) -> Response:
    count_refusal(request.scope, fault)
    state = request.state
    return problem_of(
        fault, trace_id=getattr(state, "trace_id", ""), request_id=getattr(state, "request_id", "")
    )
