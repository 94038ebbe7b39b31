"""PresentationService over gRPC."""

from __future__ import annotations

from datetime import timedelta

from chassis.errors import Fault
from chassis.rpc.moments import stamp
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases import present as verbs
from services.certs.usecases.state_offline import state_offline
from tongban.certs.v1 import presentation_pb2 as pb
from tongban.certs.v1 import presentation_pb2_grpc

RETENTION = timedelta(minutes=10)
"""A repeat of a request later than this would get a code that expired long ago."""


class PresentationServicer(presentation_pb2_grpc.PresentationServiceServicer):
    """Presenting a licence and verifying what was presented."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def CreatePresentation(
        self, request: pb.CreatePresentationRequest, context: Context
    ) -> pb.CreatePresentationResponse:
        """Make a code that shows a licence for a minute, once."""
        del context
        desk = self._desk
        holder = (request.holder_id_type_code, request.holder_id_number)
        async with desk.database.transaction() as tx:

            async def work() -> pb.CreatePresentationResponse:
                made = await verbs.create_presentation(
                    desk.registry_of(tx),
                    desk.signer,
                    desk.reader(),
                    request.licence_id,
                    holder,
                    new_id,
                    desk.clock(),
                    messages.agent(request),
                )
                return pb.CreatePresentationResponse(
                    code=made.code,
                    qr_text=made.qr_text,
                    expires_at=stamp(made.expires_at),
                    refresh_at=stamp(made.refresh_at),
                )

            return await desk.once(tx, request, pb.CreatePresentationResponse, work, RETENTION)

    async def CreateOfflineStatement(
        self, request: pb.CreateOfflineStatementRequest, context: Context
    ) -> pb.CreateOfflineStatementResponse:
        """State for at most a day what a place without a network may rely on."""
        del context
        desk = self._desk
        holder = (request.holder_id_type_code, request.holder_id_number)
        async with desk.database.transaction() as tx:

            async def work() -> pb.CreateOfflineStatementResponse:
                qr_text, expires_at = await state_offline(
                    desk.registry_of(tx),
                    desk.signer,
                    desk.log_proofs(tx),
                    desk.reader(),
                    request.licence_id,
                    holder,
                    request.life_seconds,
                    new_id,
                    desk.clock(),
                    messages.agent(request),
                )
                return pb.CreateOfflineStatementResponse(qr_text=qr_text, expires_at=stamp(expires_at))

            return await desk.once(tx, request, pb.CreateOfflineStatementResponse, work, RETENTION)

    async def VerifyPresentation(
        self, request: pb.VerifyPresentationRequest, context: Context
    ) -> pb.VerifyPresentationResponse:
        """Take the one scan of a code; a refused scan is recorded although the call fails."""
        del context
        desk, anew = self._desk, False
        try:
            async with desk.database.transaction() as tx:

                async def work() -> pb.VerifyPresentationResponse:
                    nonlocal anew
                    anew = True
                    scanned = await verbs.verify_presentation(
                        desk.registry_of(tx),
                        desk.documents,
                        desk.types,
                        desk.signer,
                        desk.reader(),
                        request.code,
                        new_id,
                        desk.clock(),
                    )
                    return pb.VerifyPresentationResponse(
                        licence=messages.licence(scanned.shown),
                        verdict=scanned.verdict,
                        verified_at=stamp(scanned.verified_at),
                    )

                answer = await desk.once(tx, request, pb.VerifyPresentationResponse, work, RETENTION)
                if not anew:
                    registry, told = desk.registry_of(tx), answer.verdict
                    await verbs.require_still_shown(
                        registry, desk.signer, desk.reader(), request.code, told, desk.clock()
                    )
                return answer
        except Fault as refusal:
            if refusal.reason in verbs.REFUSALS:
                await self._record(request.code, refusal)
            raise

    async def GetPresentationKeys(
        self, request: pb.GetPresentationKeysRequest, context: Context
    ) -> pb.GetPresentationKeysResponse:
        """Return the public keys that verify QR summaries."""
        del request, context
        return pb.GetPresentationKeysResponse(jwks_json=self._desk.signer.jwks_json)

    async def _record(self, text: str, refusal: Fault) -> None:
        desk = self._desk
        async with desk.database.transaction() as tx:
            await verbs.record_refused_scan(
                desk.registry_of(tx),
                desk.signer,
                desk.reader(),
                text,
                refusal.reason,
                new_id,
                desk.clock(),
            )
