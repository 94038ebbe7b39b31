"""Using seals and the right to use them, as an operator's or a department's system does, over mutual TLS."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from chassis.errors import FIELD_MALFORMED, Fault, refuse
from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc, use_pb2

CALL_SECONDS = 20.0
CHUNK_BYTES = 256 * 1024
LARGEST_ITEM_BYTES = 6 * 1024 * 1024
"""A larger document goes by itself."""
_PREFIXES = ("DOCUMENT_TYPE_", "DOCUMENT_FORMAT_", "PROTECT_MODE_", "GRANTEE_KIND_")


@dataclass(frozen=True, slots=True)
class Signed:
    """What became of one file: its signature and where the sealed document lies, or why it was refused."""

    file: Path
    signature_id: str = ""
    sha256: str = ""
    written: Path | None = None
    reason: str = ""
    zh: str = ""
    en: str = ""


class SealDesk:
    """SignatureService; answers are plain values. Use it as an async context manager.

    Every call raises what the service refuses with, or PEER_UNAVAILABLE.
    """

    def __init__(self, tls: TlsFiles, address: str) -> None:
        self._peer = open_channel(address, service_peer("seal"), tls, limit_seconds=CALL_SECONDS)
        self._stub: Any = seal_pb2_grpc.SignatureServiceStub(self._peer.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._peer.close()

    async def grant(self, kind: str, document_type: str, until: str | None, **said: Any) -> dict[str, Any]:
        """Grant the use of a seal; return the grant."""
        request = use_pb2.GrantSealUseRequest(
            request_id=_new_id(),
            grantee_kind=use_pb2.GranteeKind.Value(f"GRANTEE_KIND_{kind.upper()}"),
            document_type=type_number(document_type),
            valid_until=_moment(until, "--until") if until else None,
            **said,
        )
        return _plain((await self._call("GrantSealUse", request)).grant)

    async def withdraw(self, **said: str) -> dict[str, Any]:
        """End a grant; return it."""
        request = use_pb2.WithdrawSealGrantRequest(request_id=_new_id(), **said)
        return _plain((await self._call("WithdrawSealGrant", request)).grant)

    async def grants(self, seal_id: str) -> list[dict[str, Any]]:
        """Return every grant of a seal."""
        answer = await self._call("ListSealGrants", use_pb2.ListSealGrantsRequest(seal_id=seal_id))
        return list(map(_plain, answer.grants))

    async def rules(self, seal_id: str) -> dict[str, Any]:
        """Return a seal's rules, and its uses of today."""
        answer = await self._call("GetSealRules", use_pb2.GetSealRulesRequest(seal_id=seal_id))
        return _plain(answer.rules) | {"used_today": answer.used_today}

    async def change_rules(self, seal_id: str, changed: dict[str, int], **said: Any) -> dict[str, Any]:
        """Change some of a seal's rules; return all."""
        present = await self.rules(seal_id)
        numbers = {name: present[name] for name in ("quorum", "daily_limit", "burst_limit")} | changed
        request = use_pb2.ChangeSealRulesRequest(
            request_id=_new_id(), seal_id=seal_id, etag=present["etag"], **numbers, **said
        )
        return _plain((await self._call("ChangeSealRules", request)).rules)

    async def approve(self, **said: str) -> dict[str, Any]:
        """Approve the use of a seal under one document; return how far its approval is."""
        return _plain(
            await self._call("ApproveSealUse", use_pb2.ApproveSealUseRequest(request_id=_new_id(), **said))
        )

    async def uses(self, limit: int, document_type: str = "", **wanted: Any) -> list[dict[str, Any]]:
        """Return the newest uses, as many as are wanted."""
        found: list[dict[str, Any]] = []
        token = ""
        while len(found) < limit:
            request = seal_pb2.ListSealUsesRequest(
                page_size=min(200, limit - len(found)),
                page_token=token,
                document_type=type_number(document_type) if document_type else 0,  # type: ignore[arg-type]  # none is 0
                **wanted,
            )
            answer = await self._call("ListSealUses", request)
            found += map(_plain, answer.uses)
            token = answer.next_page_token
            if not token:
                break
        return found

    async def sign(
        self,
        files: Sequence[Path],
        task: use_pb2.SealTask,
        request_id: str,
        to: Callable[[Path], Path],
        item_id: Callable[[bytes], str],
    ) -> AsyncIterator[Signed]:
        """Seal files as one batch, larger ones by themselves; yield each when it is done, its document written.

        The same request again answers for what was sealed already with the same signatures.
        """
        small = [each for each in files if each.stat().st_size <= LARGEST_ITEM_BYTES]
        waiting: dict[str, list[Path]] = {}

        async def requests() -> AsyncIterator[use_pb2.SealBatchRequest]:
            yield use_pb2.SealBatchRequest(request_id=request_id, task=task)
            for file in small:
                document = file.read_bytes()
                named = item_id(document)
                waiting.setdefault(named, []).append(file)
                yield use_pb2.SealBatchRequest(item=use_pb2.BatchItem(item_id=named, document=document))

        if small:
            async for answer in self._peer.exchange(self._stub.SealBatch, requests()):
                file = waiting[answer.item_id].pop()
                if answer.WhichOneof("result") == "refused":
                    yield _refused(file, answer.refused)
                else:
                    yield _written(file, answer.sealed.signature, answer.sealed.document, to(file))
        for file in files:
            if file not in small:
                document = file.read_bytes()
                own_id = str(uuid.uuid5(uuid.UUID(request_id), item_id(document)))
                try:
                    signature, sealed = await self._sign_one(document, task, own_id)
                except Fault as fault:
                    yield Signed(file, reason=fault.code, zh=fault.zh, en=fault.en)
                else:
                    yield _written(file, signature, sealed, to(file))

    async def _sign_one(
        self, document: bytes, task: use_pb2.SealTask, request_id: str
    ) -> tuple[use_pb2.DocumentSignature, bytes]:
        async def requests() -> AsyncIterator[use_pb2.SealDocumentRequest]:
            yield use_pb2.SealDocumentRequest(request_id=request_id, task=task)
            for start in range(0, len(document), CHUNK_BYTES):
                yield use_pb2.SealDocumentRequest(chunk=document[start : start + CHUNK_BYTES])

        signature, chunks = use_pb2.DocumentSignature(), []
        async for answer in self._peer.exchange(self._stub.SealDocument, requests()):
            if answer.WhichOneof("part") == "signature":
                signature = answer.signature
            else:
                chunks.append(answer.chunk)
        return signature, b"".join(chunks)

    async def _call(self, method: str, request: Any) -> Any:
        return await self._peer.call(getattr(self._stub, method), request)


