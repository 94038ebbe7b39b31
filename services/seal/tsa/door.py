"""The HTTP door: ``POST /tsa`` with a timestamp-query, answered by a timestamp-reply (RFC 3161 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import FastAPI, Request
from starlette.responses import Response

from chassis.errors import Kind, declare
from chassis.web import WebOptions, web_app
from chassis.web.pressure import Bounds
from services.seal.domain.timestamps import Failure, write_refusal
from services.seal.domain.timestamps.messages import MAX_REQUEST_BYTES
from services.seal.tsa.authority import StampingAuthority

QUERY, REPLY = "application/timestamp-query", "application/timestamp-reply"
PATH = "/tsa"
_BOUNDS = Bounds(running=64, waiting=512, waiting_seconds=2.0, answer_seconds=5.0)
NOT_A_TIMESTAMP_QUERY = declare(
    "NOT_A_TIMESTAMP_QUERY",
    Kind.INVALID_ARGUMENT,
    "请求类型应为 {media_type}",
    "The request must be of type {media_type}",
)


def stamping_app(authority: StampingAuthority, missing: Callable[[], Sequence[str]] = tuple) -> FastAPI:
    """Return the application; what is wrong with a query is said in the reply, with status 200.

    It serves `/metrics` too: whoever comes in has shown a certificate of the deployment.
    """
    options = WebOptions(
        max_body_bytes=2 * MAX_REQUEST_BYTES, deadline_seconds=5.0, bounds=_BOUNDS, show_metrics=True
    )
    app = web_app("tongban time stamping", missing=missing, options=options)

    @app.post(PATH)
    async def stamp(request: Request) -> Response:
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != QUERY:
            raise NOT_A_TIMESTAMP_QUERY(media_type=QUERY)
        query = await request.body()
        waiting = missing()
        if waiting:
            answer = write_refusal(Failure.TIME_NOT_AVAILABLE, f"not ready: {', '.join(waiting)}")
        else:
            answer = authority.answer(query)  # a millisecond: shorter than the way to a thread and back
        return Response(answer, media_type=REPLY)

    return app
