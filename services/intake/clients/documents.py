"""Verification of sealed documents, asked of seal."""

from __future__ import annotations

from datetime import UTC

from chassis.rpc.channel import PeerChannel
from services.intake.usecases.licences import DocumentReport, SealCheck, SignatureReport
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc

TIMEOUT_SECONDS = 20.0
"""A document of 20 MB with many seals is digested and verified whole."""


class SealDocuments:
    """The port ``SealVerifier``."""

    def __init__(self, seal: PeerChannel) -> None:
        self._seal = seal
        self._stub = seal_pb2_grpc.VerificationServiceStub(seal.channel)

    async def verify(self, document: bytes) -> DocumentReport:
        """Return the report on an OFD as of now."""
        request = seal_pb2.VerifyDocumentRequest(document=document)
        answer = await self._seal.call(self._stub.VerifyDocument, request, timeout_seconds=TIMEOUT_SECONDS)
        return DocumentReport(answer.verdict, [_signature(each) for each in answer.signatures])


def _signature(message: seal_pb2.SignatureReport) -> SignatureReport:
    return SignatureReport(
        verdict=message.verdict,
        seal_id=message.seal_id,
        seal_name=message.seal_name,
        signed_at=message.signed_at.ToDatetime(tzinfo=UTC) if message.HasField("signed_at") else None,
        checks=[
            SealCheck(each.name, each.result, each.reason, each.detail_zh, each.detail_en, each.clause)
            for each in message.checks
        ],
    )
