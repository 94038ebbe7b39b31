"""What certs asks of others: the data of an approval and the parties of a case, from intake; sealed documents, from seal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

from chassis.clock import Clock
from chassis.errors import PEER_UNAVAILABLE, Fault, Kind
from chassis.rpc.channel import PeerChannel
from chassis.rpc.moments import stamp
from services.certs.domain.federation import PeerRegistry
from services.certs.domain.holder import Holder
from services.certs.domain.issuing import IssueData
from services.certs.domain.purpose import Purpose
from services.certs.domain.standing import SealCheck, SealStanding
from services.certs.domain.standing.answer import NOT_YET
from services.certs.domain.usage import Reader
from services.certs.usecases.federation.ports import OwedUse, PeerQuestion
from services.certs.usecases.make import SealedDocument
from tongban.certs.v1 import federation_pb2, federation_pb2_grpc, licence_pb2
from tongban.intake.v1 import issuing_pb2, issuing_pb2_grpc
from tongban.seal.v1 import seal_pb2, seal_pb2_grpc

ASK_SECONDS = 1.5
"""Another registry is asked for a look-up that waits; after this its replica answers."""
SILENT_SECONDS = 1.0
VERIFY_SECONDS = 10.0
"""Verification digests every member of the package; the default limit of a call is for look-ups."""


class Approvals:
    """The data of approved parts."""

    def __init__(self, intake: PeerChannel) -> None:
        self._intake = intake
        self._stub = issuing_pb2_grpc.IssuingServiceStub(intake.channel)

    async def of_part(self, part_id: str) -> IssueData:
        """Return what an approved part says about its licence. Raises what intake answers."""
        answer = await self._intake.call(
            self._stub.GetIssueData, issuing_pb2.GetIssueDataRequest(part_id=part_id)
        )
        return IssueData(
            case_id=answer.case_id,
            part_id=answer.part_id,
            item_code=answer.item_code,
            type_code=answer.licence_type_code,
            county_code=answer.county_code,
            issuer_code=answer.issuer_code,
            issuer_name=answer.issuer_name,
            holder=Holder(answer.holder_id_type_code, answer.holder_id_number, answer.holder_name),
            face=dict(answer.face),
            validity_years=answer.validity_years,
            decided_at=answer.decided_at.ToDatetime(tzinfo=UTC),
            operation=answer.operation or "issue",
            predecessor_id=answer.predecessor_licence_id,
        )


class CaseParties:
    """Whose licences an open case is about; implements the port CaseParties."""

    def __init__(self, intake: PeerChannel) -> None:
        self._intake = intake
        self._stub = issuing_pb2_grpc.IssuingServiceStub(intake.channel)

    async def of_part(self, case_id: str, item_code: str, department_code: str) -> list[tuple[str, str]]:
        """Return the parties; none of a case that is not open or has no such part. Raises PEER_UNAVAILABLE."""
        asked = issuing_pb2.GetCasePartiesRequest(
            case_id=case_id, item_code=item_code, department_code=department_code
        )
        try:
            answer = await self._intake.call(self._stub.GetCaseParties, asked)
        except Fault as problem:
            if problem.kind is Kind.NOT_FOUND:
                return []
            raise
        return [(each.id_type_code, each.id_number) for each in answer.parties]


class SealedDocuments:
    """Sealed documents, each with what its verification said."""

    def __init__(self, seal: PeerChannel, clock: Clock) -> None:
        self._seal, self._clock = seal, clock
        self._signatures = seal_pb2_grpc.SignatureServiceStub(seal.channel)
        self._verification = seal_pb2_grpc.VerificationServiceStub(seal.channel)

    async def of_signature(self, signature_id: str) -> SealedDocument:
        """Fetch a sealed document and have it verified as of now. Raises what seal answers."""
        answer = await self._seal.call(
            self._signatures.GetSealedDocument, seal_pb2.GetSealedDocumentRequest(signature_id=signature_id)
        )
        report = await self._seal.call(
            self._verification.VerifyDocument,
            seal_pb2.VerifyDocumentRequest(document=answer.ofd),
            timeout_seconds=VERIFY_SECONDS,
        )
        return SealedDocument(signature_id, answer.ofd, answer.sha256, report.verdict, self._clock())


class SealStandings:
    """What held of a sealed document's seal at a time; implements the port Seals."""

    def __init__(self, seal: PeerChannel) -> None:
        self._seal = seal
        self._seals = seal_pb2_grpc.SealServiceStub(seal.channel)
        self._verification = seal_pb2_grpc.VerificationServiceStub(seal.channel)

    async def standing(self, document: bytes, at: datetime | None) -> SealStanding:
        """Have a document verified by what could be known at a moment, and its seal's status then looked up.

        None asks for now. Raises what seal answers.
        """
        request = seal_pb2.VerifyDocumentRequest(document=document)
        if at is not None:
            request.as_of.CopyFrom(stamp(at))
        report = await self._seal.call(
            self._verification.VerifyDocument, request, timeout_seconds=VERIFY_SECONDS
        )
        if not report.signatures:
            return SealStanding(report.verdict.lower(), report.container.reason)
        signature = report.signatures[0]
        signed_at = signature.signed_at.ToDatetime(tzinfo=UTC) if signature.HasField("signed_at") else None
        early = at is not None and signed_at is not None and signed_at > at
        status, since = ("", None) if early else await self._status(signature.seal_id, at)
        return SealStanding(
            NOT_YET if early else report.verdict.lower(),
            next((each.reason for each in signature.checks if each.result == "invalid"), ""),
            signature.seal_id,
            signature.signature_id,
            signed_at,
            status,
            since,
            () if early else tuple(map(_check, signature.checks)),
        )

    async def _status(self, seal_id: str, at: datetime | None) -> tuple[str, datetime | None]:
        """Return a seal's own status; nothing for a seal that is not in the register."""
        request = seal_pb2.GetSealStatusRequest(seal_id=seal_id)
        if at is not None:
            request.at.CopyFrom(stamp(at))
        try:
            found = await self._seal.call(self._seals.GetSealStatus, request)
        except Fault as problem:
            if problem.kind in {Kind.NOT_FOUND, Kind.INVALID_ARGUMENT}:
                return "", None
            raise
        name = seal_pb2.SealStatus.Name(found.status).removeprefix("SEAL_STATUS_").lower()
        return name, found.since.ToDatetime(tzinfo=UTC)


