"""DisputeService over gRPC."""

from __future__ import annotations

from typing import Protocol, TypeVar

from google.protobuf.message import Message

from chassis.paging import Place
from chassis.rpc.call import caller
from chassis.rpc.moments import stamp
from services.certs.domain.dispute import Dispute, DisputeAct, DisputeKind, DisputeState, Grounds, Step
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.rpc.pages import cut, page_asked
from services.certs.usecases import dispute as verbs
from services.certs.usecases.ports import Registry
from tongban.certs.v1 import dispute_pb2 as pb
from tongban.certs.v1 import dispute_pb2_grpc

_KIND_NUMBERS = {each: pb.DisputeKind.Value(f"DISPUTE_KIND_{each.name}") for each in DisputeKind}
_KINDS: dict[int, DisputeKind] = {number: each for each, number in _KIND_NUMBERS.items()}
_STATES = {each: pb.DisputeState.Value(f"DISPUTE_STATE_{each.name}") for each in DisputeState}
Res = TypeVar("Res", bound=Message)


class _Handling(Protocol):
    """The fields of every request about one dispute."""

    dispute_id: str
    etag: str


class DisputeServicer(dispute_pb2_grpc.DisputeServiceServicer):
    """Disputes of holders and what issuers do about them; one transaction per call."""

    def __init__(self, desk: Desk, rules: verbs.DisputeRules) -> None:
        self._desk, self._rules = desk, rules

    async def OpenDispute(self, request: pb.OpenDisputeRequest, context: Context) -> pb.OpenDisputeResponse:
        """Open a dispute, once per request id."""
        del context
        desk = self._desk
        holder = (request.holder_id_type_code, request.holder_id_number)
        complaint = verbs.Complaint(
            request.licence_id, _KINDS.get(request.kind), request.usage_id, request.statement
        )
        async with desk.database.transaction() as tx:

            async def work() -> pb.OpenDisputeResponse:
                opened = await verbs.open_dispute(
                    desk.registry_of(tx), self._rules, holder, complaint, new_id, desk.clock()
                )
                return pb.OpenDisputeResponse(dispute=_dispute(opened))

            return await desk.once(tx, request, pb.OpenDisputeResponse, work)

    async def WithdrawDispute(
        self, request: pb.WithdrawDisputeRequest, context: Context
    ) -> pb.WithdrawDisputeResponse:
        """Take the holder's dispute back."""
        del context
        desk = self._desk
        holder = (request.holder_id_type_code, request.holder_id_number)
        async with desk.database.transaction() as tx:

            async def work() -> pb.WithdrawDisputeResponse:
                withdrawn = await verbs.withdraw_dispute(
                    desk.registry_of(tx),
                    holder,
                    request.dispute_id,
                    request.etag,
                    request.reason,
                    desk.clock(),
                )
                return pb.WithdrawDisputeResponse(dispute=_dispute(withdrawn))

            return await desk.once(tx, request, pb.WithdrawDisputeResponse, work)

    async def ListHolderDisputes(
        self, request: pb.ListHolderDisputesRequest, context: Context
    ) -> pb.ListHolderDisputesResponse:
        """Return a page of the holder's disputes."""
        del context
        before, size = page_asked(request.page_token, request.page_size)
        holder = (request.holder_id_type_code, request.holder_id_number)
        async with self._desk.database.transaction() as tx:
            registry = self._desk.registry_of(tx)
            found = await verbs.list_holder_disputes(registry, holder, before, size + 1)
        page, token = cut(found, size, _place)
        return pb.ListHolderDisputesResponse(disputes=map(_dispute, page), next_page_token=token)

    async def ListDisputes(
        self, request: pb.ListDisputesRequest, context: Context
    ) -> pb.ListDisputesResponse:
        """Return a page of the disputes about the caller's licences."""
        department = caller(context).department()
        before, size = page_asked(request.page_token, request.page_size)
        async with self._desk.database.transaction() as tx:
            found = await verbs.list_disputes(
                self._desk.registry_of(tx),
                department,
                request.licence_id,
                before,
                size + 1,
                open_only=request.open_only,
            )
        page, token = cut(found, size, _place)
        return pb.ListDisputesResponse(disputes=map(_dispute, page), next_page_token=token)

    async def GetDispute(self, request: pb.GetDisputeRequest, context: Context) -> pb.GetDisputeResponse:
        """Return a dispute with the holder's statement and its steps."""
        department = caller(context).department()
        async with self._desk.database.transaction() as tx:
            registry = self._desk.registry_of(tx)
            found, steps = await verbs.get_dispute(registry, department, request.dispute_id)
        return pb.GetDisputeResponse(dispute=_dispute(found), steps=map(_step, steps))

    async def StartDisputeCheck(
        self, request: pb.StartDisputeCheckRequest, context: Context
    ) -> pb.StartDisputeCheckResponse:
        """Note that the issuer checks."""
        grounds = Grounds(request.operator, "", "")
        answer = pb.StartDisputeCheckResponse
        return await self._handle(request, context, DisputeAct.START, grounds, answer)

    async def DecideDispute(
        self, request: pb.DecideDisputeRequest, context: Context
    ) -> pb.DecideDisputeResponse:
        """Uphold or reject."""
        act = DisputeAct.UPHOLD if request.upheld else DisputeAct.REJECT
        grounds = _grounds(request.grounds)
        return await self._handle(request, context, act, grounds, pb.DecideDisputeResponse)

    async def FreezeLicenceUse(
        self, request: pb.FreezeLicenceUseRequest, context: Context
    ) -> pb.FreezeLicenceUseResponse:
        """Have uses refused."""
        grounds, answer = _grounds(request.grounds), pb.FreezeLicenceUseResponse
        return await self._handle(request, context, DisputeAct.FREEZE, grounds, answer)

    async def UnfreezeLicenceUse(
        self, request: pb.UnfreezeLicenceUseRequest, context: Context
    ) -> pb.UnfreezeLicenceUseResponse:
        """Have uses go on."""
        grounds, answer = _grounds(request.grounds), pb.UnfreezeLicenceUseResponse
        return await self._handle(request, context, DisputeAct.UNFREEZE, grounds, answer)

    async def _handle(
        self, request: Message, context: Context, act: DisputeAct, grounds: Grounds, answer: type[Res]
    ) -> Res:
        desk, department = self._desk, caller(context).department()
        dispute_id, etag = _named(request)  # type: ignore[arg-type]  # every such request has both
        async with desk.database.transaction() as tx:

            async def work() -> Res:
                registry: Registry = desk.registry_of(tx)
                handled = await verbs.handle_dispute(
                    registry, department, dispute_id, etag, act, grounds, desk.clock()
                )
                return answer(dispute=_dispute(handled))

            return await desk.once(tx, request, answer, work)


