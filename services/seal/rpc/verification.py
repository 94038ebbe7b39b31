"""VerificationService: sealed documents and seals judged check by check; nothing of them is kept."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import grpc

from chassis.clock import Clock
from chassis.errors import BODY_TOO_LARGE, DEADLINE_PASSED, FIELD_REQUIRED, refuse
from chassis.rpc.moments import moment_of, stamp
from services.seal.rpc.report_messages import check_message, note_message, signature_messages
from services.seal.usecases.verify import MAX_FILE_BYTES, Verifier
from tongban.seal.v1 import report_pb2, seal_pb2_grpc
from tongban.seal.v1 import seal_pb2 as pb

Context = grpc.aio.ServicerContext[object, object]
FILES_AT_ONCE = 4
"""Files held in one process while they come or are judged; more callers wait with theirs at their own end."""
UPLOAD_SECONDS = 60.0
"""How long a file may be on its way: a slow caller keeps a place that others wait for."""


class VerificationServicer(seal_pb2_grpc.VerificationServiceServicer):
    """Verifies with our anchors, lists, register and ledger."""

    def __init__(self, verifier: Verifier, clock: Clock) -> None:
        self._verifier, self._clock = verifier, clock
        self._places = asyncio.Semaphore(FILES_AT_ONCE)

    async def VerifyDocument(
        self, request: pb.VerifyDocumentRequest, context: Context
    ) -> pb.VerifyDocumentResponse:
        """Return every check of every signature; a document that cannot be opened has its container's check alone."""
        del context
        as_of = moment_of(request, "as_of")
        report = await self._verifier.document(request.document, self._clock(), as_of)
        return pb.VerifyDocumentResponse(
            verdict=report.verdict.value,
            signatures=signature_messages(report),
            now_verdict=report.now_verdict.value,
            container=check_message(report.container),
        )

    async def VerifyFile(
        self, request_iterator: AsyncIterator[report_pb2.VerifyFileRequest], context: Context
    ) -> pb.VerifyFileResponse:
        """Return the same of a file sent in chunks. Raises FILE_KIND_UNKNOWN for what is neither OFD nor PDF."""
        del context
        async with self._places:
            options, content = await _in_time(aiter(request_iterator))
            now, as_of = self._clock(), moment_of(options, "as_of")
            kind, report = await self._verifier.file(content, now, as_of)
            sha256 = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        return pb.VerifyFileResponse(
            verdict=report.verdict.value,
            now_verdict=report.now_verdict.value,
            format=kind.value,
            container=check_message(report.container),
            signatures=signature_messages(report),
            as_of=stamp(as_of or now),
            sha256=sha256,
        )

    async def VerifySeal(
        self, request: report_pb2.VerifySealRequest, context: Context
    ) -> pb.VerifySealResponse:
        """Return the checks that a seal has by itself."""
        del context
        refuse([] if request.seal else [FIELD_REQUIRED.at("seal")])
        moments = moment_of(request, "used_at"), moment_of(request, "as_of")
        report = await self._verifier.seal(request.seal, self._clock(), *moments)
        return pb.VerifySealResponse(
            verdict=report.verdict.value,
            seal_id=report.seal_id or "",
            seal_name=report.seal_name or "",
            generation=report.generation or 0,
            checks=map(check_message, report.checks),
            notes=map(note_message, report.notes),
        )


async def _in_time(
    requests: AsyncIterator[report_pb2.VerifyFileRequest],
) -> tuple[report_pb2.VerifyFileOptions, bytes]:
    """Return what was sent. Raises DEADLINE_PASSED for a caller that takes too long over it."""
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            return await _upload(requests)
    except TimeoutError as problem:
        raise DEADLINE_PASSED() from problem


async def _upload(
    requests: AsyncIterator[report_pb2.VerifyFileRequest],
) -> tuple[report_pb2.VerifyFileOptions, bytes]:
    first = await anext(requests, None)
    if first is None or first.WhichOneof("part") != "options":
        refuse([FIELD_REQUIRED.at("options")])
        raise AssertionError
    content = bytearray()
    async for request in requests:
        refuse([] if request.WhichOneof("part") == "chunk" else [FIELD_REQUIRED.at("chunk")])
        if len(content) + len(request.chunk) > MAX_FILE_BYTES:
            raise BODY_TOO_LARGE(limit_bytes=MAX_FILE_BYTES)
        content += request.chunk
    refuse([] if content else [FIELD_REQUIRED.at("chunk")])
    return first.options, bytes(content)
