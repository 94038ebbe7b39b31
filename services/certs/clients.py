"""What certs asks of others: the data of an approval, from intake; sealed documents, from seal."""

from __future__ import annotations

from datetime import UTC

from chassis.clock import Clock
from chassis.rpc.channel import PeerChannel
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData
from services.certs.usecases.make import SealedDocument
from tongban.intake.v1 import issuing_pb2, issuing_pb2_grpc
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc

VERIFY_SECONDS = 10.0
"""Verification digests every member of the package; the default limit of a call is for look-ups."""


class Approvals:
    """The data of approved parts."""

    def __init__(self, intake: PeerChannel) -> None:
        self._intake = intake
        self._stub = issuing_pb2_grpc.IssuingServiceStub(intake.channel)

    async def of_part(self, part_id: str) -> IssueData:
        """Return what an approved part says about its licence. Raises what intake answers."""
        answer = await self._intake.call(
            self._stub.GetIssueData, issuing_pb2.GetIssueDataRequest(part_id=part_id)
        )
        return IssueData(
            case_id=answer.case_id,
            part_id=answer.part_id,
            item_code=answer.item_code,
            type_code=answer.licence_type_code,
            county_code=answer.county_code,
            issuer_code=answer.issuer_code,
            issuer_name=answer.issuer_name,
            holder=Holder(answer.holder_id_type_code, answer.holder_id_number, answer.holder_name),
            face=dict(answer.face),
            validity_years=answer.validity_years,
            decided_at=answer.decided_at.ToDatetime(tzinfo=UTC),
        )


class SealedDocuments:
    """Sealed documents, each with what its verification said."""

    def __init__(self, seal: PeerChannel, clock: Clock) -> None:
        self._seal, self._clock = seal, clock
        self._signatures = seal_pb2_grpc.SignatureServiceStub(seal.channel)
        self._verification = seal_pb2_grpc.VerificationServiceStub(seal.channel)

    async def of_signature(self, signature_id: str) -> SealedDocument:
        """Fetch a sealed document and have it verified as of now. Raises what seal answers."""
        answer = await self._seal.call(
            self._signatures.GetSealedDocument, seal_pb2.GetSealedDocumentRequest(signature_id=signature_id)
        )
        report = await self._seal.call(
            self._verification.VerifyDocument,
            seal_pb2.VerifyDocumentRequest(document=answer.ofd),
            timeout_seconds=VERIFY_SECONDS,
        )
        return SealedDocument(signature_id, answer.ofd, answer.sha256, report.verdict, self._clock())
