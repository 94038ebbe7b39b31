"""Entrustments handed over to the registry (certs) and taken back there."""

from __future__ import annotations

from chassis.errors import Fault
from chassis.rpc.channel import PeerChannel
from services.intake.usecases.licences import Holder
from tongban.certs.v1 import use_code_pb2, use_code_pb2_grpc

_UNKNOWN = "ENTRUSTMENT_UNKNOWN"


class CertsEntrustments:
    """The port ``EntrustmentRegistry``."""

    def __init__(self, certs: PeerChannel) -> None:
        self._certs = certs
        self._use_codes = use_code_pb2_grpc.UseCodeServiceStub(certs.channel)

    async def record(self, statement: str, request_id: str) -> None:
        """Have the registry act on a signed entrustment; again is no change."""
        request = use_code_pb2.RecordEntrustmentRequest(request_id=request_id, statement=statement)
        await self._certs.call(self._use_codes.RecordEntrustment, request)

    async def revoke(self, entrustment_id: str, grantor: Holder, reason: str, request_id: str) -> int:
        """Have it take one back, with the unused codes under it; return how many. One it never had: 0."""
        request = use_code_pb2.RevokeEntrustmentRequest(
            request_id=request_id,
            entrustment_id=entrustment_id,
            holder_id_type_code=grantor[0],
            holder_id_number=grantor[1],
            reason=reason,
        )
        try:
            answer = await self._certs.call(self._use_codes.RevokeEntrustment, request)
        except Fault as problem:
            if problem.code == _UNKNOWN:
                return 0
            raise
        return answer.revoked_use_codes
