"""Events of notify. Key: ``message_id``."""

from __future__ import annotations

from datetime import datetime

from chassis.event import Event, declared_event

MESSAGE = "notify.message.v1"


@declared_event(MESSAGE, "message_id", public=True)
class MessageSent(Event):
    """A provider took the message over."""

    message_id: str
    template_code: str
    channel: str
    person_id: str | None
    case_id: str | None
    attempts: int
    sent_at: datetime


@declared_event(MESSAGE, "message_id", public=True)
class MessageFailed(Event):
    """The message will not be sent: refused, expired, or its attempts are used up."""

    message_id: str
    template_code: str
    channel: str
    person_id: str | None
    case_id: str | None
    reason: str
    failed_at: datetime
