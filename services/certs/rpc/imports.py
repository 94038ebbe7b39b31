"""LicenceImportService over gRPC: chunk by chunk, each in its own transaction, answered as it is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from chassis.rpc.call import caller
from services.certs.domain.importing import ImportRow, RowAnswer
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases.import_rows import (
    Importer,
    PreparedRow,
    check_message,
    chunks,
    import_rows,
    prepare_rows,
)
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import licence_pb2_grpc


class LicenceImportServicer(licence_pb2_grpc.LicenceImportServiceServicer):
    """Imports rows; an interrupted import is taken up again under its batch id."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ImportLicences(
        self, request_iterator: AsyncIterator[pb.ImportLicencesRequest], context: Context
    ) -> AsyncIterator[pb.ImportLicencesResponse]:
        """Answer every row of every message, in order."""
        del context
        importer = self._importer()
        async for request in request_iterator:
            rows = [messages.import_row(row) for row in request.rows]
            check_message(request.batch_id, rows)
            async for prepared in self._prepared(importer, chunks(rows)):
                answers = await self._store(importer, request.batch_id, prepared)
                yield pb.ImportLicencesResponse(results=[messages.row_result(each) for each in answers])

    async def _prepared(
        self, importer: Importer, waiting: Sequence[Sequence[ImportRow]]
    ) -> AsyncIterator[list[PreparedRow]]:
        """Yield chunks in order, each prepared in a thread while the one before is being stored."""
        ahead: asyncio.Task[list[PreparedRow]] | None = None
        try:
            for chunk in [*waiting, None]:
                ready, ahead = ahead, asyncio.create_task(self._prepare(importer, chunk)) if chunk else None
                if ready is not None:
                    yield await ready
        finally:
            if ahead is not None:
                ahead.cancel()

    async def _prepare(self, importer: Importer, chunk: Sequence[ImportRow]) -> list[PreparedRow]:
        desk = self._desk
        return await asyncio.to_thread(prepare_rows, desk.vault, desk.types, importer, chunk, desk.clock())

    async def _store(
        self, importer: Importer, batch_id: str, prepared: Sequence[PreparedRow]
    ) -> list[RowAnswer]:
        desk = self._desk
        async with desk.database.transaction() as tx:
            return await import_rows(desk.registry_of(tx), importer, batch_id, prepared, new_id, desk.clock())

    def _importer(self) -> Importer:
        """Say who imports: a department for its own county, an operator for any; each owns its batch ids."""
        call = caller()
        if call.peer is not None and call.peer.kind == "operator":
            return Importer(call.key, None)
        department = self._desk.departments.find(call.department())
        return Importer(call.key, department.county_code)
