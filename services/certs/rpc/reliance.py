"""RelianceService over gRPC."""

from __future__ import annotations

from chassis.rpc.call import caller
from chassis.rpc.moments import stamp
from services.certs.domain.reliance import Acknowledgement, FallCause, Flag, RelianceOutcome
from services.certs.rpc.desk import Context, Desk
from services.certs.rpc.pages import cut, page_asked
from services.certs.usecases.reliance import acknowledge_reliance, count_reliances, list_fallen
from tongban.certs.v1 import reliance_pb2 as pb
from tongban.certs.v1 import reliance_pb2_grpc

_CAUSES = {each: pb.FallCause.Value(f"FALL_CAUSE_{each.name}") for each in FallCause}
_OUTCOME_NUMBERS = {
    each: pb.RelianceOutcome.Value(f"RELIANCE_OUTCOME_{each.name}") for each in RelianceOutcome
}
_OUTCOMES: dict[int, RelianceOutcome] = {number: each for each, number in _OUTCOME_NUMBERS.items()}


class RelianceServicer(reliance_pb2_grpc.RelianceServiceServicer):
    """What departments ask about licences that fell; one transaction per call."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListFallenReliances(
        self, request: pb.ListFallenReliancesRequest, context: Context
    ) -> pb.ListFallenReliancesResponse:
        """Return a page of the caller's flags."""
        desk, department = self._desk, caller(context).department()
        before, size = page_asked(request.page_token, request.page_size)
        async with desk.database.transaction() as tx:
            found = await list_fallen(
                desk.registry_of(tx),
                department,
                request.case_id,
                before,
                size + 1,
                open_only=request.open_only,
            )
        page, token = cut(found, size, lambda flag: (flag.flagged_at, flag.flag_id))
        return pb.ListFallenReliancesResponse(reliances=map(_flag, page), next_page_token=token)

    async def AcknowledgeReliance(
        self, request: pb.AcknowledgeRelianceRequest, context: Context
    ) -> pb.AcknowledgeRelianceResponse:
        """Take the department's answer."""
        desk, department = self._desk, caller(context).department()
        answer = Acknowledgement(
            _OUTCOMES.get(request.outcome), request.reason, request.operator, desk.clock()
        )
        async with desk.database.transaction() as tx:

            async def work() -> pb.AcknowledgeRelianceResponse:
                flag = await acknowledge_reliance(
                    desk.registry_of(tx), department, request.flag_id, request.etag, answer
                )
                return pb.AcknowledgeRelianceResponse(reliance=_flag(flag))

            return await desk.once(tx, request, pb.AcknowledgeRelianceResponse, work)

    async def CountReliances(
        self, request: pb.CountReliancesRequest, context: Context
    ) -> pb.CountReliancesResponse:
        """Return who relied on a licence of the caller."""
        desk, department = self._desk, caller(context).department()
        async with desk.database.transaction() as tx:
            found = await count_reliances(desk.registry_of(tx), department, request.licence_id)
        return pb.CountReliancesResponse(
            departments=[
                pb.DepartmentReliance(
                    consumer_code=each.consumer_code,
                    consumer_name=each.consumer_name,
                    cases=each.cases,
                    unanswered=each.unanswered,
                )
                for each in found
            ]
        )


def _flag(flag: Flag) -> pb.FallenReliance:
    fall, answer = flag.fall, flag.answer
    told = pb.FallenReliance(
        flag_id=flag.flag_id,
        licence_id=fall.licence_id,
        cause=_CAUSES[fall.cause],
        effective_at=stamp(fall.effective_at),
        fell_at=stamp(fall.fell_at),
        case_id=flag.case_id,
        item_codes=flag.item_codes,
        relied_version=flag.relied_version,
        fall_version=fall.version,
        last_used_at=stamp(flag.last_used_at),
        flagged_at=stamp(flag.flagged_at),
        etag=flag.etag,
    )
    if answer is not None and answer.outcome is not None:
        told.outcome = _OUTCOME_NUMBERS[answer.outcome]
        told.reason, told.operator = answer.reason, answer.operator
        told.acknowledged_at.CopyFrom(stamp(answer.acknowledged_at))
    return told
