"""Verification of sealed documents, asked of seal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC

from chassis.rpc.channel import PeerChannel
from services.intake.clients.file_reports import check_of, file_report
from services.intake.usecases.file_verification import FileReport
from services.intake.usecases.licences import DocumentReport, SignatureReport
from tongban.seal.v1 import report_pb2, seal_pb2, seal_pb2_grpc

TIMEOUT_SECONDS = 20.0
"""A document of 20 MB with many seals is digested and verified whole."""


CHUNK_BYTES = 256 * 1024
FILE_TIMEOUT_SECONDS = 24.0
"""A file may have to wait for its turn at seal; whoever asks us waits little longer."""


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

    async def verify_file(self, content: bytes) -> FileReport:
        """Return the report on an OFD or a PDF as of now. Raises FILE_KIND_UNKNOWN, as seal answers it."""

        async def requests() -> AsyncIterator[report_pb2.VerifyFileRequest]:
            yield report_pb2.VerifyFileRequest(options=report_pb2.VerifyFileOptions())
            for start in range(0, len(content), CHUNK_BYTES):
                yield report_pb2.VerifyFileRequest(chunk=content[start : start + CHUNK_BYTES])

        answer = await self._seal.upload(
            self._stub.VerifyFile, requests(), timeout_seconds=FILE_TIMEOUT_SECONDS
        )
        return file_report(answer)


def _signature(message: seal_pb2.SignatureReport) -> SignatureReport:
    return SignatureReport(
        verdict=message.verdict,
        seal_id=message.seal_id,
        seal_name=message.seal_name,
        signed_at=message.signed_at.ToDatetime(tzinfo=UTC) if message.HasField("signed_at") else None,
        checks=[check_of(each) for each in message.checks],
    )
