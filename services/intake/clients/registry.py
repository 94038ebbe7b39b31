"""Yes or no of the registry: whether a business licence names someone as its representative."""

from __future__ import annotations

from chassis.rpc.channel import PeerChannel
from services.intake.domain.identity.person import UNIFIED_CODE
from services.intake.domain.identity.representation import (
    BUSINESS_LICENCE_TYPE,
    ORGANISATION_NAME_FIELD,
    REPRESENTATIVE_FIELD,
)
from services.intake.usecases.identity.ports import BusinessLicence
from tongban.certs.v1 import confirmation_pb2, confirmation_pb2_grpc, licence_pb2

_PURPOSE = licence_pb2.Purpose(
    use_cause="核验法定代表人身份，登记代表关系", basis=licence_pb2.BASIS_SHOWN_BY_HOLDER
)


class CertsRegistry:
    """The port ``LicenceRegistry``."""

    def __init__(self, certs: PeerChannel) -> None:
        self._certs = certs
        self._stub = confirmation_pb2_grpc.ConfirmationServiceStub(certs.channel)

    async def business_licence(self, uscc: str, representative: str) -> BusinessLicence | None:
        """Return the organisation's business licence if it is in force and names this representative."""
        request = confirmation_pb2.ConfirmFaceRequest(
            holder_id_type_code=UNIFIED_CODE,
            holder_id_number=uscc,
            type_code=BUSINESS_LICENCE_TYPE,
            face={REPRESENTATIVE_FIELD: representative},
            purpose=_PURPOSE,
        )
        answer = await self._certs.call(self._stub.ConfirmFace, request)
        if not answer.confirmed:
            return None
        return BusinessLicence(answer.licence.licence_id, answer.licence.face[ORGANISATION_NAME_FIELD])
