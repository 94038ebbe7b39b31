"""LicenceImportService over gRPC: chunk by chunk, each in its own transaction, answered as it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from chassis.errors import FIELD_MALFORMED, Violation, refuse
from chassis.rpc.call import caller
from services.certs.domain.importing import RowAnswer
from services.certs.domain.importing.source import SOURCE_CHANGED_MIDWAY
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases.importing import (
    CHUNK_ROWS,
    Importer,
    PreparedRow,
    check_message,
    import_rows,
    prepare_rows,
)
from services.certs.usecases.importing.sources import importer_of
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import licence_pb2_grpc

CHUNKS_AHEAD = 2
"""Chunks that are prepared, or being so, while one is stored."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    importer: Importer
    message: pb.ImportLicencesRequest
    prepared: asyncio.Future[list[PreparedRow]]


class LicenceImportServicer(licence_pb2_grpc.LicenceImportServiceServicer):
    """Imports rows; an interrupted import is taken up again under its batch id."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ImportLicences(
        self, request_iterator: AsyncIterator[pb.ImportLicencesRequest], context: Context
    ) -> AsyncIterator[pb.ImportLicencesResponse]:
        """Answer every row of every message, in order, while the rows after it are being prepared."""
        del context
        ahead: asyncio.Queue[_Chunk | BaseException | None] = asyncio.Queue(CHUNKS_AHEAD)
        reading = asyncio.create_task(self._read(request_iterator, ahead))
        try:
            while (chunk := await ahead.get()) is not None:
                if isinstance(chunk, BaseException):
                    raise chunk
                answers = await self._store(chunk, await chunk.prepared)
                yield pb.ImportLicencesResponse(results=[messages.row_result(each) for each in answers])
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            while not ahead.empty():
                if isinstance(left := ahead.get_nowait(), _Chunk):
                    left.prepared.cancel()

    async def _read(
        self,
        requests: AsyncIterator[pb.ImportLicencesRequest],
        ahead: asyncio.Queue[_Chunk | BaseException | None],
    ) -> None:
        """Queue the chunks of all messages, each being prepared from now on; the end, or what went wrong."""
        importer, named = None, ""
        try:
            async for request in requests:
                check_message(request.batch_id, [row.row_number for row in request.rows])
                refuse(_wrong_operations(request.rows))
                if importer is None:
                    importer, named = await self._importer(request.source_id), request.source_id
                elif request.source_id != named:
                    refuse([SOURCE_CHANGED_MIDWAY.at("source_id")])
                for message in messages.chunks(request, CHUNK_ROWS):
                    prepared = asyncio.create_task(self._prepare(importer, message))
                    prepared.add_done_callback(_heard)
                    await ahead.put(_Chunk(importer, message, prepared))
        except Exception as problem:  # noqa: BLE001 - raised where the answers are read, after those before it
            await ahead.put(problem)
        else:
            await ahead.put(None)

    async def _prepare(self, importer: Importer, message: pb.ImportLicencesRequest) -> list[PreparedRow]:
        desk = self._desk
        if desk.prepare is not None:
            return await desk.prepare(importer, message, desk.clock())
        read = messages.import_rows(message)
        return await asyncio.to_thread(prepare_rows, desk.vault, desk.types, importer, read, desk.clock())

    async def _store(self, chunk: _Chunk, prepared: Sequence[PreparedRow]) -> list[RowAnswer]:
        desk, message = self._desk, chunk.message
        fields = {row.row_number: row.fields for row in message.rows}
        async with desk.database.transaction() as tx:
            return await import_rows(
                desk.registry_of(tx), chunk.importer, message.batch_id, prepared, fields, new_id, desk.clock()
            )

    async def _importer(self, source_id: str) -> Importer:
        """Say who imports from where; each caller owns its batch ids."""
        desk, call = self._desk, caller()
        is_operator = call.peer is not None and call.peer.kind == "operator"
        department = None if is_operator else desk.departments.find(call.department())
        async with desk.database.transaction() as tx:
            return await importer_of(desk.registry_of(tx), call.key, department, source_id)


def _wrong_operations(rows: Sequence[pb.ImportRow]) -> list[Violation]:
    return [FIELD_MALFORMED.at("rows.operation")] if any(map(messages.names_no_operation, rows)) else []


def _heard(task: asyncio.Task[list[PreparedRow]]) -> None:
    """Take note of what went wrong in a chunk that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
