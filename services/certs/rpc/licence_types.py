"""LicenceTypeService over gRPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from chassis.errors import FIELD_MALFORMED, refuse
from chassis.rpc.call import caller
from services.certs.rpc import type_messages as messages
from services.certs.rpc.desk import Context, Desk
from services.certs.usecases import licence_types as verbs
from tongban.certs.v1 import licence_type_pb2 as pb
from tongban.certs.v1 import licence_type_pb2_grpc

DEFAULT_PAGE = 50
LARGEST_PAGE = 100


class LicenceTypeServicer(licence_type_pb2_grpc.LicenceTypeServiceServicer):
    """Publishes and shows types; a published version is used by this process at once, by others in seconds."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def PublishLicenceTypes(
        self, request: pb.PublishLicenceTypesRequest, context: Context
    ) -> AsyncIterator[pb.PublishLicenceTypesResponse]:
        """Yield how far the look at the stored licences is, then what was published, or would be."""
        del context
        desk = self._desk
        kinds = verbs.read_documents(list(_documents(request.documents_json)), request.source)
        began_at = desk.clock()
        async with self._records() as records:
            tally = await verbs.plan(records, kinds)
        async for seen in verbs.walk(self._records, tally):
            yield pb.PublishLicenceTypesResponse(progress=messages.progress(seen))
        if request.dry_run:
            yield pb.PublishLicenceTypesResponse(report=messages.report(tally))
            return
        async with desk.database.transaction() as tx:
            records = desk.type_records(tx)

            async def work() -> pb.PublishReport:
                by = str(caller().peer)
                await verbs.publish(records, tally, began_at, by, request.source, desk.clock())
                held = [each.kind for each in await records.all()]
                tx.after_commit(lambda: desk.types.take(held))
                return messages.report(tally, published=True)

            report = await desk.once(tx, request, pb.PublishReport, work)
        yield pb.PublishLicenceTypesResponse(report=report)

    async def ListLicenceTypes(
        self, request: pb.ListLicenceTypesRequest, context: Context
    ) -> pb.ListLicenceTypesResponse:
        """Return a page of the newest versions, by code; a page token is the last code of the page before."""
        del context
        wrong = [FIELD_MALFORMED.at("page_size")] if request.page_size < 0 else []
        if request.page_token and not messages.is_token(request.page_token):
            wrong.append(FIELD_MALFORMED.at("page_token"))
        refuse(wrong)
        size = min(request.page_size or DEFAULT_PAGE, LARGEST_PAGE)
        async with self._records() as records:
            found = await verbs.list_types(records, request.page_token, size + 1)
        page = found[:size]
        token = page[-1].kind.code if len(found) > size else ""
        return pb.ListLicenceTypesResponse(
            types=[messages.licence_type(each) for each in page], next_page_token=token
        )

    async def GetLicenceType(
        self, request: pb.GetLicenceTypeRequest, context: Context
    ) -> pb.GetLicenceTypeResponse:
        """Return one version of a type, the newest if none is named."""
        del context
        refuse([FIELD_MALFORMED.at("version")] if request.version < 0 else [])
        async with self._records() as records:
            found = await verbs.get_type(records, request.type_code, request.version)
        return pb.GetLicenceTypeResponse(type=messages.licence_type(found))

    @asynccontextmanager
    async def _records(self) -> AsyncIterator[verbs.TypeRecords]:
        desk = self._desk
        async with desk.database.transaction() as tx:
            yield desk.type_records(tx)


def _documents(texts: Sequence[str]) -> Iterator[object]:
    """Yield the documents; one that is no JSON becomes None, which the reader of types refuses by its place."""
    for text in texts:
        try:
            yield json.loads(text)
        except (ValueError, RecursionError):
            yield None
