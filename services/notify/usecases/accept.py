"""Accept a message: render it, store it, once per source and channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.errors import FIELD_REQUIRED, refuse
from services.notify.domain.address import EMAIL, EMAIL_MALFORMED, MOBILE, PHONE_MALFORMED
from services.notify.domain.message import Message, MessageState
from services.notify.domain.template import Channel, Template
from services.notify.usecases.ports import Contents, Messages, Templates


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be said to whom: one message over one channel."""

    source_key: str
    """The event or request it comes from; with the channel it makes the message unique."""
    template_code: str
    channel: Channel
    parameters: Mapping[str, str]
    language: str = "zh"
    phone: str | None = None
    email: str | None = None
    person_id: str | None = None
    case_id: str | None = None
    expires_at: datetime | None = None


async def accept(
    messages: Messages, templates: Templates, order: Order, message_id: UUID, now: datetime
) -> Message:
    """Store the message of an order and return it; the same source and channel again changes nothing.

    An inbox message is delivered with the commit; any other is due at once.
    Raises TEMPLATE_UNKNOWN, TEMPLATE_CHANNEL, or INVALID_REQUEST naming every wrong field.
    """
    template = templates.approved(order.template_code)
    _check_address(order)
    text = template.render(order.channel, order.language, order.parameters)
    message = _new(order, template, message_id, now)
    return await messages.add(
        message,
        Contents(
            template.title(order.language),
            text,
            order.email if order.channel is Channel.EMAIL else order.phone,
        ),
    )


def _check_address(order: Order) -> None:
    if order.channel is Channel.INBOX:
        refuse([] if order.person_id else [FIELD_REQUIRED.at("person_id")])
    elif order.channel is Channel.EMAIL:
        if not order.email:
            refuse([FIELD_REQUIRED.at("email")])
        elif not EMAIL.fullmatch(order.email):
            refuse([EMAIL_MALFORMED.at("email")])
    elif not order.phone:
        refuse([FIELD_REQUIRED.at("phone")])
    elif not MOBILE.fullmatch(order.phone):
        refuse([PHONE_MALFORMED.at("phone")])


def _new(order: Order, template: Template, message_id: UUID, now: datetime) -> Message:
    inbox = order.channel is Channel.INBOX
    return Message(
        message_id=message_id,
        source_key=order.source_key,
        channel=order.channel,
        category=template.category,
        template_code=template.code,
        template_version=template.version,
        language=order.language,
        person_id=order.person_id,
        case_id=order.case_id,
        state=MessageState.DELIVERED if inbox else MessageState.CREATED,
        attempts=0,
        created_at=now,
        next_attempt_at=None if inbox else now,
        expires_at=order.expires_at,
    )
