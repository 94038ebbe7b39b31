"""What notify does with the events of intake: one message per event and channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from chassis.db import Transaction
from chassis.event import Envelope, Event, new_event_id
from chassis.inbox import Handler
from events import intake
from services.notify.domain.address import EMAIL
from services.notify.domain.template import Channel
from services.notify.usecases.accept import Order, accept
from services.notify.usecases.ports import Contact, Contacts, Messages, Templates

Told = tuple[str, dict[str, str]]
"""A template, and the facts of the event that its parameters may take."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one event is told as, and to whom."""

    template_code: str
    person_id: str
    case_id: str
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Telling:
    """What the handlers need: templates, names of departments, contacts, the store, the worker."""

    templates: Templates
    department_names: Mapping[str, str]
    contacts: Contacts
    store_of: Callable[[Transaction], Messages]
    wake: Callable[[], None]
    channels: frozenset[Channel] = field(default=frozenset({Channel.SMS, Channel.INBOX}))
    """The channels that something carries here."""


def notice_of(event: Event, department_names: Mapping[str, str]) -> Notice | None:
    """Return what an event is told as; None for a part that ended without a licence."""
    named: Any = event
    told = _TELL[type(event)](named)
    if told is None:
        return None
    template_code, facts = told
    code = getattr(named, "department_code", "")
    common = {"case_number": named.case_no, "department_name": department_names.get(code, code)}
    return Notice(template_code, named.person_id, named.case_id, {**common, **facts})


def handlers(telling: Telling) -> tuple[Handler[Any, Any], ...]:
    """Return a handler per event: the contact is asked for first, the messages are stored after."""

    async def prepare(event: Event) -> Contact | None:
        notice = notice_of(event, telling.department_names)
        return await telling.contacts.of(notice.person_id, notice.case_id) if notice else None

    async def apply(tx: Transaction, event: Event, envelope: Envelope, contact: Contact | None) -> None:
        notice = notice_of(event, telling.department_names)
        if notice is None or contact is None:
            return
        template = telling.templates.approved(notice.template_code)
        facts = {**notice.facts, "masked_name": contact.masked_name}
        chosen = {name: facts[name] for name in template.parameters if name in facts}
        for channel in template.channels():
            if channel not in telling.channels or not _reached(channel, contact):
                continue  # an organisation nobody represents any more: its inbox still has the message
            order = _order(notice, contact, channel, chosen, str(envelope.event_id))
            await accept(telling.store_of(tx), telling.templates, order, new_event_id(), tx.now())
        tx.after_commit(telling.wake)

    return (
        Handler(intake.CaseSubmitted, apply, prepare),
        Handler(intake.SupplementRequested, apply, prepare),
        Handler(intake.PartAccepted, apply, prepare),
        Handler(intake.PartRefused, apply, prepare),
        Handler(intake.PartDecided, apply, prepare),
        Handler(intake.PartCompleted, apply, prepare),
        Handler(intake.CaseClosed, apply, prepare),
        Handler(intake.RectificationOpened, apply, prepare),
    )


def _reached(channel: Channel, contact: Contact) -> bool:
    """Say whether a contact can be reached so; an address we would refuse must not park the event."""
    match channel:
        case Channel.SMS:
            return bool(contact.phone)
        case Channel.EMAIL:
            return EMAIL.fullmatch(contact.email) is not None
        case Channel.INBOX:
            return True


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
        email=contact.email if channel is Channel.EMAIL else None,
        person_id=notice.person_id,
        case_id=notice.case_id,
    )


def _submitted(event: intake.CaseSubmitted) -> Told:
    return "case-submitted", {"item_name": event.title}


def _supplement(event: intake.SupplementRequested) -> Told:
    return "supplement-requested", {"item_name": event.item_name, "material_count": str(event.defects)}


def _accepted(event: intake.PartAccepted) -> Told:
    return "part-accepted", {"item_name": event.item_name, "due_on": _day(event.promised_due)}


def _refused(event: intake.PartRefused) -> Told:
    return "part-refused", {"item_name": event.item_name}


def _decided(event: intake.PartDecided) -> Told:
    return "part-approved" if event.approved else "part-rejected", {"item_name": event.item_name}


def _completed(event: intake.PartCompleted) -> Told | None:
    return ("licence-issued", {"licence_name": event.licence_name}) if event.licence_name else None


def _closed(event: intake.CaseClosed) -> Told:
    return "case-closed", {"item_name": event.title}


def _rectification(event: intake.RectificationOpened) -> Told:
    return "rectification-opened", {
        "contact_on": _day(event.contact_due),
        "due_on": _day(event.rectify_due),
    }


_TELL: dict[type[Event], Callable[[Any], Told | None]] = {
    intake.CaseSubmitted: _submitted,
    intake.SupplementRequested: _supplement,
    intake.PartAccepted: _accepted,
    intake.PartRefused: _refused,
    intake.PartDecided: _decided,
    intake.PartCompleted: _completed,
    intake.CaseClosed: _closed,
    intake.RectificationOpened: _rectification,
}


def _day(day: date | None) -> str:
    return day.isoformat() if day else "待定"
