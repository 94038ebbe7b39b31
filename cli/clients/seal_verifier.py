"""A sealed file verified by the running service, with its register and its ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.json_format import MessageToDict

from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from tongban.seal.v1 import report_pb2, seal_pb2_grpc

CALL_SECONDS = 60.0
CHUNK_BYTES = 256 * 1024


class SealVerifier:
    """VerificationService as an operator uses it; each call has a connection of its own."""

    def __init__(self, tls: TlsFiles, address: str) -> None:
        self._tls, self._address = tls, address

    async def verify(self, content: bytes) -> dict[str, Any]:
        """Return what `services.seal.app.verify_offline` returns, as the service answers it now.

        Raises FILE_KIND_UNKNOWN, BODY_TOO_LARGE, PEER_UNAVAILABLE.
        """

        async def requests() -> AsyncIterator[report_pb2.VerifyFileRequest]:
            yield report_pb2.VerifyFileRequest(options=report_pb2.VerifyFileOptions())
            for start in range(0, len(content), CHUNK_BYTES):
                yield report_pb2.VerifyFileRequest(chunk=content[start : start + CHUNK_BYTES])

        peer = open_channel(self._address, service_peer("seal"), self._tls, limit_seconds=CALL_SECONDS)
        try:
            stub: Any = seal_pb2_grpc.VerificationServiceStub(peer.channel)
            answer = await peer.upload(stub.VerifyFile, requests())
        finally:
            await peer.close()
        plain = MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )
        return _as_offline(plain)


def _as_offline(found: dict[str, Any]) -> dict[str, Any]:
    container = _check(found["container"])
    signatures = [
        {**each, "checks": [*map(_check, each["checks"])], "now_checks": [*map(_check, each["now_checks"])]}
        for each in found["signatures"]
    ]
    return {**found, "container": container, "signatures": signatures}


def _check(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, "detail": found["detail_zh"]}
