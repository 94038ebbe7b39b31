"""What intake does with events: results of its cases, their timeline, the archive of closed ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chassis.db import Transaction
from chassis.event import Envelope, Event
from chassis.inbox import Handler
from events import certs, intake, notify, seal
from services.intake.domain.cases.part import ResultLicence
from services.intake.usecases.archive import Package, build_archive, record_archive
from services.intake.usecases.cases.issuing import add_to_timeline, record_licence
from services.intake.usecases.cases.ports import (
    Files,
    Licences,
    OpenWork,
    SignDocument,
    TimelineEntry,
    Work,
)
from services.intake.usecases.identity.organisations import ENDING_STATUSES, end_representations
from services.intake.usecases.identity.ports import IdentityWork


@dataclass(frozen=True, slots=True)
class Following:
    """What the handlers need: transactions, the work in one that the inbox opened, registry, files, signer."""

    open_work: OpenWork
    within: Callable[[Transaction], Work]
    licences: Licences
    files: Files
    sign: SignDocument


def handlers(following: Following) -> tuple[Handler[Any, Any], ...]:
    """Return a handler per event."""

    async def note(tx: Transaction, event: Event, envelope: Envelope, prepared: None) -> None:
        del envelope, prepared
        await add_to_timeline(following.within(tx), entry_of(event))

    async def complete(event: certs.LicenceIssued) -> None:
        """Complete the part, once, in a transaction of its own.

        A batch of these in one transaction would hold the feed counters of departments while it waits
        for the next case, and a department that holds that case waits for its counter: a deadlock.
        """
        if event.case_id and event.part_id:
            licence = ResultLicence(event.licence_id, event.identifier, event.type_name)
            async with following.open_work() as work:
                await record_licence(work, event.case_id, event.part_id, licence)

    async def package(event: intake.CaseClosed) -> Package | None:
        return await build_archive(
            following.open_work, following.licences, following.files, following.sign, event.case_id
        )

    async def closed(
        tx: Transaction, event: intake.CaseClosed, envelope: Envelope, prepared: Package | None
    ) -> None:
        del event, envelope
        if prepared is not None:
            await record_archive(following.within(tx), prepared)

    noted: list[Handler[Any, Any]] = [
        Handler(event, note) for event in _LINES if event is not certs.LicenceIssued
    ]
    return (*noted, Handler(certs.LicenceIssued, note, complete), Handler(intake.CaseClosed, closed, package))


def identity_handlers(within: Callable[[Transaction], IdentityWork]) -> tuple[Handler[Any, Any], ...]:
    """Return what identity does with events: nobody represents by a licence that is no more."""

    async def changed(
        tx: Transaction, event: certs.LicenceStatusChanged, envelope: Envelope, prepared: None
    ) -> None:
        del envelope, prepared
        if event.status in ENDING_STATUSES:
            await end_representations(within(tx), event.licence_id, event.changed_at)

    return (Handler(certs.LicenceStatusChanged, changed),)


def entry_of(event: Event) -> TimelineEntry:
    """Return the timeline's line of an event of another service; its case may be empty or not ours."""
    named: Any = event
    service, what, at, reference = _LINES[type(event)](named)
    return TimelineEntry(named.case_id or "", at, service, what, reference)


_Line = tuple[str, str, datetime, str]
_LINES: dict[type[Event], Callable[[Any], _Line]] = {
    certs.LicenceMade: lambda event: ("certs", "licence_made", event.made_at, event.licence_id),
    certs.LicenceIssued: lambda event: ("certs", "licence_issued", event.issued_at, event.licence_id),
    certs.LicenceUsed: lambda event: ("certs", "licence_used", event.used_at, event.usage_id),
    certs.RelianceFell: lambda event: ("certs", "licence_fell", event.fell_at, event.flag_id),
    seal.DocumentSealed: lambda event: ("seal", "document_sealed", event.sealed_at, event.signature_id),
    seal.SealingRefused: lambda event: ("seal", "sealing_refused", event.refused_at, event.signature_id),
    notify.MessageSent: lambda event: ("notify", "message_sent", event.sent_at, event.message_id),
    notify.MessageFailed: lambda event: ("notify", "message_failed", event.failed_at, event.message_id),
}
