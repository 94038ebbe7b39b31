"""SignatureService: using seals, the right to use them, the ledger of uses and the sealed documents."""

from __future__ import annotations

import grpc

from chassis.errors import FIELD_MALFORMED, Violation, refuse
from chassis.rpc.access import is_uuid
from chassis.rpc.moments import stamp
from services.seal.rpc.desk import Desk
from services.seal.rpc.messages import check_page_size, own_only, use_message
from services.seal.rpc.permissions import PermissionDoor
from services.seal.rpc.sealing import SealingDoor
from services.seal.rpc.use_messages import TYPES, chosen
from services.seal.usecases.read_register import list_uses, sealed_document, uses_of
from services.seal.usecases.using_ports import WantedUses
from tongban.seal.v1 import seal_pb2 as pb
from tongban.seal.v1 import seal_pb2_grpc

Context = grpc.aio.ServicerContext[object, object]


class SignatureServicer(SealingDoor, PermissionDoor, seal_pb2_grpc.SignatureServiceServicer):
    """Opens one transaction per call and hands it to the use case."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def GetSealedDocument(
        self, request: pb.GetSealedDocumentRequest, context: Context
    ) -> pb.GetSealedDocumentResponse:
        """Return the sealed bytes of a signature."""
        del context
        refuse([] if is_uuid(request.signature_id) else [FIELD_MALFORMED.at("signature_id")])
        async with self._desk.database.transaction() as tx:
            document = await sealed_document(self._desk.work_of(tx), request.signature_id)
        return pb.GetSealedDocumentResponse(
            ofd=document.ofd,
            seal_id=document.seal_id,
            sha256=document.sha256,
            signed_at=stamp(document.signed_at),
        )

    async def ListSealUses(
        self, request: pb.ListSealUsesRequest, context: Context
    ) -> pb.ListSealUsesResponse:
        """Return a page of uses, newest first; a department sees those of its own seals."""
        del context
        check_page_size(request.page_size)
        token, wrong = request.page_token, list[Violation]()
        if token and not _is_sequence(token):
            wrong.append(FIELD_MALFORMED.at("page_token"))
        kind = chosen(TYPES, request.document_type, "document_type", wrong) if request.document_type else None
        refuse(wrong)
        wanted = WantedUses(
            request.seal_id,
            own_only(),
            kind.value if kind else "",
            request.case_id,
            request.refused_only,
        )
        async with self._desk.database.transaction() as tx:
            uses, next_token = await list_uses(
                self._desk.work_of(tx), wanted, request.page_size, int(token) if token else None
            )
        return pb.ListSealUsesResponse(uses=map(use_message, uses), next_page_token=next_token)

    async def GetSealUse(self, request: pb.GetSealUseRequest, context: Context) -> pb.GetSealUseResponse:
        """Return every attempt at one sealing; a department sees those with its own seals."""
        del context
        refuse([] if is_uuid(request.signature_id) else [FIELD_MALFORMED.at("signature_id")])
        async with self._desk.database.transaction() as tx:
            uses = await uses_of(self._desk.work_of(tx), request.signature_id, own_only())
        return pb.GetSealUseResponse(uses=map(use_message, uses))


def _is_sequence(token: str) -> bool:
    return token.isascii() and token.isdecimal() and len(token) < 19
