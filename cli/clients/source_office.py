"""An operator at the registry's sources: register, list, look at conflicts and resolve them, over mutual TLS."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Self

from google.protobuf.json_format import MessageToDict, ParseDict

from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from tongban.certs.v1 import source_pb2 as pb
from tongban.certs.v1 import source_pb2_grpc

CALL_SECONDS = 20.0
PAGE = 100
RESOLUTIONS = {"kept": pb.CONFLICT_RESOLUTION_KEPT, "taken": pb.CONFLICT_RESOLUTION_TAKEN}


class SourceOffice:
    """SourceService as an operator uses it; answers are plain values. Use it as an async context manager.

    Every call raises what the service refuses with, or PEER_UNAVAILABLE.
    """

    def __init__(self, tls: TlsFiles, address: str) -> None:
        self._peer = open_channel(address, service_peer("certs"), tls, limit_seconds=CALL_SECONDS)
        self._stub: Any = source_pb2_grpc.SourceServiceStub(self._peer.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._peer.close()

    async def register(self, source: Mapping[str, Any]) -> dict[str, Any]:
        """Register a source, or give a known one new particulars under its etag, and return it."""
        request = pb.RegisterSourceRequest(
            request_id=str(uuid.uuid4()), source=ParseDict(dict(source), pb.Source())
        )
        return _plain((await self._peer.call(self._stub.RegisterSource, request)).source)

    async def all(self) -> list[dict[str, Any]]:
        """Return every source."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            request = pb.ListSourcesRequest(page_size=PAGE, page_token=token)
            answer = await self._peer.call(self._stub.ListSources, request)
            found += map(_plain, answer.sources)
            token = answer.next_page_token
            if not token:
                return found

    async def conflicts(self, *, open_only: bool) -> list[dict[str, Any]]:
        """Return conflicts, newest first."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            request = pb.ListImportConflictsRequest(page_size=PAGE, page_token=token, open_only=open_only)
            answer = await self._peer.call(self._stub.ListImportConflicts, request)
            found += map(_conflict, answer.conflicts)
            token = answer.next_page_token
            if not token:
                return found

    async def resolve(self, conflict_id: str, resolution: str, reason: str) -> dict[str, Any]:
        """Resolve a conflict by one of `RESOLUTIONS` and return it."""
        request = pb.ResolveImportConflictRequest(
            request_id=str(uuid.uuid4()),
            conflict_id=conflict_id,
            resolution=RESOLUTIONS[resolution],
            reason=reason,
        )
        return _conflict((await self._peer.call(self._stub.ResolveImportConflict, request)).conflict)


def _conflict(message: Any) -> dict[str, Any]:
    found = _plain(message)
    found["resolution"] = str(found["resolution"]).removeprefix("CONFLICT_RESOLUTION_").lower()
    return found


def _plain(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
