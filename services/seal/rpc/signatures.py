"""SignatureService: sealed documents and the ledger of uses."""

from __future__ import annotations

from uuid import UUID

import grpc

from chassis.errors import FIELD_MALFORMED, refuse
from chassis.rpc.moments import stamp
from services.seal.rpc.messages import check_page_size, own_only, use_message
from services.seal.usecases.ports import UnitOfWork
from services.seal.usecases.read_register import list_uses, sealed_document
from tongban.seal.v1 import seal_pb2 as pb
from tongban.seal.v1 import seal_pb2_grpc

Context = grpc.aio.ServicerContext[object, object]


class SignatureServicer(seal_pb2_grpc.SignatureServiceServicer):
    """Opens one transaction per call and hands it to the use case."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit

    async def GetSealedDocument(
        self, request: pb.GetSealedDocumentRequest, context: Context
    ) -> pb.GetSealedDocumentResponse:
        """Return the sealed bytes of a signature."""
        del context
        try:
            UUID(request.signature_id)
        except ValueError:
            refuse([FIELD_MALFORMED.at("signature_id")])
        async with self._unit() as work:
            document = await sealed_document(work, request.signature_id)
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
        token = request.page_token
        refuse([FIELD_MALFORMED.at("page_token")] if token and not _is_sequence(token) else [])
        async with self._unit() as work:
            uses, next_token = await list_uses(
                work, request.seal_id, own_only(), request.page_size, int(token) if token else None
            )
        return pb.ListSealUsesResponse(uses=map(use_message, uses), next_page_token=next_token)


def _is_sequence(token: str) -> bool:
    return token.isascii() and token.isdecimal() and len(token) < 19
