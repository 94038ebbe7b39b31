"""LicenceLifeService over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from google.protobuf.message import Message

from chassis.errors import FIELD_MALFORMED, refuse
from chassis.paging import Place, page_token, page_token_mistakes, read_page_token
from chassis.rpc.call import caller
from chassis.rpc.moments import moment_of
from services.certs.domain.life.succession import Amendment
from services.certs.domain.ofd.preview import preview
from services.certs.rpc import life_messages as words
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases.life.copies import make_copy
from services.certs.usecases.life.inspections import Result, list_inspections, record_inspection
from services.certs.usecases.life.making import Wish
from services.certs.usecases.life.order_act import list_orders, order_act, withdraw_order
from services.certs.usecases.life.preview import read_for_preview
from services.certs.usecases.life.renew import change_licence, renew_licence
from services.certs.usecases.ports import Registry
from tongban.certs.v1 import licence_life_pb2 as pb
from tongban.certs.v1 import licence_life_pb2_grpc

DEFAULT_PAGE = 50
LARGEST_PAGE = 200
Res = TypeVar("Res", bound=Message)


class LicenceLifeServicer(licence_life_pb2_grpc.LicenceLifeServiceServicer):
    """What issuers do with their licences; one transaction per call."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def OrderLicenceAct(
        self, request: pb.OrderLicenceActRequest, context: Context
    ) -> pb.OrderLicenceActResponse:
        """Carry out an order, or keep it until its moment."""
        desk, wish = self._desk, _wish(request, context)
        effective_at = moment_of(request, "effective_at")

        async def work(registry: Registry) -> pb.OrderLicenceActResponse:
            shown, order = await order_act(
                registry, desk.types, wish, words.act(request.act), effective_at, new_id, desk.clock()
            )
            return pb.OrderLicenceActResponse(licence=messages.licence(shown), order=words.order(order))

        return await self._once(request, pb.OrderLicenceActResponse, work)

    async def WithdrawLicenceOrder(
        self, request: pb.WithdrawLicenceOrderRequest, context: Context
    ) -> pb.WithdrawLicenceOrderResponse:
        """Take back an order whose time has not come."""
        desk, department = self._desk, caller(context).department()

        async def work(registry: Registry) -> pb.WithdrawLicenceOrderResponse:
            order = await withdraw_order(registry, department, request.order_id, request.reason, desk.clock())
            return pb.WithdrawLicenceOrderResponse(order=words.order(order))

        return await self._once(request, pb.WithdrawLicenceOrderResponse, work)

    async def ChangeLicence(
        self, request: pb.ChangeLicenceRequest, context: Context
    ) -> pb.ChangeLicenceResponse:
        """Make a version with other content; it waits for its seal."""
        desk, wish = self._desk, _wish(request, context, (request.case_id, request.item_code))
        amendment = Amendment(dict(request.face), words.holders(request.holders))

        async def work(registry: Registry) -> pb.ChangeLicenceResponse:
            shown, order = await change_licence(
                registry, desk.documents, desk.types, wish, amendment, new_id, desk.clock()
            )
            return pb.ChangeLicenceResponse(licence=messages.licence(shown), order=words.order(order))

        return await self._once(request, pb.ChangeLicenceResponse, work)

    async def RenewLicence(
        self, request: pb.RenewLicenceRequest, context: Context
    ) -> pb.RenewLicenceResponse:
        """Make a version with a longer term; it waits for its seal."""
        desk, wish = self._desk, _wish(request, context, (request.case_id, request.item_code))

        async def work(registry: Registry) -> pb.RenewLicenceResponse:
            shown, order = await renew_licence(
                registry, desk.documents, desk.types, wish, request.years, new_id, desk.clock()
            )
            return pb.RenewLicenceResponse(licence=messages.licence(shown), order=words.order(order))

        return await self._once(request, pb.RenewLicenceResponse, work)

    async def MakeLicenceCopy(
        self, request: pb.MakeLicenceCopyRequest, context: Context
    ) -> pb.MakeLicenceCopyResponse:
        """Make an attached copy; it waits for its seal."""
        desk, wish = self._desk, _wish(request, context)

        async def work(registry: Registry) -> pb.MakeLicenceCopyResponse:
            shown, order, number = await make_copy(
                registry, desk.documents, desk.types, wish, new_id, desk.clock()
            )
            return pb.MakeLicenceCopyResponse(
                licence=messages.licence(shown), order=words.order(order), copy_number=number
            )

        return await self._once(request, pb.MakeLicenceCopyResponse, work)

    async def RecordInspection(
        self, request: pb.RecordInspectionRequest, context: Context
    ) -> pb.RecordInspectionResponse:
        """Record the result of an inspection."""
        desk, wish = self._desk, _wish(request, context)
        result = Result(words.inspection_state(request.result), request.cycle)

        async def work(registry: Registry) -> pb.RecordInspectionResponse:
            done, shown = await record_inspection(registry, desk.types, wish, result, new_id, desk.clock())
            return pb.RecordInspectionResponse(
                inspection=words.inspection(done), licence=messages.licence(shown)
            )

        return await self._once(request, pb.RecordInspectionResponse, work)

    async def ListInspections(
        self, request: pb.ListInspectionsRequest, context: Context
    ) -> pb.ListInspectionsResponse:
        """Return a page of the caller's open inspections, earliest first."""
        desk, department = self._desk, caller(context).department()
        after, size = _page(request.page_token, request.page_size)
        async with desk.database.transaction() as tx:
            found = await list_inspections(desk.registry_of(tx), department, after, size + 1)
        page, more = found[:size], len(found) > size
        return pb.ListInspectionsResponse(
            inspections=[words.inspection(each) for each in page],
            next_page_token=page_token((page[-1].due_by, page[-1].lineage_id)) if more else "",
        )

    async def ListLicenceOrders(
        self, request: pb.ListLicenceOrdersRequest, context: Context
    ) -> pb.ListLicenceOrdersResponse:
        """Return a page of the orders about a licence, newest first, and with the first its kin."""
        desk, department = self._desk, caller(context).department()
        before, size = _page(request.page_token, request.page_size)
        async with desk.database.transaction() as tx:
            found, kin = await list_orders(
                desk.registry_of(tx), department, request.licence_id, before, size + 1
            )
        page, more = found[:size], len(found) > size
        return pb.ListLicenceOrdersResponse(
            orders=[words.order(each) for each in page],
            next_page_token=page_token((page[-1].ordered_at, page[-1].order_id)) if more else "",
            related=[words.related(each) for each in kin],
        )

    async def GetLicencePreview(
        self, request: pb.GetLicencePreviewRequest, context: Context
    ) -> pb.GetLicencePreviewResponse:
        """Return a picture; it is painted after the transaction, in a thread."""
        del context
        desk, purpose = self._desk, messages.purpose(request.purpose)
        async with desk.database.transaction() as tx:
            licence, kind = await read_for_preview(
                desk.registry_of(tx),
                desk.types,
                desk.reader(),
                (request.licence_id, ""),
                purpose,
                new_id,
                desk.clock(),
            )
        return pb.GetLicencePreviewResponse(picture=await asyncio.to_thread(preview, licence, kind))

    async def _once(
        self, request: Message, answer: type[Res], work: Callable[[Registry], Awaitable[Res]]
    ) -> Res:
        desk = self._desk
        async with desk.database.transaction() as tx:
            return await desk.once(tx, request, answer, lambda: work(desk.registry_of(tx)))


_Wishing = (
    pb.OrderLicenceActRequest
    | pb.ChangeLicenceRequest
    | pb.RenewLicenceRequest
    | pb.MakeLicenceCopyRequest
    | pb.RecordInspectionRequest
)


def _wish(request: _Wishing, context: Context, case: tuple[str, str] = ("", "")) -> Wish:
    department = caller(context).department()
    return Wish(department, request.licence_id, request.etag, words.decision(request.decision), case)


def _page(token: str, size: int) -> tuple[Place | None, int]:
    """Return where a page begins and its size. Raises INVALID_REQUEST."""
    wrong = page_token_mistakes(token)
    if size < 0:
        wrong.append(FIELD_MALFORMED.at("page_size"))
    refuse(wrong)
    return read_page_token(token), min(size or DEFAULT_PAGE, LARGEST_PAGE)
