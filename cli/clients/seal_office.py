"""An operator at the register of seals: applications, seals and their states, over mutual TLS."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from asn1crypto import pem
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import FIELD_MALFORMED, Kind, declare, refuse
from chassis.rpc.channel import open_channel
from chassis.rpc.channel import service as service_peer
from chassis.rpc.tls import TlsFiles
from tongban.seal.v1 import application_pb2, seal_pb2, seal_pb2_grpc

_pem: Any = pem  # asn1crypto is untyped
CERTIFICATE_FILE = declare(
    "CERTIFICATE_FILE",
    Kind.INVALID_ARGUMENT,
    "证书文件无法读取：{file}",
    "No certificate can be read from {file}",
)
CALL_SECONDS = 20.0
_PREFIXES = ("SEAL_KIND_", "SEAL_STATUS_", "SEAL_APPLICATION_STATUS_")


class SealOffice:
    """SealService as an operator uses it; answers are plain values. Use it as an async context manager.

    Every call raises what the service refuses with, or PEER_UNAVAILABLE.
    """

    def __init__(self, tls: TlsFiles, address: str) -> None:
        self._peer = open_channel(address, service_peer("seal"), tls, limit_seconds=CALL_SECONDS)
        self._stub: Any = seal_pb2_grpc.SealServiceStub(self._peer.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._peer.close()

    async def apply(self, kind: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Apply for a seal of a kind; `wish` has the other fields of the request. Return the application."""
        request = application_pb2.ApplyForSealRequest(
            request_id=_new_id(), kind=application_pb2.SealKind.Value(f"SEAL_KIND_{kind.upper()}"), **wish
        )
        return _plain((await self._call("ApplyForSeal", request)).application)

    async def decide(
        self, application_id: str, *, approve: bool, reason: str, operator: str
    ) -> dict[str, Any]:
        """Approve or reject an application as it is now; return it."""
        request = application_pb2.DecideSealApplicationRequest(
            request_id=_new_id(),
            application_id=application_id,
            etag=(await self._application(application_id)).application.etag,
            approve=approve,
            reason=reason,
            operator=operator,
        )
        return _plain((await self._call("DecideSealApplication", request)).application)

    async def withdraw(self, application_id: str, reason: str, operator: str) -> dict[str, Any]:
        """Withdraw an application as it is now; return it."""
        request = application_pb2.WithdrawSealApplicationRequest(
            request_id=_new_id(),
            application_id=application_id,
            etag=(await self._application(application_id)).application.etag,
            reason=reason,
            operator=operator,
        )
        return _plain((await self._call("WithdrawSealApplication", request)).application)

    async def applications(self) -> list[dict[str, Any]]:
        """Return every application."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            request = application_pb2.ListSealApplicationsRequest(page_size=200, page_token=token)
            answer = await self._call("ListSealApplications", request)
            found += map(_plain, answer.applications)
            token = answer.next_page_token
            if not token:
                return found

    async def seals(self) -> list[dict[str, Any]]:
        """Return every seal."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            answer = await self._call("ListSeals", seal_pb2.ListSealsRequest(page_size=200, page_token=token))
            found += map(_plain, answer.seals)
            token = answer.next_page_token
            if not token:
                return found

    async def status(self, seal_id: str, at: str | None) -> dict[str, Any]:
        """Return the state of a seal at a moment (RFC 3339) or now."""
        request = seal_pb2.GetSealStatusRequest(seal_id=seal_id)
        if at is not None:
            request.at.CopyFrom(_moment(at))
        return {"seal_id": seal_id, **_plain(await self._call("GetSealStatus", request))}

    async def change(
        self, seal_id: str, status: str, reason: str, operator: str, second_person: str
    ) -> dict[str, Any]:
        """Have a seal in another state; return it."""
        etag = next((each["etag"] for each in await self.seals() if each["seal_id"] == seal_id), '"0"')
        request = seal_pb2.ChangeSealStatusRequest(
            request_id=_new_id(),
            seal_id=seal_id,
            etag=etag,
            status=seal_pb2.SealStatus.Value(f"SEAL_STATUS_{status.upper()}"),
            reason=reason,
            operator=operator,
            second_person=second_person,
        )
        return _plain((await self._call("ChangeSealStatus", request)).seal)

    async def certificate_requests(self, application_id: str) -> dict[str, bytes]:
        """Return the PKCS#10 requests of an application's keys, by suite."""
        answer = await self._application(application_id)
        return {each.suite: each.request_der for each in answer.requests}

    async def import_certificates(
        self, application_id: str, certificates: Mapping[str, Sequence[bytes]], operator: str
    ) -> dict[str, Any]:
        """Import certificates by suite, each followed by those above it; return the application."""
        request = application_pb2.ImportSealCertificatesRequest(
            request_id=_new_id(),
            application_id=application_id,
            certificates=[
                application_pb2.ImportedCertificate(suite=suite, certificate_der=leaf, chain_der=chain)
                for suite, (leaf, *chain) in certificates.items()
            ],
            operator=operator,
        )
        return _plain((await self._call("ImportSealCertificates", request)).application)

    async def picture(self, seal_id: str) -> tuple[bytes, int, int]:
        """Return a seal's picture and its size in millimetres."""
        answer = await self._call("GetSealPicture", application_pb2.GetSealPictureRequest(seal_id=seal_id))
        return answer.picture, answer.width_mm, answer.height_mm

    async def _application(self, application_id: str) -> Any:
        request = application_pb2.GetSealApplicationRequest(application_id=application_id)
        return await self._call("GetSealApplication", request)

    async def _call(self, method: str, request: Any) -> Any:
        return await self._peer.call(getattr(self._stub, method), request)


def certificates_of(path: Path) -> list[bytes]:
    """Return the certificates of a file as DER: one in DER, or any number in PEM. Raises CERTIFICATE_FILE."""
    try:
        data = path.read_bytes()
        found = [each[2] for each in _pem.unarmor(data, multiple=True)] if _pem.detect(data) else [data]
    except (OSError, ValueError) as problem:
        raise CERTIFICATE_FILE(file=path) from problem
    return found


def _plain(message: Any) -> dict[str, Any]:
    """Return a message as JSON values; enumerations by their bare words in lower case."""
    found = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return {name: _word(value) for name, value in found.items()}


def _word(value: Any) -> Any:
    for prefix in _PREFIXES if isinstance(value, str) else ():
        if value.startswith(prefix):
            return value.removeprefix(prefix).lower()
    return value


def _moment(text: str) -> Timestamp:
    found = Timestamp()
    try:
        found.FromJsonString(text)
    except ValueError:
        refuse([FIELD_MALFORMED.at("--at")])
    return found


def _new_id() -> str:
    return str(uuid.uuid4())
