"""What intake asks of notify: one-time codes, and the inbox of the person logged in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import uuid_utils.compat

from chassis.rpc.channel import PeerChannel
from chassis.rpc.moments import stamp
from services.intake.usecases.inbox import InboxMessage
from tongban.notify.v1 import message_pb2, message_pb2_grpc

CODE_TEMPLATE = "one-time-code"


class NotifyMessages:
    """The ports ``CodeSender`` and ``Inbox``."""

    def __init__(self, notify: PeerChannel) -> None:
        self._notify = notify
        self._stub = message_pb2_grpc.MessageServiceStub(notify.channel)

    async def send(
        self, request_id: str, *, phone: str, code: str, minutes: int, expires_at: datetime
    ) -> None:
        """Have one short message sent, exactly one per request id."""
        request = message_pb2.SendMessageRequest(
            request_id=request_id,
            template_code=CODE_TEMPLATE,
            channel="sms",
            phone=phone,
            parameters={"code": code, "minutes": str(minutes)},
            language="zh",
            expires_at=stamp(expires_at),
        )
        await self._notify.call(self._stub.SendMessage, request)

    async def list_messages(
        self, page_size: int, page_token: str, *, unread_only: bool
    ) -> tuple[Sequence[InboxMessage], str]:
        """Return a page, newest first, and the token of the next."""
        request = message_pb2.ListInboxRequest(
            page_size=page_size, page_token=page_token, unread_only=unread_only
        )
        answer = await self._notify.call(self._stub.ListInbox, request)
        return [_message(each) for each in answer.messages], answer.next_page_token

    async def mark_read(self, message_id: str) -> InboxMessage:
        """Mark one message as read; repeating changes nothing."""
        request = message_pb2.MarkReadRequest(
            request_id=str(uuid_utils.compat.uuid7()), message_id=message_id
        )
        return _message((await self._notify.call(self._stub.MarkRead, request)).message)


def _message(message: message_pb2.InboxMessage) -> InboxMessage:
    return InboxMessage(
        message_id=message.message_id,
        title=message.title,
        text=message.text,
        case_id=message.case_id,
        created_at=message.created_at.ToDatetime(tzinfo=UTC),
        read_at=message.read_at.ToDatetime(tzinfo=UTC) if message.HasField("read_at") else None,
    )
