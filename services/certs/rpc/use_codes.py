"""UseCodeService over gRPC."""

from __future__ import annotations

from datetime import UTC, datetime

from chassis.errors import FIELD_MALFORMED, Fault, refuse
from chassis.paging import page_token, page_token_mistakes, read_page_token
from chassis.rpc.call import caller
from chassis.rpc.moments import moment_of, stamp
from services.certs.domain.use_code import Attempt, Binding, Consent
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
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
        binding = _binding(request)
        consent = Consent(
            request.consent_version,
            moment_of(request, "consented_at"),
        )
        holder = (request.holder_id_type_code, request.holder_id_number)
        async with desk.database.transaction() as tx:

            async def work() -> pb.IssueUseCodeResponse:
                code = await verbs.issue_use_code(
                    desk.registry_of(tx), desk.types, binding, consent, holder, new_id, desk.clock()
                )
                return pb.IssueUseCodeResponse(use_code=code, expires_at=stamp(binding.expires_at))

            return await desk.once(tx, request, pb.IssueUseCodeResponse, work)

    async def ConsumeUseCode(
        self, request: pb.ConsumeUseCodeRequest, context: Context
    ) -> pb.ConsumeUseCodeResponse:
        """Take one use of a code; a refusal is recorded although the call fails."""
        desk = self._desk
        attempt = Attempt(caller(context).department(), request.item_code, request.case_id, request.use_cause)
        try:
            async with desk.database.transaction() as tx:

                async def work() -> pb.ConsumeUseCodeResponse:
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

                return await desk.once(tx, request, pb.ConsumeUseCodeResponse, work)
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

    async def _record(self, attempt: Attempt, code: str, refusal: Fault) -> None:
        desk = self._desk
        async with desk.database.transaction() as tx:
            await verbs.record_refusal(
                desk.registry_of(tx), desk.reader(), attempt, code, refusal.reason, new_id, desk.clock()
            )


_UNSET = datetime.fromtimestamp(0, UTC)
"""What a time that was not given means on the wire; the rule of the term refuses it as past."""


def _binding(request: pb.IssueUseCodeRequest) -> Binding:
    return Binding(
        request.licence_id,
        request.item_code,
        request.case_id,
        request.consumer_code,
        tuple(request.face_fields),
        request.use_cause,
        moment_of(request, "expires_at") or _UNSET,
        request.max_uses,
    )
