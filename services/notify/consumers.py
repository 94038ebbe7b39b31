"""What notify does with the events of intake: one message per event and channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from chassis.inbox import Handler

from chassis.clock import CHINA_TIME
from chassis.db import Transaction
from chassis.event import Envelope, Event, new_event_id
from events import intake
from services.notify.domain.template import Channel
from services.notify.usecases.accept import Order, accept
from services.notify.usecases.ports import Contact, Contacts, Messages, Templates


@dataclass(frozen=True, slots=True)
class Notice:
    """What one event is told as: the template, and the facts that its parameters may take."""

    template_code: str
    person_id: str
    case_id: str
    facts: Mapping[str, str]


def notice_of(event: Event) -> Notice:
    """Return what an event is told as. Raises KeyError for an event nobody is told of."""
    code, facts = _TELL[type(event)](event)
    named: Any = event
    common = {"case_no": named.case_no}
    return Notice(code, named.person_id, named.case_id, {**common, **facts})


def handlers(
    templates: Templates,
    contacts: Contacts,
    store_of: Callable[[Transaction], Messages],
    wake: Callable[[], None],
) -> tuple[Handler[Any, Any], ...]:
    """Return a handler per event: the contact is asked for first, the messages are stored after."""

    async def prepare(event: Event) -> Contact:
        notice = notice_of(event)
        return await contacts.of(notice.person_id, notice.case_id)

    async def apply(tx: Transaction, event: Event, envelope: Envelope, contact: Contact | None) -> None:
        assert contact is not None, "prepare ran for this event"
        store, notice = store_of(tx), notice_of(event)
        template = templates.approved(notice.template_code)
        facts = {**notice.facts, "name": contact.masked_name}
        chosen = {name: facts[name] for name in template.parameters if name in facts}
        for channel in template.channels():
            order = _order(notice, contact, channel, chosen, str(envelope.event_id))
            await accept(store, templates, order, new_event_id(), tx.now())
        tx.after_commit(wake)

    return (
        Handler(intake.CaseSubmitted, apply, prepare),
        Handler(intake.SupplementRequested, apply, prepare),
        Handler(intake.PartAccepted, apply, prepare),
        Handler(intake.PartRefused, apply, prepare),
        Handler(intake.PartDecided, apply, prepare),
        Handler(intake.CaseClosed, apply, prepare),
        Handler(intake.RectificationOpened, apply, prepare),
    )


def _order(
    notice: Notice, contact: Contact, channel: Channel, parameters: Mapping[str, str], event_id: str
) -> Order:
    return Order(
        source_key=f"event:{event_id}",
        template_code=notice.template_code,
        channel=channel,
        parameters=parameters,
        language=contact.language,
        phone=contact.phone if channel is Channel.SMS else None,
        person_id=notice.person_id,
        case_id=notice.case_id,
    )


def _submitted(event: Any) -> tuple[str, dict[str, str]]:
    return "case_submitted", {
        "title": event.title,
        "parts": str(len(event.parts)),
        "submitted_at": _moment(event.submitted_at),
    }


def _supplement(event: Any) -> tuple[str, dict[str, str]]:
    return "supplement_requested", {"item_name": event.item_name, "defects": str(event.defects)}


def _accepted(event: Any) -> tuple[str, dict[str, str]]:
    return "part_accepted", {"item_name": event.item_name, "due_date": _day(event.promised_due)}


def _refused(event: Any) -> tuple[str, dict[str, str]]:
    return "part_refused", {"item_name": event.item_name}


def _decided(event: Any) -> tuple[str, dict[str, str]]:
    return "part_approved" if event.approved else "part_rejected", {"item_name": event.item_name}


def _closed(event: Any) -> tuple[str, dict[str, str]]:
    return "case_closed", {
        "title": event.title,
        "approved": str(event.approved_parts),
        "rejected": str(event.rejected_parts),
    }


def _rectification(event: Any) -> tuple[str, dict[str, str]]:
    return "rectification_opened", {
        "due_date": _day(event.rectify_due),
        "contact_due": _day(event.contact_due),
    }


_TELL: dict[type[Event], Callable[[Any], tuple[str, dict[str, str]]]] = {
    intake.CaseSubmitted: _submitted,
    intake.SupplementRequested: _supplement,
    intake.PartAccepted: _accepted,
    intake.PartRefused: _refused,
    intake.PartDecided: _decided,
    intake.CaseClosed: _closed,
    intake.RectificationOpened: _rectification,
}


def _day(day: date | None) -> str:
    return day.isoformat() if day else "待定"


def _moment(moment: datetime) -> str:
    return moment.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M")
