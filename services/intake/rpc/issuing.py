"""IssuingService: what certs asks of a case and after an approval."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from google.protobuf.message import Message

from services.intake.domain.catalogue.model import Catalogue
from services.intake.rpc.part_messages import timestamp
from services.intake.rpc.transactions import OpenTransaction
from services.intake.usecases.cases.issuing import get_case_parties, get_issue_data
from tongban.intake.v1 import issuing_pb2 as pb
from tongban.intake.v1 import issuing_pb2_grpc

Context = grpc.aio.ServicerContext[Message, Message]
add_issuing_service = issuing_pb2_grpc.add_IssuingServiceServicer_to_server
"""Registers an `IssuingServicer` with a server."""


class IssuingServicer(issuing_pb2_grpc.IssuingServiceServicer):
    """Answers certs only; the access option of the method sees to that."""

    def __init__(self, open_transaction: OpenTransaction, catalogue: Callable[[], Catalogue]) -> None:
        self._open, self._catalogue = open_transaction, catalogue

    async def GetIssueData(
        self, request: pb.GetIssueDataRequest, context: Context
    ) -> pb.GetIssueDataResponse:
        """Return what the licence of an approved part is made of."""
        async with self._open() as work:
            data = await get_issue_data(work, self._catalogue(), request.part_id)
        item = data.part.item
        return pb.GetIssueDataResponse(
            case_id=data.case.case_id,
            case_no=data.case.case_no or "",
            part_id=data.part.part_id,
            item_code=item.item_code,
            licence_type_code=data.licence_type_code,
            county_code=item.county_code,
            issuer_code=item.department_code,
            issuer_name=item.department_name,
            holder_name=data.holder.name,
            holder_id_type_code=data.holder.id_type_code,
            holder_id_number=data.holder.id_number,
            face=dict(data.face),
            validity_years=data.validity_years,
            decided_at=timestamp(data.decided_at),
            operation=data.operation,
            predecessor_licence_id=data.predecessor_id,
        )

    async def GetCaseParties(
        self, request: pb.GetCasePartiesRequest, context: Context
    ) -> pb.GetCasePartiesResponse:
        """Return whose licences an open case is about."""
        del context
        async with self._open() as work:
            found = await get_case_parties(work, request.case_id, request.item_code, request.department_code)
        parties = [pb.CaseParty(id_type_code=kind, id_number=number) for kind, number in found]
        return pb.GetCasePartiesResponse(parties=parties)
