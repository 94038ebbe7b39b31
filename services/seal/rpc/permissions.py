"""Grants, rules and approvals over gRPC."""

from __future__ import annotations

import grpc

from chassis.errors import FIELD_MALFORMED, Violation, refuse
from chassis.event import new_event_id
from chassis.rpc.access import is_uuid
from chassis.rpc.moments import moment_of
from chassis.rpc.once import once
from services.seal.domain.authorisation import Approval, Grant, SealRules, Withdrawal
from services.seal.rpc.desk import Desk, account
from services.seal.rpc.messages import own_only
from services.seal.rpc.use_messages import GRANTEES, TYPES, chosen, grant_message, rules_message
from services.seal.usecases.grant_use import (
    approve_use,
    change_rules,
    grant_use,
    list_grants,
    read_rules,
    withdraw_grant,
)
from tongban.seal.v1 import use_pb2 as pb

Context = grpc.aio.ServicerContext[object, object]


class PermissionDoor:
    """The methods of SignatureService that say who may use a seal, and how."""

    _desk: Desk

    async def GrantSealUse(
        self, request: pb.GrantSealUseRequest, context: Context
    ) -> pb.GrantSealUseResponse:
        """Have a grant in force, once per request id."""
        del context
        desk, grant = self._desk, _grant(request, self._desk)
        async with desk.database.transaction() as tx:

            async def work() -> pb.GrantSealUseResponse:
                entered = await grant_use(desk.work_of(tx), grant, desk.clock)
                return pb.GrantSealUseResponse(grant=grant_message(entered))

            return await once(tx, request, pb.GrantSealUseResponse, work)

    async def WithdrawSealGrant(
        self, request: pb.WithdrawSealGrantRequest, context: Context
    ) -> pb.WithdrawSealGrantResponse:
        """Have a grant ended, the implicit one too."""
        del context
        refuse([] if is_uuid(request.grant_id) else [FIELD_MALFORMED.at("grant_id")])
        desk = self._desk
        end = Withdrawal(desk.clock(), request.operator, request.reason, account())
        async with desk.database.transaction() as tx:

            async def work() -> pb.WithdrawSealGrantResponse:
                ended = await withdraw_grant(
                    desk.work_of(tx), request.seal_id, request.grant_id.lower(), end, desk.clock
                )
                return pb.WithdrawSealGrantResponse(grant=grant_message(ended))

            return await once(tx, request, pb.WithdrawSealGrantResponse, work)

    async def ListSealGrants(
        self, request: pb.ListSealGrantsRequest, context: Context
    ) -> pb.ListSealGrantsResponse:
        """Return every grant of a seal, ended ones too; a department sees those of its own seals."""
        del context
        async with self._desk.database.transaction() as tx:
            grants = await list_grants(self._desk.work_of(tx), request.seal_id, own_only())
        return pb.ListSealGrantsResponse(grants=map(grant_message, grants))

    async def GetSealRules(
        self, request: pb.GetSealRulesRequest, context: Context
    ) -> pb.GetSealRulesResponse:
        """Return a seal's rules and its uses of today."""
        del context
        desk = self._desk
        async with desk.database.transaction() as tx:
            rules, used = await read_rules(desk.work_of(tx), request.seal_id, own_only(), desk.clock())
        return pb.GetSealRulesResponse(rules=rules_message(rules), used_today=used)

    async def ChangeSealRules(
        self, request: pb.ChangeSealRulesRequest, context: Context
    ) -> pb.ChangeSealRulesResponse:
        """Have new rules for a seal."""
        del context
        desk = self._desk
        wanted = SealRules(
            seal_id=request.seal_id,
            quorum=request.quorum,
            daily_limit=request.daily_limit,
            burst_limit=request.burst_limit,
            operator=request.operator,
            second_person=request.second_person,
            reason=request.reason,
            account=account(),
        )
        async with desk.database.transaction() as tx:

            async def work() -> pb.ChangeSealRulesResponse:
                rules = await change_rules(desk.work_of(tx), request.etag, wanted, desk.clock)
                return pb.ChangeSealRulesResponse(rules=rules_message(rules))

            return await once(tx, request, pb.ChangeSealRulesResponse, work)

    async def ApproveSealUse(
        self, request: pb.ApproveSealUseRequest, context: Context
    ) -> pb.ApproveSealUseResponse:
        """Have one person's approval of a document."""
        del context
        desk = self._desk
        approval = Approval(
            approval_id=str(new_event_id()),
            seal_id=request.seal_id,
            document_sha256=request.document_sha256.lower(),
            approver=request.approver,
            note=request.note,
            account=account(),
            approved_at=desk.clock(),
        )
        async with desk.database.transaction() as tx:

            async def work() -> pb.ApproveSealUseResponse:
                done = await approve_use(desk.work_of(tx), approval, own_only(), desk.clock)
                return pb.ApproveSealUseResponse(
                    approval_id=done.approval_id, approvers=done.approvers, quorum=done.quorum
                )

            return await once(tx, request, pb.ApproveSealUseResponse, work)


def _grant(request: pb.GrantSealUseRequest, desk: Desk) -> Grant:
    wrong: list[Violation] = []
    kind = chosen(GRANTEES, request.grantee_kind, "grantee_kind", wrong)
    document_type = chosen(TYPES, request.document_type, "document_type", wrong)
    refuse(wrong)
    now = desk.clock()
    return Grant(
        grant_id=str(new_event_id()),
        seal_id=request.seal_id,
        grantee_kind=kind,
        grantee=request.grantee,
        document_type=document_type,
        service_item=request.service_item,
        case_id=request.case_id,
        valid_from=moment_of(request, "valid_from") or now,
        valid_until=moment_of(request, "valid_until"),
        granted_at=now,
        operator=request.operator,
        second_person=request.second_person,
        reason=request.reason,
        account=account(),
    )
