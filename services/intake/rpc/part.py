"""PartService: the departments' door. Each call is one transaction; changes are done once per request_id."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from chassis.requests import AnswerCipher
from chassis.rpc.call import caller
from chassis.rpc.once import once
from services.intake.domain.cases.part import Defect
from services.intake.domain.catalogue.model import Catalogue
from services.intake.rpc.part_messages import (
    DECISIONS_READ,
    change_message,
    part_message,
    states_read,
    summary_message,
    watch_message,
)
from services.intake.rpc.transactions import OpenTransaction
from services.intake.usecases.cases import deciding, watching
from services.intake.usecases.cases.deciding import PartCommand, PartView
from services.intake.usecases.cases.ports import Files, Work
from tongban.intake.v1 import part_pb2 as pb
from tongban.intake.v1 import part_pb2_grpc

POLL_SECONDS = 1.0
"""How soon a change that another process committed is seen; our own ring the bell."""
MARK_SECONDS = 5.0
"""How often an idle stream says how far it is."""

Context = grpc.aio.ServicerContext[Message, Message]
Res = TypeVar("Res", bound=Message)
add_part_service = part_pb2_grpc.add_PartServiceServicer_to_server
"""Registers a `PartServicer` with a server."""


class Bell(Protocol):
    """Gives an event that the next change of a department sets."""

    def listen(self, department_code: str) -> asyncio.Event:
        """Return what the next ring sets; to be taken before the feed is read."""
        ...


class StaffRequest(Protocol):
    """What the requests of all changing methods have in common."""

    part_id: str
    etag: str
    staff_id: str


class PartServicer(part_pb2_grpc.PartServiceServicer):
    """Parts for the department that its client certificate names; another's part does not exist for it."""

    def __init__(
        self,
        open_transaction: OpenTransaction,
        catalogue: Callable[[], Catalogue],
        files: Files,
        bell: Bell,
        answers: AnswerCipher,
        *,
        poll_seconds: float = POLL_SECONDS,
        mark_seconds: float = MARK_SECONDS,
    ) -> None:
        self._open, self._catalogue, self._files, self._bell = open_transaction, catalogue, files, bell
        self._answers, self._poll_seconds, self._mark_seconds = answers, poll_seconds, mark_seconds

    async def ListParts(self, request: pb.ListPartsRequest, context: Context) -> pb.ListPartsResponse:
        """Return a page of the department's parts, newest change first."""
        states, wrong = states_read(request.states)
        async with self._open() as work:
            page = await watching.list_parts(
                work,
                caller(context).department(),
                states,
                request.page_size,
                request.page_token,
                wrong=wrong,
            )
        return pb.ListPartsResponse(
            parts=[summary_message(each) for each in page.parts], next_page_token=page.next_page_token
        )

    async def GetPart(self, request: pb.GetPartRequest, context: Context) -> pb.GetPartResponse:
        """Return one part with everything needed to decide it."""
        async with self._open() as work:
            view = await deciding.get_part(work, caller(context).department(), request.part_id)
        return pb.GetPartResponse(part=part_message(view))

    async def WatchParts(
        self, request: pb.WatchPartsRequest, context: Context
    ) -> AsyncIterator[pb.WatchPartsResponse]:
        """Yield every change after a revision as it commits, and how far the stream is while it is idle."""
        department, seen, marked_at = caller(context).department(), request.start_revision, 0.0
        while True:
            rung = self._bell.listen(department)
            async with self._open() as work:
                changes = await watching.list_changes(work, department, seen, watching.PAGE_LIMIT)
            for change in changes:
                yield watch_message(change)
                seen = change.revision
            if len(changes) == watching.PAGE_LIMIT:
                continue
            if time.monotonic() - marked_at >= self._mark_seconds:
                yield pb.WatchPartsResponse(revision=seen)
                marked_at = time.monotonic()
            await _first(rung, self._poll_seconds)

    async def ListPartChanges(
        self, request: pb.ListPartChangesRequest, context: Context
    ) -> pb.ListPartChangesResponse:
        """Return a page of changes; ``next_revision`` is where the next page starts."""
        async with self._open() as work:
            changes = await watching.list_changes(
                work, caller(context).department(), request.start_revision, request.page_size
            )
        last = changes[-1].revision if changes else request.start_revision
        return pb.ListPartChangesResponse(
            changes=[change_message(each) for each in changes], next_revision=last
        )

    async def ClaimPart(self, request: pb.ClaimPartRequest, context: Context) -> pb.ClaimPartResponse:
        """Note who took the part over."""
        command = _command(request, context)
        return await self._change(
            request,
            pb.ClaimPartResponse,
            lambda work: deciding.claim_part(work, self._catalogue(), command),
        )

    async def AcceptPart(self, request: pb.AcceptPartRequest, context: Context) -> pb.AcceptPartResponse:
        """Accept the part (受理)."""
        command = _command(request, context)
        return await self._change(
            request,
            pb.AcceptPartResponse,
            lambda work: deciding.accept_part(work, self._catalogue(), command),
        )

    async def RefusePart(self, request: pb.RefusePartRequest, context: Context) -> pb.RefusePartResponse:
        """Do not accept the part (不予受理)."""
        command = _command(request, context)
        return await self._change(
            request,
            pb.RefusePartResponse,
            lambda work: deciding.refuse_part(
                work, self._catalogue(), command, request.reason, request.competent_authority
            ),
        )

    async def RequestSupplement(
        self, request: pb.RequestSupplementRequest, context: Context
    ) -> pb.RequestSupplementResponse:
        """Tell everything that is missing, once and in full."""
        command = _command(request, context)
        defects = tuple(Defect(each.target, each.problem, each.remedy) for each in request.defects)
        return await self._change(
            request,
            pb.RequestSupplementResponse,
            lambda work: deciding.request_supplement(work, self._catalogue(), command, defects),
        )

    async def DecidePart(self, request: pb.DecidePartRequest, context: Context) -> pb.DecidePartResponse:
        """Put one signature under the part."""
        command, decision = _command(request, context), DECISIONS_READ.get(request.decision)
        return await self._change(
            request,
            pb.DecidePartResponse,
            lambda work: deciding.decide_part(work, self._catalogue(), command, decision, request.opinion),
        )

    async def GetMaterialFile(
        self, request: pb.GetMaterialFileRequest, context: Context
    ) -> pb.GetMaterialFileResponse:
        """Return the bytes of an uploaded material."""
        supplied, content = await deciding.get_material_file(
            self._open, self._files, caller(context).department(), request.part_id, request.material_code
        )
        return pb.GetMaterialFileResponse(
            content=content, media_type=supplied.media_type, file_name=supplied.file_name
        )

    async def _change(
        self, request: Message, answer: type[Res], verb: Callable[[Work], Awaitable[PartView]]
    ) -> Res:
        async with self._open() as work:

            async def done() -> Res:
                return answer(part=part_message(await verb(work)))

            return await once(work.tx, request, answer, done, cipher=self._answers)


def _command(request: StaffRequest, context: Context) -> PartCommand:
    return PartCommand(caller(context).department(), request.part_id, request.etag, request.staff_id)


async def _first(rung: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await rung.wait()
    except TimeoutError:
        return