def _check(check: seal_pb2.Check) -> SealCheck:
    return SealCheck(check.name, check.result, check.reason, check.clause)


class PeerRegistries:
    """Other registries, asked over mutual TLS with the certificate that each of them issued to us.

    One that did not answer is not asked again for a second: look-ups go to its replica meanwhile.
    """

    def __init__(self, open_to: Callable[[PeerRegistry], PeerChannel], clock: Callable[[], float]) -> None:
        self._open_to, self._clock = open_to, clock
        self._channels: dict[str, tuple[PeerRegistry, PeerChannel]] = {}
        self._silent_until: dict[str, float] = {}

    async def ask(self, peer: PeerRegistry, question: PeerQuestion) -> list[str]:
        """Return signed messages, one for each licence. Raises PEER_UNAVAILABLE and what it answers."""
        if self._clock() < self._silent_until.get(peer.registry_id, 0.0):
            raise PEER_UNAVAILABLE(peer=peer.registry_id)
        channel = await self._channel(peer)
        request = federation_pb2.AskSharedRequest(
            holder_id_type_code=question.id_type_code,
            holder_id_number=question.id_number,
            type_codes=question.type_codes,
            purpose=_purpose(question.purpose),
            reader=_peer_reader(question.reader),
        )
        stub = federation_pb2_grpc.FederationServiceStub(channel.channel)
        try:
            answer = await channel.call(stub.AskShared, request, timeout_seconds=ASK_SECONDS)
        except Fault as fault:
            if fault.kind in {Kind.UNAVAILABLE, Kind.DEADLINE_EXCEEDED}:
                self._silent_until[peer.registry_id] = self._clock() + SILENT_SECONDS
            raise
        return list(answer.messages)

    async def since(self, peer: PeerRegistry, ordinal: int, size: int) -> list[str]:
        """Return signed messages after an ordinal, then a heartbeat. Raises as `ask`."""
        channel = await self._channel(peer)
        stub = federation_pb2_grpc.FederationServiceStub(channel.channel)
        request = federation_pb2.GetReplicaSinceRequest(ordinal=ordinal, log_size=size)
        return list((await channel.call(stub.GetReplicaSince, request)).messages)

    async def tell(self, peer: PeerRegistry, uses: Sequence[OwedUse]) -> None:
        """Tell of uses. Raises as `ask`."""
        channel = await self._channel(peer)
        stub = federation_pb2_grpc.FederationServiceStub(channel.channel)
        told = [
            federation_pb2.PeerUse(
                usage_id=each.usage_id,
                licence_id=each.licence_id,
                kind=each.kind,
                reader=_peer_reader(each.reader),
                purpose=_purpose(each.purpose),
                used_at=stamp(each.used_at),
            )
            for each in uses
        ]
        await channel.call(stub.TellUses, federation_pb2.TellUsesRequest(request_id=str(uuid4()), uses=told))

    async def close(self) -> None:
        """Close every connection."""
        for _, channel in self._channels.values():
            await channel.close()

    async def _channel(self, peer: PeerRegistry) -> PeerChannel:
        """Return the connection to a peer as its file describes it now."""
        known = self._channels.get(peer.registry_id)
        if known is None or known[0] != peer:
            try:
                channel = self._open_to(peer)
            except (OSError, ValueError) as problem:  # no certificate of that registry yet
                raise PEER_UNAVAILABLE(peer=peer.registry_id) from problem
            self._channels[peer.registry_id] = (peer, channel)
            if known is not None:
                await known[1].close()
            return channel
        return known[1]


def _peer_reader(reader: Reader) -> federation_pb2.PeerReader:
    return federation_pb2.PeerReader(code=reader.code, name=reader.name, is_department=reader.is_department)


def _purpose(purpose: Purpose) -> licence_pb2.Purpose:
    basis = f"BASIS_{purpose.basis.name}" if purpose.basis else "BASIS_UNSPECIFIED"
    return licence_pb2.Purpose(
        use_cause=purpose.use_cause,
        basis=licence_pb2.Basis.Value(basis),
        item_code=purpose.item_code,
        case_id=purpose.case_id,
    )
