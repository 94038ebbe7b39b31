"""SourceService over gRPC."""

from __future__ import annotations

from chassis.errors import FIELD_MALFORMED, Violation, refuse
from chassis.paging import page_token, page_token_mistakes, read_page_token
from chassis.rpc.call import caller
from services.certs.domain.importing.source import SOURCE_ID_LIMIT, SOURCE_NOT_FOUND
from services.certs.rpc import source_messages as messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases.importing import conflicts
from services.certs.usecases.importing.reconciling import reconcile_source
from services.certs.usecases.importing.sources import list_sources, register_source, source_of
from services.certs.usecases.ports import Registry
from tongban.certs.v1 import source_pb2 as pb
from tongban.certs.v1 import source_pb2_grpc

DEFAULT_PAGE = 50
LARGEST_PAGE = 100


class SourceServicer(source_pb2_grpc.SourceServiceServicer):
    """Sources and where they disagree; one transaction per call."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def RegisterSource(
        self, request: pb.RegisterSourceRequest, context: Context
    ) -> pb.RegisterSourceResponse:
        """Register a source, or give a known one new particulars."""
        del context
        desk, by = self._desk, caller().key
        async with desk.database.transaction() as tx:

            async def work() -> pb.RegisterSourceResponse:
                asked = messages.source(request.source)
                stored = await register_source(desk.registry_of(tx), asked, request.source.etag, by)
                return pb.RegisterSourceResponse(source=messages.source_message(stored))

            return await desk.once(tx, request, pb.RegisterSourceResponse, work)

    async def ListSources(self, request: pb.ListSourcesRequest, context: Context) -> pb.ListSourcesResponse:
        """Return a page of sources by id; a page token is the last id of the page before."""
        del context
        wrong = _page_mistakes(request.page_size)
        if len(request.page_token) > SOURCE_ID_LIMIT or not request.page_token.isprintable():
            wrong.append(FIELD_MALFORMED.at("page_token"))
        refuse(wrong)
        desk, size = self._desk, _size(request.page_size)
        async with desk.database.transaction() as tx:
            found = await list_sources(desk.registry_of(tx), _owner(), request.page_token, size + 1)
        return pb.ListSourcesResponse(
            sources=[messages.source_message(each) for each in found[:size]],
            next_page_token=found[size - 1].source_id if len(found) > size else "",
        )

    async def ListImportConflicts(
        self, request: pb.ListImportConflictsRequest, context: Context
    ) -> pb.ListImportConflictsResponse:
        """Return a page of conflicts, newest first."""
        del context
        refuse([*_page_mistakes(request.page_size), *page_token_mistakes(request.page_token)])
        desk, size = self._desk, _size(request.page_size)
        async with desk.database.transaction() as tx:
            found = await conflicts.list_conflicts(
                desk.registry_of(tx),
                _owner(),
                open_only=request.open_only,
                before=read_page_token(request.page_token),
                limit=size + 1,
            )
        last = found[size - 1] if len(found) > size else None
        return pb.ListImportConflictsResponse(
            conflicts=[messages.conflict(each) for each in found[:size]],
            next_page_token=page_token((last.found_at, last.conflict_id)) if last else "",
        )

    async def ResolveImportConflict(
        self, request: pb.ResolveImportConflictRequest, context: Context
    ) -> pb.ResolveImportConflictResponse:
        """Keep a licence as it is, or have it take what was offered."""
        del context
        desk, by, owner = self._desk, caller().key, _owner()
        async with desk.database.transaction() as tx:

            async def work() -> pb.ResolveImportConflictResponse:
                found = await conflicts.resolve_conflict(
                    desk.registry_of(tx),
                    desk.vault,
                    desk.types,
                    by,
                    owner,
                    request.conflict_id,
                    messages.resolution(request.resolution),
                    request.reason,
                    new_id,
                    desk.clock(),
                )
                return pb.ResolveImportConflictResponse(conflict=messages.conflict(found))

            return await desk.once(tx, request, pb.ResolveImportConflictResponse, work)

    async def ReconcileSource(
        self, request: pb.ReconcileSourceRequest, context: Context
    ) -> pb.ReconcileSourceResponse:
        """Return which days of issue a source and the registry agree on."""
        del context
        desk = self._desk
        days = [messages.day_total(each) for each in request.days]
        async with desk.database.transaction() as tx:
            registry = desk.registry_of(tx)
            found = await reconcile_source(
                registry.sources,
                await self._source_id(registry, request.source_id),
                request.type_code,
                messages.day(request.first_day),
                messages.day(request.last_day),
                days,
            )
        return messages.reconciled(found)

    async def _source_id(self, registry: Registry, source_id: str) -> str:
        """Return the source asked about: a department's own, or any that an operator names."""
        owner = _owner()
        if owner:
            department = self._desk.departments.find(owner)
            return (await source_of(registry.sources, department, source_id)).source_id
        if not source_id:
            raise SOURCE_NOT_FOUND()
        return source_id


def _owner() -> str:
    """Return the department that calls, empty for an operator."""
    call = caller()
    return "" if call.peer is not None and call.peer.kind == "operator" else call.department()


def _size(page_size: int) -> int:
    return min(page_size or DEFAULT_PAGE, LARGEST_PAGE)


def _page_mistakes(page_size: int) -> list[Violation]:
    return [FIELD_MALFORMED.at("page_size")] if page_size < 0 else []
