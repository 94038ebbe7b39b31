"""HolderService over gRPC: the holder's view of his uses, to read and to take away."""

from __future__ import annotations

from chassis.paging import Place
from chassis.rpc.moments import moment_of, stamp
from services.certs.domain.use_code import CONSENTED
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk
from services.certs.rpc.pages import LARGEST_PAGE, cut, page_asked
from services.certs.usecases.held_uses import list_held_uses, sign_uses
from services.certs.usecases.recourse_ports import HeldUse, UseFilter
from tongban.certs.v1 import holder_pb2 as pb
from tongban.certs.v1 import holder_pb2_grpc


class HolderServicer(holder_pb2_grpc.HolderServiceServicer):
    """Reads the usage record for its holder; one transaction per call."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ListHolderUses(
        self, request: pb.ListHolderUsesRequest, context: Context
    ) -> pb.ListHolderUsesResponse:
        """Return a page of the uses of a holder's licences."""
        del context
        before, size = page_asked(request.page_token, request.page_size)
        found, disputes = await self._read(request, before, size + 1)
        page, token = cut(found, size, _place)
        uses = [_use(each, disputes.get(each.usage.usage_id, "")) for each in page]
        return pb.ListHolderUsesResponse(uses=uses, next_page_token=token)

    async def ExportHolderUses(
        self, request: pb.ExportHolderUsesRequest, context: Context
    ) -> pb.ExportHolderUsesResponse:
        """Return a page of the same, signed."""
        del context
        before, size = page_asked(request.page_token, LARGEST_PAGE)
        found, _ = await self._read(request, before, size + 1)
        page, token = cut(found, size, _place)
        desk = self._desk
        holder, wanted = (request.holder_id_type_code, request.holder_id_number), _filter(request)
        signed, salt = sign_uses(
            desk.signer, holder, list(page), wanted, before, desk.clock(), is_last=not token
        )
        return pb.ExportHolderUsesResponse(
            signed_json=signed, next_page_token=token, uses=len(page), salt=salt
        )

    async def _read(
        self,
        request: pb.ListHolderUsesRequest | pb.ExportHolderUsesRequest,
        before: Place | None,
        limit: int,
    ) -> tuple[list[HeldUse], dict[str, str]]:
        holder, wanted = (request.holder_id_type_code, request.holder_id_number), _filter(request)
        async with self._desk.database.transaction() as tx:
            return await list_held_uses(self._desk.registry_of(tx), holder, wanted, before, limit)


def _filter(request: pb.ListHolderUsesRequest | pb.ExportHolderUsesRequest) -> UseFilter:
    return UseFilter(request.licence_id, moment_of(request, "used_from"), moment_of(request, "used_before"))


def _place(held: HeldUse) -> Place:
    return held.usage.used_at, held.usage.usage_id


def _use(held: HeldUse, dispute_id: str) -> pb.HolderUse:
    usage, grounds = held.usage, held.usage.grounds or CONSENTED
    return pb.HolderUse(
        usage_id=usage.usage_id,
        licence_id=usage.licence_id,
        licence_type_name=held.licence_type_name,
        consumer_code=usage.reader.code,
        consumer_name=usage.reader.name,
        kind=usage.kind,
        used_at=stamp(usage.used_at),
        use_cause=usage.purpose.use_cause,
        item_code=usage.purpose.item_code,
        case_id=usage.purpose.case_id,
        basis=messages.basis_number(usage.purpose.basis),
        consent_id=grounds.consent_id,
        legal_article=grounds.legal_article,
        entrustment_id=grounds.entrustment_id,
        face_fields=held.face_fields,
        outcome=usage.outcome,
        dispute_id=dispute_id,
    )