def _named(request: _Handling) -> tuple[str, str]:
    return request.dispute_id, request.etag


def _place(dispute: Dispute) -> Place:
    return dispute.opened_at, dispute.dispute_id


def _grounds(said: pb.DisputeGrounds) -> Grounds:
    return Grounds(said.operator, said.reason, said.legal_basis)


def _dispute(dispute: Dispute) -> pb.Dispute:
    told = pb.Dispute(
        dispute_id=dispute.dispute_id,
        licence_id=dispute.licence_id,
        kind=_KIND_NUMBERS[dispute.kind],
        usage_id=dispute.usage_id,
        consumer_code=dispute.consumer_code,
        issuer_code=dispute.issuer_code,
        state=_STATES[dispute.state],
        opened_at=stamp(dispute.opened_at),
        due_date=dispute.due_on.isoformat() if dispute.due_on else "",
        reason=dispute.reason,
        legal_basis=dispute.legal_basis,
        etag=dispute.etag,
        statement=dispute.statement,
    )
    if dispute.frozen_at:
        told.frozen_at.CopyFrom(stamp(dispute.frozen_at))
    if dispute.settled_at:
        told.settled_at.CopyFrom(stamp(dispute.settled_at))
    return told


def _step(step: Step) -> pb.DisputeStep:
    return pb.DisputeStep(
        act=step.act,
        at=stamp(step.at),
        done_by=step.done_by,
        operator=step.grounds.operator,
        reason=step.grounds.reason,
        legal_basis=step.grounds.legal_basis,
    )
