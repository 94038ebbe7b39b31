"""UseCodeService over gRPC."""

from __future__ import annotations

from datetime import UTC, datetime

from chassis.errors import FIELD_MALFORMED, Fault, refuse
from chassis.paging import page_token, page_token_mistakes, read_page_token
from chassis.rpc.call import caller
from chassis.rpc.moments import moment_of, stamp
from services.certs.domain.use_code import Attempt, Binding, Consent, Grounds, Mode
from services.certs.domain.use_code.grounds import ARTICLE_LIMIT
from services.certs.rpc import messages
from services.certs.rpc.desk import REPEATED_FOR, Context, Desk, new_id
from services.certs.usecases import use_codes as verbs
from tongban.certs.v1 import use_code_pb2 as pb
from tongban.certs.v1 import use_code_pb2_grpc

DEFAULT_PAGE = 50
LARGEST_PAGE = 200


class UseCodeServicer(use_code_pb2_grpc.UseCodeServiceServicer):
    """Use-codes and the holder's view of their uses."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def IssueUseCode(
        self, request: pb.IssueUseCodeRequest, context: Context
    ) -> pb.IssueUseCodeResponse:
        """Issue one code; a repeat of the request gets the same code."""
        del context
        desk = self._desk
        order = verbs.Order(
            _binding(request, request.consumer_code),
            Consent(request.consent_version, moment_of(request, "consented_at")),
            (request.holder_id_type_code, request.holder_id_number),
            request.consent_id,
            messages.agent(request),
        )
        try:
            async with desk.database.transaction() as tx:

                async def work() -> pb.IssueUseCodeResponse:
                    code, expires_at = await verbs.issue_use_code(
                        desk.registry_of(tx), desk.types, desk.reader(), order, new_id, desk.clock()
                    )
                    return pb.IssueUseCodeResponse(use_code=code, expires_at=stamp(expires_at))

                return await desk.once(tx, request, pb.IssueUseCodeResponse, work)
        except Fault as refusal:
            await self._record_issue(order.binding, order.grounds, refusal)
            raise verbs.as_told(refusal) from None

    async def IssueDutyUseCode(
        self, request: pb.IssueDutyUseCodeRequest, context: Context
    ) -> pb.IssueDutyUseCodeResponse:
        """Issue one code to the calling department for its duty; a refusal is recorded although the call fails."""
        desk = self._desk
        binding = _binding(request, caller(context).department())
        parties = await verbs.parties_of(desk.case_parties, binding)
        try:
            async with desk.database.transaction() as tx:

                async def work() -> pb.IssueDutyUseCodeResponse:
                    code, expires_at = await verbs.issue_duty_code(
                        desk.registry_of(tx),
                        desk.types,
                        desk.reader(),
                        binding,
                        request.legal_article,
                        parties,
                        new_id,
                        desk.clock(),
                    )
                    return pb.IssueDutyUseCodeResponse(use_code=code, expires_at=stamp(expires_at))

                return await desk.once(tx, request, pb.IssueDutyUseCodeResponse, work)
        except Fault as refusal:
            grounds = Grounds(Mode.STATUTORY_DUTY, legal_article=request.legal_article[:ARTICLE_LIMIT])
            await self._record_issue(binding, grounds, refusal)
            raise verbs.as_told(refusal) from None

    async def RecordEntrustment(
        self, request: pb.RecordEntrustmentRequest, context: Context
    ) -> pb.RecordEntrustmentResponse:
        """Take over an entrustment that intake signed."""
        del context
        desk = self._desk
        async with desk.database.transaction() as tx:

            async def work() -> pb.RecordEntrustmentResponse:
                kept = await verbs.record_entrustment(
                    desk.registry_of(tx), desk.statements, request.statement
                )
                return pb.RecordEntrustmentResponse(
                    entrustment_id=kept.entrustment_id, expires_at=stamp(kept.expires_at)
                )

            return await desk.once(tx, request, pb.RecordEntrustmentResponse, work)

    async def RevokeEntrustment(
        self, request: pb.RevokeEntrustmentRequest, context: Context
    ) -> pb.RevokeEntrustmentResponse:
        """Take an entrustment back with the codes issued under it."""
        del context
        desk = self._desk
        holder = (request.holder_id_type_code, request.holder_id_number)
        async with desk.database.transaction() as tx:

            async def work() -> pb.RevokeEntrustmentResponse:
                count = await verbs.revoke_entrustment(
                    desk.registry_of(tx), request.entrustment_id, holder, request.reason, desk.clock()
                )
                return pb.RevokeEntrustmentResponse(revoked_use_codes=count)

            return await desk.once(tx, request, pb.RevokeEntrustmentResponse, work)

    async def ConsumeUseCode(
        self, request: pb.ConsumeUseCodeRequest, context: Context
    ) -> pb.ConsumeUseCodeResponse:
        """Take one use of a code; a refusal is recorded although the call fails."""
        desk = self._desk
        attempt, anew = _attempt(request, caller(context).department()), False
        try:
            async with desk.database.transaction() as tx:

                async def work() -> pb.ConsumeUseCodeResponse:
                    nonlocal anew
                    anew = True
                    done = await verbs.consume_use_code(
                        desk.registry_of(tx),
                        desk.types,
                        desk.reader(),
                        attempt,
                        request.use_code,
                        new_id,
                        desk.clock(),
                    )
                    return pb.ConsumeUseCodeResponse(
                        usage_id=done.usage_id,
                        licence=messages.licence(done.shown),
                        holder_id_number=done.shown.holder_id_number,
                    )

                answer = await desk.once(tx, request, pb.ConsumeUseCodeResponse, work, REPEATED_FOR)
                if not anew:
                    registry = desk.registry_of(tx)
                    await verbs.require_still_given(registry, desk.reader(), request.use_code, desk.clock())
                return answer
        except Fault as refusal:
            if refusal.reason in verbs.REFUSALS:
                await self._record(attempt, request.use_code, refusal)
            raise

    async def RevokeUseCodes(
        self, request: pb.RevokeUseCodesRequest, context: Context
    ) -> pb.RevokeUseCodesResponse:
        """Revoke the unused codes of a case."""
        del context
        desk = self._desk
        async with desk.database.transaction() as tx:

            async def work() -> pb.RevokeUseCodesResponse:
                count = await verbs.revoke_use_codes(
                    desk.registry_of(tx), request.case_id, request.reason, desk.clock()
                )
                return pb.RevokeUseCodesResponse(revoked=count)

            return await desk.once(tx, request, pb.RevokeUseCodesResponse, work)

    async def ListUses(self, request: pb.ListUsesRequest, context: Context) -> pb.ListUsesResponse:
        """Return a page of the uses of a holder's licences, newest first."""
        del context
        desk = self._desk
        wrong = page_token_mistakes(request.page_token)
        if request.page_size < 0:
            wrong.append(FIELD_MALFORMED.at("page_size"))
        refuse(wrong)
        size = min(request.page_size or DEFAULT_PAGE, LARGEST_PAGE)
        before = read_page_token(request.page_token)
        holder = (request.holder_id_type_code, request.holder_id_number)
        async with desk.database.transaction() as tx:
            found = await verbs.list_uses(desk.registry_of(tx), holder, before, size + 1)
        page = found[:size]
        token = page_token((page[-1].usage.used_at, page[-1].usage.usage_id)) if len(found) > size else ""
        return pb.ListUsesResponse(
            uses=[messages.use(each, each.usage.reader) for each in page], next_page_token=token
        )

    async def _record_issue(self, binding: Binding, grounds: Grounds, refusal: Fault) -> None:
        if refusal.reason not in verbs.ISSUE_REFUSALS:
            return
        desk = self._desk
        async with desk.database.transaction() as tx:
            await verbs.record_refused_issue(
                desk.registry_of(tx), desk.reader(), binding, grounds, refusal.reason, new_id, desk.clock()
            )

    async def _record(self, attempt: Attempt, code: str, refusal: Fault) -> None:
        desk = self._desk
        async with desk.database.transaction() as tx:
            await verbs.record_refusal(
                desk.registry_of(tx), desk.reader(), attempt, code, refusal.reason, new_id, desk.clock()
            )


_UNSET = datetime.fromtimestamp(0, UTC)
"""What a time that was not given means on the wire; the rule of the term refuses it as past."""


def _attempt(request: pb.ConsumeUseCodeRequest, consumer_code: str) -> Attempt:
    holder = (request.holder_id_type_code, request.holder_id_number)
    return Attempt(
        consumer_code,
        request.item_code,
        request.case_id,
        request.use_cause,
        tuple(request.face_fields),
        holder if any(holder) else None,
    )


def _binding(request: pb.IssueUseCodeRequest | pb.IssueDutyUseCodeRequest, consumer_code: str) -> Binding:
    return Binding(
        request.licence_id,
        request.item_code,
        request.case_id,
        consumer_code,
        tuple(request.face_fields),
        request.use_cause,
        moment_of(request, "expires_at") or _UNSET,
        request.max_uses,
    )
