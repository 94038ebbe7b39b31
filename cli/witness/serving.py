"""The witness over HTTP: ``POST /add-checkpoint``, its key, its gauges, its health."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from chassis.clock import Clock, system_clock
from chassis.logs import get_logger
from chassis.telemetry import gauge
from chassis.tlog.note import Signer, Verifier
from chassis.tlog.witness import PATH, REQUEST_LIMIT, SIZE_TYPE, Judgement, Seen, judge
from chassis.web.serve import bind, serve_web
from cli.witness.memory import Memory

log = get_logger(__name__)

MAX_CONNECTIONS = 100
WITNESSED = gauge("witness_log_size", "Size of the newest checkpoint signed for a log", ["source"])
EVIDENCE = gauge("witness_evidence_files", "Pairs of checkpoints that cannot both be true: the alarm")


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness at work: its key, the logs it trusts, what it has seen."""

    signer: Signer
    logs: Sequence[Verifier]
    memory: Memory
    now: Clock = system_clock

    def answer(self, body: bytes) -> Judgement:
        """Return the answer to a request; what is signed is on disk before."""
        judged = judge(body, self.logs, self.memory.seen)
        if judged.evidence:
            path = self.memory.accuse(judged.evidence)
            log.error("witness_split_view", evidence=str(path))
            EVIDENCE.set(len(self.memory.evidence()))
        if judged.checkpoint is None:
            return judged
        found = judged.checkpoint
        note = body.decode().partition("\n\n")[2]
        self.memory.keep(found.origin, Seen(found.size, found.root, note))
        WITNESSED.labels(found.origin).set(found.size)
        return Judgement(HTTPStatus.OK, self.signer.line(found.text, self.now()))


def witness_app(witness: Witness) -> Starlette:
    """Return the application; requests are answered one after another."""
    one_at_a_time = asyncio.Lock()
    EVIDENCE.set(len(witness.memory.evidence()))

    async def add_checkpoint(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse("too large\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        async with one_at_a_time:
            judged = await asyncio.to_thread(witness.answer, body)
        kind = SIZE_TYPE if judged.status is HTTPStatus.CONFLICT else "text/plain"
        return Response(judged.text, judged.status, media_type=kind)

    async def key(_: Request) -> Response:
        return PlainTextResponse(f"{witness.signer.verifier}\n")

    async def health(_: Request) -> Response:
        """Say 503 once a log lied to this witness: an operator must look."""
        count = len(witness.memory.evidence())
        status = HTTPStatus.SERVICE_UNAVAILABLE if count else HTTPStatus.OK
        return PlainTextResponse(f"{count} split views\n", status)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route(PATH, add_checkpoint, methods=["POST"]),
            Route("/key", key),
            Route("/health", health),
            Route("/metrics", metrics),
        ]
    )


async def serve_witness(
    witness: Witness, host: str, port: int, ready_file: Path | None, stop: asyncio.Event | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, or ``stop``."""
    stopping = stop or asyncio.Event()
    if stop is None:
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    listener = bind(host, port)
    _stand(ready_file)
    try:
        app = witness_app(witness)
        await serve_web(
            app, host, port, stopping, max_connections=MAX_CONNECTIONS, grace_seconds=2, listener=listener
        )
    finally:
        _fall(ready_file)


def _stand(ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.write_text(f"{os.getpid()}\n")


def _fall(ready_file: Path | None) -> None:
    if ready_file is not None:
        ready_file.unlink(missing_ok=True)


async def _body(request: Request) -> bytes | None:
    """Return the body, None for one beyond the limit."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > REQUEST_LIMIT:
                return None
    except ClientDisconnect:
        return None
    return bytes(content)
