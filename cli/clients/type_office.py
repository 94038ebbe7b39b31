"""An operator at the registry's licence types: publish, list, show, over mutual TLS."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from google.protobuf.json_format import MessageToDict

from chassis.errors import PEER_UNAVAILABLE
from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from tongban.certs.v1 import licence_type_pb2 as pb
from tongban.certs.v1 import licence_type_pb2_grpc

CALL_SECONDS = 20.0
PUBLISH_SECONDS = 3_600.0
"""Every stored licence may be looked at: some minutes for five million."""
PAGE = 100
_PREFIXES = {"outcome": "TYPE_OUTCOME_", "effect": "CHANGE_EFFECT_"}


class TypeOffice:
    """LicenceTypeService as an operator uses it; answers are plain values. Use it as an async context manager.

    Every call raises what the service refuses with, or PEER_UNAVAILABLE.
    """

    def __init__(self, tls: TlsFiles, address: str) -> None:
        self._peer = open_channel(address, service_peer("certs"), tls, limit_seconds=CALL_SECONDS)
        self._stub: Any = licence_type_pb2_grpc.LicenceTypeServiceStub(self._peer.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._peer.close()

    async def publish(
        self,
        documents: Sequence[Mapping[str, Any]],
        source: str,
        *,
        dry_run: bool,
        seen: Callable[[int, int], None] = lambda _read, _expected: None,
    ) -> dict[str, Any]:
        """Publish types, or rehearse it; return the report. ``seen`` is told licences read and expected."""
        request = pb.PublishLicenceTypesRequest(
            request_id=str(uuid.uuid4()),
            documents_json=[json.dumps(each, ensure_ascii=False, default=str) for each in documents],
            dry_run=dry_run,
            source=source,
        )
        method = self._stub.PublishLicenceTypes
        async for part in self._peer.stream(method, request, timeout_seconds=PUBLISH_SECONDS):
            if part.HasField("report"):
                return _report(part.report)
            seen(part.progress.licences_read, part.progress.licences_expected)
        raise PEER_UNAVAILABLE(peer="certs")

    async def all(self) -> list[dict[str, Any]]:
        """Return the newest version of every type."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            answer = await self._peer.call(
                self._stub.ListLicenceTypes, pb.ListLicenceTypesRequest(page_size=PAGE, page_token=token)
            )
            found += map(_licence_type, answer.types)
            token = answer.next_page_token
            if not token:
                return found

    async def get(self, type_code: str, version: int = 0) -> dict[str, Any]:
        """Return one version of a type, the newest for 0."""
        request = pb.GetLicenceTypeRequest(type_code=type_code, version=version)
        return _licence_type((await self._peer.call(self._stub.GetLicenceType, request)).type)


def _licence_type(message: Any) -> dict[str, Any]:
    found = _plain(message)
    found["document"] = json.loads(found.pop("document_json"))
    return found


def _report(message: Any) -> dict[str, Any]:
    types = []
    for each in message.types:
        changes = [_plain(change) | {"licences": change.licences} for change in each.changes]
        types.append(_plain(each) | {"changes": changes})
    return {"published": message.published, "licences_read": message.licences_read, "types": types}


def _plain(message: Any) -> dict[str, Any]:
    """Return a message as JSON values; its enumerations by their bare words in lower case."""
    found = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for name, prefix in _PREFIXES.items():
        if name in found:
            found[name] = str(found[name]).removeprefix(prefix).lower()
    return found
