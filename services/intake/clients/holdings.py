"""The registry as holders ask it: who used their licences, and their disputes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from chassis.rpc.channel import PeerChannel
from chassis.rpc.moments import stamp
from services.intake.usecases.holdings import (
    Complaint,
    HolderDispute,
    LicenceUse,
    UseFilter,
    UseStatement,
)
from services.intake.usecases.licences import Holder
from tongban.certs.v1 import dispute_pb2, dispute_pb2_grpc, holder_pb2, holder_pb2_grpc, licence_pb2

_KINDS = {"content": dispute_pb2.DISPUTE_KIND_CONTENT, "use": dispute_pb2.DISPUTE_KIND_USE}


class CertsHoldings:
    """The port ``Holdings``."""

    def __init__(self, certs: PeerChannel) -> None:
        self._certs = certs
        self._uses = holder_pb2_grpc.HolderServiceStub(certs.channel)
        self._disputes = dispute_pb2_grpc.DisputeServiceStub(certs.channel)

    async def uses(
        self, holder: Holder, wanted: UseFilter, page_size: int, page_token: str
    ) -> tuple[Sequence[LicenceUse], str]:
        """Return a page of uses, newest first, and the token of the next."""
        request = holder_pb2.ListHolderUsesRequest(
            holder_id_type_code=holder[0],
            holder_id_number=holder[1],
            licence_id=wanted.licence_id,
            used_from=_stamp(wanted.used_from),
            used_before=_stamp(wanted.used_before),
            page_size=page_size,
            page_token=page_token,
        )
        answer = await self._certs.call(self._uses.ListHolderUses, request)
        return [_use(each) for each in answer.uses], answer.next_page_token

    async def export(self, holder: Holder, wanted: UseFilter, page_token: str) -> UseStatement:
        """Return a page of uses as a signed statement."""
        request = holder_pb2.ExportHolderUsesRequest(
            holder_id_type_code=holder[0],
            holder_id_number=holder[1],
            licence_id=wanted.licence_id,
            used_from=_stamp(wanted.used_from),
            used_before=_stamp(wanted.used_before),
            page_token=page_token,
        )
        answer = await self._certs.call(self._uses.ExportHolderUses, request)
        return UseStatement(answer.signed_json, answer.uses, answer.next_page_token, answer.salt)

    async def open_dispute(self, holder: Holder, complaint: Complaint, request_id: str) -> HolderDispute:
        """Open a dispute, one per request id."""
        request = dispute_pb2.OpenDisputeRequest(
            request_id=request_id,
            holder_id_type_code=holder[0],
            holder_id_number=holder[1],
            licence_id=complaint.licence_id,
            kind=_KINDS[complaint.kind],
            usage_id=complaint.usage_id,
            statement=complaint.statement,
        )
        return _dispute((await self._certs.call(self._disputes.OpenDispute, request)).dispute)

    async def withdraw_dispute(
        self, holder: Holder, dispute_id: str, etag: str, reason: str, request_id: str
    ) -> HolderDispute:
        """Take a dispute back."""
        request = dispute_pb2.WithdrawDisputeRequest(
            request_id=request_id,
            holder_id_type_code=holder[0],
            holder_id_number=holder[1],
            dispute_id=dispute_id,
            etag=etag,
            reason=reason,
        )
        return _dispute((await self._certs.call(self._disputes.WithdrawDispute, request)).dispute)

    async def disputes(
        self, holder: Holder, page_size: int, page_token: str
    ) -> tuple[Sequence[HolderDispute], str]:
        """Return a page of the holder's disputes, newest first, and the token of the next."""
        request = dispute_pb2.ListHolderDisputesRequest(
            holder_id_type_code=holder[0],
            holder_id_number=holder[1],
            page_size=page_size,
            page_token=page_token,
        )
        answer = await self._certs.call(self._disputes.ListHolderDisputes, request)
        return [_dispute(each) for each in answer.disputes], answer.next_page_token


def _stamp(moment: datetime | None) -> Timestamp | None:
    return stamp(moment) if moment else None


def _use(message: holder_pb2.HolderUse) -> LicenceUse:
    basis = licence_pb2.Basis.Name(message.basis).removeprefix("BASIS_").lower()
    return LicenceUse(
        usage_id=message.usage_id,
        licence_id=message.licence_id,
        licence_type_name=message.licence_type_name,
        consumer_code=message.consumer_code,
        consumer_name=message.consumer_name,
        kind=message.kind,
        used_at=message.used_at.ToDatetime(tzinfo=UTC),
        use_cause=message.use_cause,
        item_code=message.item_code,
        case_id=message.case_id,
        basis="" if basis == "unspecified" else basis,
        consent_id=message.consent_id,
        legal_article=message.legal_article,
        entrustment_id=message.entrustment_id,
        face_fields=tuple(message.face_fields),
        outcome=message.outcome,
        dispute_id=message.dispute_id,
    )


def _dispute(message: dispute_pb2.Dispute) -> HolderDispute:
    return HolderDispute(
        dispute_id=message.dispute_id,
        licence_id=message.licence_id,
        kind=dispute_pb2.DisputeKind.Name(message.kind).removeprefix("DISPUTE_KIND_").lower(),
        usage_id=message.usage_id,
        consumer_code=message.consumer_code,
        issuer_code=message.issuer_code,
        state=dispute_pb2.DisputeState.Name(message.state).removeprefix("DISPUTE_STATE_").lower(),
        statement=message.statement,
        opened_at=message.opened_at.ToDatetime(tzinfo=UTC),
        due_date=message.due_date,
        frozen_at=_moment(message, "frozen_at"),
        settled_at=_moment(message, "settled_at"),
        reason=message.reason,
        legal_basis=message.legal_basis,
        etag=message.etag,
    )


def _moment(message: dispute_pb2.Dispute, name: str) -> datetime | None:
    if not message.HasField(name):  # type: ignore[arg-type]  # one of the two names above
        return None
    moment: datetime = getattr(message, name).ToDatetime(tzinfo=UTC)
    return moment
