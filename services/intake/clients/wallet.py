"""The registry as holders and inspectors meet it: own licences and presentations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from chassis.rpc.channel import PeerChannel
from services.intake.usecases.licences import DocumentForm, Holder, OwnLicence, Presentation, Scan
from tongban.certs.v1 import (
    licence_pb2,
    licence_pb2_grpc,
    presentation_pb2,
    presentation_pb2_grpc,
)

_OWN = licence_pb2.Purpose(use_cause="持证人查看本人电子证照", basis=licence_pb2.BASIS_SHOWN_BY_HOLDER)


class CertsWallet:
    """The port ``Wallet``."""

    def __init__(self, certs: PeerChannel) -> None:
        self._certs = certs
        self._licences = licence_pb2_grpc.LicenceServiceStub(certs.channel)
        self._presentations = presentation_pb2_grpc.PresentationServiceStub(certs.channel)

    async def of_holder(self, holder: Holder) -> Sequence[OwnLicence]:
        """Return the holder's licences of every county and type."""
        request = licence_pb2.FindLicencesRequest(
            holder_id_type_code=holder[0], holder_id_number=holder[1], purpose=_OWN
        )
        answer = await self._certs.call(self._licences.FindLicences, request)
        return [_licence(each) for each in answer.licences]

    async def document(self, licence_id: str, form: DocumentForm) -> bytes:
        """Return the sealed document."""
        wanted = licence_pb2.DocumentFormat.Value(f"DOCUMENT_FORMAT_{form.name}")
        request = licence_pb2.GetLicenceDocumentRequest(licence_id=licence_id, purpose=_OWN, format=wanted)
        answer = await self._certs.call(self._licences.GetLicenceDocument, request)
        return answer.pdf if form is DocumentForm.PDF else answer.ofd

    async def present(self, licence_id: str, holder: Holder, request_id: str) -> Presentation:
        """Return a fresh presentation, the same for the same request id."""
        request = presentation_pb2.CreatePresentationRequest(
            request_id=request_id,
            licence_id=licence_id,
            holder_id_type_code=holder[0],
            holder_id_number=holder[1],
        )
        answer = await self._certs.call(self._presentations.CreatePresentation, request)
        return Presentation(answer.code, answer.qr_text, answer.expires_at.ToDatetime(tzinfo=UTC))

    async def scan(self, code: str, request_id: str) -> Scan:
        """Take the one scan of a code."""
        request = presentation_pb2.VerifyPresentationRequest(request_id=request_id, code=code)
        answer = await self._certs.call(self._presentations.VerifyPresentation, request)
        return Scan(_licence(answer.licence), answer.verdict, answer.verified_at.ToDatetime(tzinfo=UTC))


def _licence(message: licence_pb2.Licence) -> OwnLicence:
    status = licence_pb2.LicenceStatus.Name(message.status)
    return OwnLicence(
        licence_id=message.licence_id,
        identifier=message.identifier,
        type_code=message.type_code,
        type_name=message.type_name,
        number=message.number,
        status=status.removeprefix("LICENCE_STATUS_").lower(),
        issuer_name=message.issuer_name,
        county_code=message.county_code,
        holder_name=message.holder_name,
        issued_date=message.issued_date,
        valid_from=message.valid_from,
        valid_until=message.valid_until,
        trust_grade=message.trust_grade,
        face=dict(message.face),
    )
