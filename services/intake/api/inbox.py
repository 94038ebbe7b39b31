"""The in-app inbox of the person logged in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query

from services.intake.api.doors import DoorsHere, EnteredHere
from services.intake.api.shapes import UUID_PATTERN, View
from services.intake.usecases.inbox import InboxMessage

router = APIRouter(prefix="/v1/messages", tags=["messages"])


class MessageView(View):
    """One message."""

    message_id: str
    title: str
    text: str
    case_id: str
    created_at: datetime
    read_at: datetime | None


class InboxPage(View):
    """A page of the inbox; the token is empty on the last one."""

    messages: list[MessageView]
    next_page_token: str


@router.get("", summary="站内信")
async def my_messages(
    entered: EnteredHere,
    doors: DoorsHere,
    page_size: Annotated[int, Query(ge=1, le=100)] = 20,
    page_token: Annotated[str, Query(max_length=200)] = "",
    *,
    unread_only: bool = False,
) -> InboxPage:
    """Return the person's messages, newest first."""
    del entered
    found, token = await doors.inbox.list_messages(page_size, page_token, unread_only=unread_only)
    return InboxPage(messages=[_view(each) for each in found], next_page_token=token)


@router.post("/{message_id}/read", summary="标记已读")
async def mark_as_read(
    message_id: Annotated[str, Path(pattern=UUID_PATTERN)], entered: EnteredHere, doors: DoorsHere
) -> MessageView:
    """Mark one message as read; repeating changes nothing."""
    del entered
    return _view(await doors.inbox.mark_read(message_id))


def _view(message: InboxMessage) -> MessageView:
    return MessageView(
        message_id=message.message_id,
        title=message.title,
        text=message.text,
        case_id=message.case_id,
        created_at=message.created_at,
        read_at=message.read_at,
    )
