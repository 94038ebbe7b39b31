"""The licence registry (certs) over gRPC, asked as the acting person of the current call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from chassis.rpc.channel import PeerChannel
from chassis.rpc.moments import stamp
from services.intake.usecases.cases.ports import Agency, FoundLicence, UseCodeOrder
from tongban.certs.v1 import evidence_pb2, evidence_pb2_grpc, licence_pb2_grpc, use_code_pb2_grpc
from tongban.certs.v1 import licence_pb2 as licence_pb
from tongban.certs.v1 import use_code_pb2 as use_pb

ENTRUSTED_LIMIT = 100
"""Licences of one holder among which an agent chooses: the registry's largest page."""


class CertsLicences:
    """The port ``Licences``."""

    def __init__(self, certs: PeerChannel) -> None:
        self._certs = certs
        self._licences = licence_pb2_grpc.LicenceServiceStub(certs.channel)
        self._evidence = evidence_pb2_grpc.EvidenceServiceStub(certs.channel)
        self._use_codes = use_code_pb2_grpc.UseCodeServiceStub(certs.channel)

    async def find(
        self,
        *,
        holder_id_type_code: str,
        holder_id_number: str,
        type_codes: Sequence[str],
        use_cause: str,
        item_code: str,
        case_id: str,
        agency: Agency | None = None,
    ) -> Sequence[FoundLicence]:
        """Return the holder's licences of these types that are in force, names masked; for an agent those entrusted."""
        if agency is not None:
            holder = holder_id_type_code, holder_id_number
            purpose = _purpose(use_cause, item_code, case_id, licence_pb.BASIS_CONSENT)
            return await self._find_entrusted(agency, holder, type_codes, purpose)
        answer = await self._certs.call(
            self._licences.FindLicences,
            licence_pb.FindLicencesRequest(
                holder_id_type_code=holder_id_type_code,
                holder_id_number=holder_id_number,
                type_codes=type_codes,
                purpose=_purpose(use_cause, item_code, case_id, licence_pb.BASIS_CONSENT),
                usable_only=True,
            ),
        )
        return [_found(each) for each in answer.licences]

    async def _find_entrusted(
        self, agency: Agency, holder: tuple[str, str], type_codes: Sequence[str], purpose: licence_pb.Purpose
    ) -> Sequence[FoundLicence]:
        request = evidence_pb2.SearchLicencesRequest(
            query=evidence_pb2.LicenceQuery(
                holder=evidence_pb2.HolderQuery(
                    holder_id_type_code=holder[0], holder_id_number=holder[1], type_codes=type_codes
                )
            ),
            purpose=purpose,
            page_size=ENTRUSTED_LIMIT,
            entrustment_id=agency.entrustment_id,
            agent_id_type_code=agency.id_type_code,
            agent_id_number=agency.id_number,
        )
        answer = await self._certs.call(self._evidence.SearchLicences, request)
        valid = licence_pb.LICENCE_STATUS_VALID
        return [_found(each) for each in answer.licences if each.status == valid]

    async def issue_use_code(self, order: UseCodeOrder, request_id: str) -> tuple[str, datetime]:
        """Return a fresh use-code for one use, and when it expires."""
        answer = await self._certs.call(
            self._use_codes.IssueUseCode,
            use_pb.IssueUseCodeRequest(
                request_id=request_id,
                licence_id=order.licence_id,
                holder_id_type_code=order.holder_id_type_code,
                holder_id_number=order.holder_id_number,
                item_code=order.item_code,
                case_id=order.case_id,
                consumer_code=order.consumer_code,
                face_fields=order.face_fields,
                use_cause=order.use_cause,
                expires_at=stamp(order.expires_at),
                max_uses=1,
                consent_version=order.consent_version,
                consented_at=stamp(order.consented_at),
                consent_id=order.consent_id,
                entrustment_id=order.agency.entrustment_id if order.agency else "",
                agent_id_type_code=order.agency.id_type_code if order.agency else "",
                agent_id_number=order.agency.id_number if order.agency else "",
            ),
        )
        return answer.use_code, answer.expires_at.ToDatetime(tzinfo=UTC)

    async def revoke_use_codes(self, case_id: str, reason: str, request_id: str) -> int:
        """Take back all use-codes of a case; return how many."""
        answer = await self._certs.call(
            self._use_codes.RevokeUseCodes,
            use_pb.RevokeUseCodesRequest(request_id=request_id, case_id=case_id, reason=reason),
        )
        return answer.revoked

    async def document(self, licence_id: str, *, use_cause: str, item_code: str, case_id: str) -> bytes:
        """Return the sealed OFD of a licence in force."""
        answer = await self._certs.call(
            self._licences.GetLicenceDocument,
            licence_pb.GetLicenceDocumentRequest(
                licence_id=licence_id,
                purpose=_purpose(use_cause, item_code, case_id, licence_pb.BASIS_STATUTORY_DUTY),
            ),
        )
        return answer.ofd


def _purpose(
    use_cause: str, item_code: str, case_id: str, basis: licence_pb.Basis.ValueType
) -> licence_pb.Purpose:
    return licence_pb.Purpose(use_cause=use_cause, basis=basis, item_code=item_code, case_id=case_id)


def _found(wire: licence_pb.Licence) -> FoundLicence:
    return FoundLicence(
        licence_id=wire.licence_id,
        type_code=wire.type_code,
        type_name=wire.type_name,
        number=wire.number,
        issuer_name=wire.issuer_name,
        county_code=wire.county_code,
        holder_name=wire.holder_name,
        issued_date=wire.issued_date,
        valid_until=wire.valid_until,
        trust_grade=wire.trust_grade,
        face=dict(wire.face),
    )
