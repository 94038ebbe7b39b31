"""LicenceService over gRPC."""

from __future__ import annotations

from chassis.errors import Fault
from chassis.rpc.call import caller
from chassis.rpc.moments import moment_of, stamp
from services.certs.domain.purpose import Purpose
from services.certs.domain.status import StatusOrder
from services.certs.rpc import messages
from services.certs.rpc.desk import Context, Desk, new_id
from services.certs.rpc.shared_reads import SharedReads
from services.certs.usecases.annotate import hand_out_document
from services.certs.usecases.change_status import change_status
from services.certs.usecases.hand_out_pdf import hand_out_pdf
from services.certs.usecases.make import get_unsealed_document
from services.certs.usecases.pdf_companion import get_unsealed_pdf
from services.certs.usecases.read import Question, find, get
from services.certs.usecases.travelling import proof_beside
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import licence_pb2_grpc


class LicenceServicer(licence_pb2_grpc.LicenceServiceServicer):
    """Reads and status changes; one transaction per call, the usage record in it. Look-ups share statements."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._reads = SharedReads(desk.database, desk.registry_of, desk.types, new_id)

    async def FindLicences(
        self, request: pb.FindLicencesRequest, context: Context
    ) -> pb.FindLicencesResponse:
        """Return a holder's licences across all counties, masked."""
        del context
        desk = self._desk
        question = Question(
            request.holder_id_type_code,
            request.holder_id_number,
            tuple(request.type_codes),
            messages.purpose(request.purpose),
            request.usable_only,
        )
        found = await find(self._reads, desk.reader(), question, desk.clock())
        answer = pb.FindLicencesResponse()
        for each in found:  # in place: a list of messages would be copied
            answer.licences.add(**messages.licence_fields(each))
        return answer

    async def GetLicence(self, request: pb.GetLicenceRequest, context: Context) -> pb.GetLicenceResponse:
        """Return one licence, masked."""
        del context
        desk, key = self._desk, (request.licence_id, request.identifier)
        purpose = messages.purpose(request.purpose)
        async with desk.database.transaction() as tx:
            found = await get(
                desk.registry_of(tx), desk.types, desk.reader(), key, purpose, new_id, desk.clock()
            )
        return pb.GetLicenceResponse(licence=messages.licence(found))

    async def GetLicenceDocument(
        self, request: pb.GetLicenceDocumentRequest, context: Context
    ) -> pb.GetLicenceDocumentResponse:
        """Return the sealed OFD to who may have it, an annotated copy to others; or the sealed PDF."""
        del context
        desk, purpose = self._desk, messages.purpose(request.purpose)
        if messages.wants_pdf(request.format):
            return await self._sealed_pdf(request.licence_id, purpose)
        async with desk.database.transaction() as tx:
            registry = desk.registry_of(tx)
            found = await hand_out_document(
                registry,
                desk.documents,
                desk.types,
                desk.reader(),
                request.licence_id,
                purpose,
                new_id,
                desk.clock(),
            )
            is_copy = found.copy_expires_at is not None
            proof = await proof_beside(
                registry, desk.log_proofs(tx), request.licence_id, original=not is_copy
            )
        return pb.GetLicenceDocumentResponse(
            ofd=found.ofd,
            sha256=found.sha256,
            is_annotated_copy=is_copy,
            log_proof=proof,
            copy_expires_at=stamp(found.copy_expires_at) if found.copy_expires_at else None,
        )

    async def _sealed_pdf(self, licence_id: str, purpose: Purpose) -> pb.GetLicenceDocumentResponse:
        desk = self._desk
        async with desk.database.transaction() as tx:
            found = await hand_out_pdf(
                desk.registry_of(tx),
                desk.documents,
                desk.reader(),
                licence_id,
                purpose,
                new_id,
                desk.clock(),
            )
        if isinstance(found, Fault):  # after the commit: who asks for a PDF that is not there has it made
            raise found
        return pb.GetLicenceDocumentResponse(pdf=found.ofd, sha256=found.sha256)

    async def ChangeLicenceStatus(
        self, request: pb.ChangeLicenceStatusRequest, context: Context
    ) -> pb.ChangeLicenceStatusResponse:
        """Carry out an issuer's order on its own licence."""
        desk, now = self._desk, self._desk.clock()
        order = StatusOrder(
            messages.status(request.status),
            request.reason,
            request.basis_document,
            request.operator,
            moment_of(request, "effective_at") or now,
            request.second_person,
        )
        department = caller(context).department()
        async with desk.database.transaction() as tx:

            async def work() -> pb.ChangeLicenceStatusResponse:
                shown = await change_status(
                    desk.registry_of(tx),
                    desk.types,
                    department,
                    request.licence_id,
                    request.etag,
                    order,
                    new_id,
                    now,
                )
                return pb.ChangeLicenceStatusResponse(licence=messages.licence(shown))

            return await desk.once(tx, request, pb.ChangeLicenceStatusResponse, work)

    async def GetUnsealedDocument(
        self, request: pb.GetUnsealedDocumentRequest, context: Context
    ) -> pb.GetUnsealedDocumentResponse:
        """Return the document that waits for a seal, and where the seal goes."""
        del context
        desk, is_pdf = self._desk, messages.wants_pdf(request.format)
        async with desk.database.transaction() as tx:
            registry, licence_id = desk.registry_of(tx), request.licence_id
            if is_pdf:
                licence, document = await get_unsealed_pdf(registry, desk.documents, licence_id, desk.clock())
            else:
                licence, document = await get_unsealed_document(registry, desk.documents, licence_id)
        return pb.GetUnsealedDocumentResponse(
            **{"pdf" if is_pdf else "ofd": document},
            issuer_code=licence.issuer_code,
            case_id=licence.case_id,
            item_code=licence.item_code,
            seal_x_mm=licence.sealing.seal_x_mm,
            seal_y_mm=licence.sealing.seal_y_mm,
        )
