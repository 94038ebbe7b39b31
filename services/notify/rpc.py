"""MessageService over gRPC."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import grpc

from chassis.clock import Clock
from chassis.db import Database, Transaction
from chassis.errors import FIELD_MALFORMED, refuse
from chassis.event import new_event_id
from chassis.rpc.call import caller
from chassis.rpc.moments import moment_of, stamp
from chassis.rpc.once import once
from services.notify.domain.message import Message
from services.notify.domain.template import Channel
from services.notify.usecases.accept import Order, accept
from services.notify.usecases.ports import InboxEntry, Store, Templates
from services.notify.usecases.read_inbox import list_inbox, mark_read
from tongban.notify.v1 import message_pb2 as pb
from tongban.notify.v1 import message_pb2_grpc

Context = grpc.aio.ServicerContext[object, object]


add_message_service = message_pb2_grpc.add_MessageServiceServicer_to_server
"""Registers a `MessageServicer` with a server."""


class MessageServicer(message_pb2_grpc.MessageServiceServicer):
    """Opens one transaction per call and hands it to the use case."""

    def __init__(
        self,
        database: Database,
        store_of: Callable[[Transaction], Store],
        templates: Templates,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._database = database
        self._store_of = store_of
        self._templates = templates
        self._clock = clock
        self._wake = wake

    async def SendMessage(self, request: pb.SendMessageRequest, context: Context) -> pb.SendMessageResponse:
        """Accept one message; the worker is woken after the commit."""
        order = _order(request)
        async with self._database.transaction() as tx:
            store = self._store_of(tx)

            async def work() -> pb.SendMessageResponse:
                return _response(await accept(store, self._templates, order, new_event_id(), self._clock()))

            tx.after_commit(self._wake)
            return await once(tx, request, pb.SendMessageResponse, work)

    async def ListInbox(self, request: pb.ListInboxRequest, context: Context) -> pb.ListInboxResponse:
        """Return a page of the acting person's inbox."""
        if request.page_size < 0:
            refuse([FIELD_MALFORMED.at("page_size")])
        if request.page_token:
            _uuid("page_token", request.page_token)
        person_id = _reader(context)
        async with self._database.transaction() as tx:
            entries, token = await list_inbox(
                self._store_of(tx),
                person_id,
                request.page_size,
                request.page_token,
                unread_only=request.unread_only,
            )
        return pb.ListInboxResponse(messages=[_entry(each) for each in entries], next_page_token=token)

    async def MarkRead(self, request: pb.MarkReadRequest, context: Context) -> pb.MarkReadResponse:
        """Mark one message of the acting person as read; a repeat changes nothing."""
        message_id = _uuid("message_id", request.message_id)
        person_id = _reader(context)
        async with self._database.transaction() as tx:
            entry = await mark_read(self._store_of(tx), person_id, message_id, self._clock())
        return pb.MarkReadResponse(message=_entry(entry))


def _order(request: pb.SendMessageRequest) -> Order:
    wrong = [] if request.channel in list(Channel) else [FIELD_MALFORMED.at("channel")]
    refuse(wrong)
    return Order(
        source_key=f"request:{request.request_id}",
        template_code=request.template_code,
        channel=Channel(request.channel),
        parameters=dict(request.parameters),
        language=request.language or "zh",
        phone=request.phone or None,
        person_id=request.person_id or None,
        expires_at=moment_of(request, "expires_at"),
    )


def _reader(context: Context) -> str:
    """Return whose inbox it is: that of whom the person acts for, as cases and their notices are kept."""
    acting = caller(context).acting()
    return acting.acting_for or acting.person_id


def _uuid(field: str, value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        refuse([FIELD_MALFORMED.at(field)])
        raise


def _response(message: Message) -> pb.SendMessageResponse:
    state = pb.MessageState.Value(f"MESSAGE_STATE_{message.state.upper()}")
    return pb.SendMessageResponse(message_id=str(message.message_id), state=state)


def _entry(entry: InboxEntry) -> pb.InboxMessage:
    return pb.InboxMessage(
        message_id=str(entry.message.message_id),
        template_code=entry.message.template_code,
        title=entry.contents.title,
        text=entry.contents.text,
        case_id=entry.message.case_id or "",
        created_at=stamp(entry.message.created_at),
        read_at=stamp(entry.read_at) if entry.read_at else None,
    )
