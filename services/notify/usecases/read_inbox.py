"""Read the in-app inbox of the acting person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.errors import Kind, declare
from services.notify.usecases.ports import Inbox, InboxEntry

MESSAGE_NOT_FOUND = declare("MESSAGE_NOT_FOUND", Kind.NOT_FOUND, "没有这条消息", "No such message")

DEFAULT_PAGE = 20
LARGEST_PAGE = 100


async def list_inbox(
    inbox: Inbox, person_id: str, page_size: int, page_token: str, *, unread_only: bool
) -> tuple[Sequence[InboxEntry], str]:
    """Return a page of the person's messages, newest first, and the token of the next page or ``""``."""
    limit = min(page_size or DEFAULT_PAGE, LARGEST_PAGE)
    found = await inbox.entries(person_id, page_token or None, limit + 1, unread_only=unread_only)
    page = found[:limit]
    more = len(found) > limit
    return page, str(page[-1].message.message_id) if more else ""


async def mark_read(inbox: Inbox, person_id: str, message_id: UUID, now: datetime) -> InboxEntry:
    """Mark a message as read; the first time counts. Raises MESSAGE_NOT_FOUND, also for another's message."""
    entry = await inbox.mark_read(person_id, message_id, now)
    if entry is None:
        raise MESSAGE_NOT_FOUND()
    return entry
