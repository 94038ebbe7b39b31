"""SealDocument and SealBatch: documents come and go in chunks or one by one, never more in memory than is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

import grpc

from chassis.errors import BODY_TOO_LARGE, DEADLINE_PASSED, FIELD_REQUIRED, refuse
from chassis.rpc.access import Method, check_request, methods_of
from services.seal.rpc.batch import Batch
from services.seal.rpc.desk import Desk, account
from services.seal.rpc.use_messages import signature_message, task_of
from services.seal.usecases.use_seal import MAX_DOCUMENT_BYTES, SealOrder, SealTask
from tongban.seal.v1 import seal_pb2
from tongban.seal.v1 import use_pb2 as pb

Context = grpc.aio.ServicerContext[object, object]
CHUNK_BYTES = 256 * 1024
UPLOAD_SECONDS = 60.0
"""How long a document may be on its way: a slow caller keeps a place that others wait for."""
_METHODS = methods_of(seal_pb2.DESCRIPTOR.services_by_name["SignatureService"].full_name)


class SealingDoor:
    """The two methods of SignatureService that use seals."""

    _desk: Desk

    async def SealDocument(
        self, request_iterator: AsyncIterator[pb.SealDocumentRequest], context: Context
    ) -> AsyncIterator[pb.SealDocumentResponse]:
        """Answer with the signature, then with the sealed document in chunks; the same for the same request_id."""
        del context
        async with self._desk.uploads:
            task, document = await _in_time(_upload(aiter(request_iterator)))
            stored = await self._desk.seal(SealOrder(task, document))
            del document
        yield pb.SealDocumentResponse(signature=signature_message(stored))
        for start in range(0, len(stored.ofd), CHUNK_BYTES):
            yield pb.SealDocumentResponse(chunk=stored.ofd[start : start + CHUNK_BYTES])

    async def SealBatch(
        self, request_iterator: AsyncIterator[pb.SealBatchRequest], context: Context
    ) -> AsyncIterator[pb.SealBatchResponse]:
        """Answer each item when it is done; refusals of single ones among them."""
        del context
        requests = aiter(request_iterator)
        task = _task(_METHODS["SealBatch"], await anext(requests, None))
        batch = Batch(self._desk, task)
        answers = batch.run(requests)
        try:
            async for answer in answers:
                yield answer
        finally:
            await answers.aclose()


async def _in_time(upload: Awaitable[tuple[SealTask, bytes]]) -> tuple[SealTask, bytes]:
    """Return what was sent. Raises DEADLINE_PASSED for a caller that takes too long over it."""
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            return await upload
    except TimeoutError as problem:
        raise DEADLINE_PASSED() from problem


async def _upload(requests: AsyncIterator[pb.SealDocumentRequest]) -> tuple[SealTask, bytes]:
    task = _task(_METHODS["SealDocument"], await anext(requests, None))
    chunks, size = [], 0
    async for request in requests:
        refuse([] if request.WhichOneof("part") == "chunk" else [FIELD_REQUIRED.at("chunk")])
        size += len(request.chunk)
        if size > MAX_DOCUMENT_BYTES:
            raise BODY_TOO_LARGE(limit_bytes=MAX_DOCUMENT_BYTES)
        chunks.append(request.chunk)
    refuse([] if size else [FIELD_REQUIRED.at("chunk")])
    return task, b"".join(chunks)


def _task(method: Method, first: pb.SealDocumentRequest | pb.SealBatchRequest | None) -> SealTask:
    """Return the task of a stream's first message. Raises INVALID_REQUEST."""
    if first is None:
        refuse([FIELD_REQUIRED.at("request_id"), FIELD_REQUIRED.at("task")])
        raise AssertionError
    check_request(method, first)
    refuse([] if first.WhichOneof("part") == "task" else [FIELD_REQUIRED.at("task")])
    task = task_of(first.request_id, first.task, account())
    task.check()
    return task
