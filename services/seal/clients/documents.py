"""Documents that wait for a seal, asked of certs."""

from __future__ import annotations

from chassis.rpc.channel import PeerChannel
from services.seal.usecases.ports import UnsealedDocument
from tongban.certs.v1 import licence_pb2, licence_pb2_grpc


class CertsDocuments:
    """Implements the port Documents."""

    def __init__(self, certs: PeerChannel) -> None:
        self._certs = certs
        self._stub = licence_pb2_grpc.LicenceServiceStub(certs.channel)

    async def unsealed(self, licence_id: str) -> UnsealedDocument:
        """Return the document of a licence. Raises what certs answers, or PEER_UNAVAILABLE."""
        answer = await self._certs.call(
            self._stub.GetUnsealedDocument, licence_pb2.GetUnsealedDocumentRequest(licence_id=licence_id)
        )
        return UnsealedDocument(
            answer.ofd, answer.issuer_code, answer.case_id, answer.seal_x_mm, answer.seal_y_mm
        )

    async def unsealed_pdf(self, licence_id: str) -> UnsealedDocument:
        """Return the PDF companion of a licence. Raises what certs answers, or PEER_UNAVAILABLE."""
        request = licence_pb2.GetUnsealedDocumentRequest(
            licence_id=licence_id, format=licence_pb2.DOCUMENT_FORMAT_PDF
        )
        answer = await self._certs.call(self._stub.GetUnsealedDocument, request)
        return UnsealedDocument(
            answer.pdf, answer.issuer_code, answer.case_id, answer.seal_x_mm, answer.seal_y_mm
        )