def type_number(word: str) -> use_pb2.DocumentType.ValueType:
    """Return the number of a document type. Raises INVALID_REQUEST."""
    try:
        return use_pb2.DocumentType.Value(f"DOCUMENT_TYPE_{word.upper()}")
    except ValueError:
        refuse([FIELD_MALFORMED.at("--type")])
        raise


def _written(file: Path, signature: use_pb2.DocumentSignature, document: bytes, to: Path) -> Signed:
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_bytes(document)
    return Signed(file, signature.signature_id, signature.sha256, to)


def _refused(file: Path, status: status_pb2.Status) -> Signed:
    info, local = details.ErrorInfo(), details.LocalizedMessage()
    for each in status.details:
        each.Unpack(info)
        each.Unpack(local)
    return Signed(file, reason=info.reason, zh=local.message, en=status.message)


def _plain(message: Any) -> dict[str, Any]:
    """Return a message as JSON values; enumerations by their bare words in lower case."""
    found = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return {name: _word(value) for name, value in found.items()}


def _word(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _word(each) for name, each in value.items()}
    for prefix in _PREFIXES if isinstance(value, str) else ():
        if value.startswith(prefix):
            return value.removeprefix(prefix).lower()
    return value


def _moment(text: str, field: str) -> Timestamp:
    found = Timestamp()
    try:
        found.FromJsonString(text)
    except ValueError:
        refuse([FIELD_MALFORMED.at(field)])
    return found


def _new_id() -> str:
    return str(uuid.uuid4())
