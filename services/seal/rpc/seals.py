"""SealService: the register of seals and the trust bundle."""

from __future__ import annotations

import grpc

from chassis.rpc.call import caller
from chassis.rpc.moments import moment_of, stamp
from chassis.rpc.once import once
from services.seal.domain.register import Change
from services.seal.rpc.applications import ApplicationRpcs, Counter
from services.seal.rpc.messages import (
    check_page_size,
    own_only,
    seal_message,
    status_message,
    status_of,
)
from services.seal.usecases.applications import seal_picture
from services.seal.usecases.change_status import change_status
from services.seal.usecases.read_register import list_seals, status_at
from tongban.seal.v1 import application_pb2
from tongban.seal.v1 import seal_pb2 as pb

Context = grpc.aio.ServicerContext[object, object]


class SealServicer(ApplicationRpcs):
    """Opens one transaction per call and hands it to the use case."""

    def __init__(self, counter: Counter) -> None:
        super().__init__(counter)
        self._database, self._work_of, self._clock = counter.database, counter.work_of, counter.clock

    async def ListSeals(self, request: pb.ListSealsRequest, context: Context) -> pb.ListSealsResponse:
        """Return a page of seals: all for an operator, a department's own for it."""
        del context
        check_page_size(request.page_size)
        owner = own_only()
        async with self._database.transaction() as tx:
            seals, token = await list_seals(self._work_of(tx), owner, request.page_size, request.page_token)
        shown = [seal_message(each, clear=owner is not None) for each in seals]
        return pb.ListSealsResponse(seals=shown, next_page_token=token)

    async def GetSealStatus(
        self, request: pb.GetSealStatusRequest, context: Context
    ) -> pb.GetSealStatusResponse:
        """Return the state that counted at a moment, or the newest one if none is named."""
        del context
        at = moment_of(request, "at")
        async with self._database.transaction() as tx:
            entry = await status_at(self._work_of(tx), request.seal_id, at)
        return pb.GetSealStatusResponse(status=status_message(entry.status), since=stamp(entry.since))

    async def ChangeSealStatus(
        self, request: pb.ChangeSealStatusRequest, context: Context
    ) -> pb.ChangeSealStatusResponse:
        """Have the seal in its new state, once per request id."""
        change = Change(
            status=status_of(request.status),
            reason=request.reason,
            operator=request.operator,
            second_person=request.second_person,
            account=str(caller(context).peer),
        )
        async with self._database.transaction() as tx:

            async def work() -> pb.ChangeSealStatusResponse:
                seal = await change_status(
                    self._work_of(tx), request.seal_id, request.etag, change, self._clock
                )
                return pb.ChangeSealStatusResponse(seal=seal_message(seal))

            return await once(tx, request, pb.ChangeSealStatusResponse, work)

    async def GetSealPicture(
        self, request: application_pb2.GetSealPictureRequest, context: Context
    ) -> application_pb2.GetSealPictureResponse:
        """Return the picture that a seal shows; a department that of its own seals."""
        del context
        async with self._database.transaction() as tx:
            picture = await seal_picture(self._work_of(tx), request.seal_id, own_only())
        return application_pb2.GetSealPictureResponse(
            kind=picture.kind, picture=picture.data, width_mm=picture.width_mm, height_mm=picture.height_mm
        )

    async def GetTrustBundle(
        self, request: pb.GetTrustBundleRequest, context: Context
    ) -> pb.GetTrustBundleResponse:
        """Return the newest certificates and lists."""
        del request, context
        async with self._database.transaction() as tx:
            bundle = await self._work_of(tx).trust.bundle(self._clock())
        return pb.GetTrustBundleResponse(
            anchors_der=bundle.anchors,
            certificates_der=bundle.certificates,
            crls_der=bundle.crls,
            status_list=bundle.status_list,
            own_makers=bundle.own_makers,
            timestamp_anchors_der=bundle.timestamp_anchors,
            companion_list=bundle.companion_list,
        )
