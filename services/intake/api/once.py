"""One effect and equal answers for equal requests: ``Idempotency-Key`` on routes that create."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel

from chassis.requests import TERMINAL_RETENTION, once
from chassis.web import idempotency_key
from services.intake.api.doors import Doors, Entered, WorkInTransaction

KeyHere = Annotated[str, Depends(idempotency_key)]


async def answer_once(
    request: Request,
    doors: Doors,
    entered: Entered,
    key: str,
    body: BaseModel | None,
    work: Callable[[WorkInTransaction], Awaitable[BaseModel]],
    *,
    status: int = 200,
) -> Response:
    """Do the work and answer, or give the stored answer of the same person's equal request.

    Answers are kept a day, encrypted. Raises REQUEST_ID_REUSED, REQUEST_IN_PROGRESS.
    """
    content = body.model_dump_json().encode() if body else b""
    route = f"{request.method} {request.scope['route'].path}"
    async with doors.cases() as cases:

        async def run() -> bytes:
            return (await work(cases)).model_dump_json().encode()

        stored = await once(
            cases.tx,
            caller=entered.key,
            method=route,
            request_id=key,
            fingerprint=doors.answers.fingerprint(request.url.path.encode(), content),
            work=run,
            cipher=doors.answers,
            retention=TERMINAL_RETENTION,
        )
    return Response(stored, status, media_type="application/json")
