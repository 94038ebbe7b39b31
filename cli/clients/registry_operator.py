"""The registry's replicas as an operator sees them, and look-ups across registries as a department makes them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from google.protobuf.json_format import MessageToDict

from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import federation_pb2_grpc

CALL_SECONDS = 20.0


class RegistryOperator:
    """FederationService as an operator uses it; each call opens and closes its own connection.

    Every call raises what the service refuses with, or PEER_UNAVAILABLE.
    """

    def __init__(self, tls: TlsFiles, address: str) -> None:
        self._tls, self._address = tls, address

    async def replicas(self) -> list[dict[str, Any]]:
        """Return how far each replica is, in plain values."""
        answer = await self._call("ListReplicas", pb.ListReplicasRequest())
        return [
            {
                "registry_id": each.registry_id,
                "through": each.through,
                "as_of": each.as_of.ToJsonString() if each.HasField("as_of") else "",
                "age_seconds": each.age_seconds,
                "log_size": each.log_size,
                "licences": each.licences,
                "owed_uses": each.owed_uses,
                "frozen_at": each.frozen_at.ToJsonString() if each.HasField("frozen_at") else "",
                "frozen_cause": each.frozen_cause,
                "checkpoint": each.checkpoint,
                "fork_note": each.fork_note,
                "refused": dict(each.refused),
            }
            for each in answer.replicas
        ]

    async def restart(self, registry_id: str, reason: str) -> None:
        """Have a replica filled anew."""
        request = pb.RestartReplicaRequest(request_id=str(uuid4()), registry_id=registry_id, reason=reason)
        await self._call("RestartReplica", request)

    async def find(self, request: pb.FindSharedRequest) -> dict[str, Any]:
        """Return what every registry says of a holder, in plain values; for a department's identity."""
        return MessageToDict(await self._call("FindShared", request), preserving_proto_field_name=True)

    async def _call(self, method: str, request: Any) -> Any:
        peer = open_channel(self._address, service_peer("certs"), self._tls, limit_seconds=CALL_SECONDS)
        try:
            stub = federation_pb2_grpc.FederationServiceStub(peer.channel)
            return await peer.call(getattr(stub, method), request)
        finally:
            await peer.close()
