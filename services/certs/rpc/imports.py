"""LicenceImportService over gRPC: chunk by chunk, each in its own transaction, answered as it is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chassis.rpc.call import caller
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases.import_rows import Importer, check_message, chunks, import_rows
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
            for chunk in chunks(rows):
                async with self._desk.database.transaction() as tx:
                    answers = await import_rows(
                        self._desk.registry_of(tx),
                        self._desk.types,
                        importer,
                        request.batch_id,
                        chunk,
                        new_id,
                        self._desk.clock(),
                    )
                yield pb.ImportLicencesResponse(results=[messages.row_result(each) for each in answers])

    def _importer(self) -> Importer:
        """Say who imports: a department for its own county, an operator for any; each owns its batch ids."""
        call = caller()
        if call.peer is not None and call.peer.kind == "operator":
            return Importer(call.key, None)
        department = self._desk.departments.find(call.department())
        return Importer(call.key, department.county_code)
