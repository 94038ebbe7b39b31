"""ConfirmationService over gRPC."""

from __future__ import annotations

from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.usecases.confirm import confirm_face
from services.certs.usecases.read import Question
from tongban.certs.v1 import confirmation_pb2 as pb
from tongban.certs.v1 import confirmation_pb2_grpc


class ConfirmationServicer(confirmation_pb2_grpc.ConfirmationServiceServicer):
    """Answers yes or no; one transaction per call, the usage record in it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ConfirmFace(self, request: pb.ConfirmFaceRequest, context: Context) -> pb.ConfirmFaceResponse:
        """Say whether a licence of the holder states exactly these face values."""
        del context
        desk = self._desk
        question = Question(
            request.holder_id_type_code,
            request.holder_id_number,
            (request.type_code,),
            messages.purpose(request.purpose),
            usable_only=True,
        )
        async with desk.database.transaction() as tx:
            found = await confirm_face(
                desk.registry_of(tx),
                desk.types,
                desk.reader(),
                question,
                dict(request.face),
                new_id,
                desk.clock(),
            )
        if found is None:
            return pb.ConfirmFaceResponse(confirmed=False)
        return pb.ConfirmFaceResponse(confirmed=True, licence=messages.licence(found))
