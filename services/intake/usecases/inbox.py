"""The in-app inbox 站内信 of the person logged in; kept by notify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """One message."""

    message_id: str
    title: str
    text: str = field(repr=False)
    case_id: str
    created_at: datetime
    read_at: datetime | None


class Inbox(Protocol):
    """The inbox of the acting person of the current call (notify)."""

    async def list_messages(
        self, page_size: int, page_token: str, *, unread_only: bool
    ) -> tuple[Sequence[InboxMessage], str]:
        """Return a page, newest first, and the token of the next."""
        ...

    async def mark_read(self, message_id: str) -> InboxMessage:
        """Mark one message as read; repeating changes nothing. Raises MESSAGE_NOT_FOUND."""
        ...
