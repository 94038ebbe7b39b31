"""What a registry that we agreed with may ask of us, and what we tell it in turn of uses of its licences."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.clock import china_day
from chassis.errors import Fault, Kind, Violation, declare, refuse
from services.certs.domain.federation import CLOCKS_APART, UNSHARED, Agreement, Federation, ReplicaState
from services.certs.domain.holder import holder_violations
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import check_purpose, purpose_violations
from services.certs.domain.usage import Usage, UsageKind
from services.certs.usecases.federation.ports import (
    Envelopes,
    Online,
    OpenReplica,
    Outgoing,
    OwedUse,
    PeerQuestion,
    Place,
    Replica,
)
from services.certs.usecases.federation.proving import proving
from services.certs.usecases.federation.sending import ERASE, heartbeat, message_about, message_in_place
from services.certs.usecases.log import Book, Published
from services.certs.usecases.ports import Licences, NewId, Usages

PAGE = 200
"""Messages of one answer: about 800 KB with their proofs."""
USES = 100

USED_IN_FUTURE = declare(
    "USED_IN_FUTURE",
    Kind.INVALID_ARGUMENT,
    "用证时间晚于当前时间",
    "The use lies in the future",
)


@dataclass(frozen=True, slots=True)
class OwnSide:
    """Our registry, within one open transaction, as another one may ask it."""

    federation: Federation
    types: LicenceTypes
    envelopes: Envelopes
    outgoing: Outgoing
    licences: Licences
    usages: Usages


async def answer_peer(
    side: OwnSide, agreement: Agreement, question: PeerQuestion, new_id: NewId, now: datetime
) -> list[str]:
    """Return where a holder's licences of shared types stand now, signed; each answer is a use, recorded here.

    Raises INVALID_REQUEST for a question without purpose or basis.
    """
    check_purpose(question.purpose, holder_violations(question.id_type_code, question.id_number))
    wanted = agreement.send & frozenset(question.type_codes) if question.type_codes else agreement.send
    if not wanted:
        return []
    found = await side.licences.find(question.id_type_code, question.id_number, sorted(wanted))
    shared = {each.licence_id: each for each in found if each.status not in UNSHARED}
    standings = [each for each in await side.outgoing.standings(list(shared)) if each.act != ERASE]
    lines = [
        _usage(new_id(), UsageKind.FIND, question, shared[each.licence.licence_id], now) for each in standings
    ]
    if lines:
        await side.usages.add(lines)
    return [message_about(side.federation, agreement, side.types, side.envelopes, each) for each in standings]


async def messages_since(
    side: OwnSide, book: Book, agreement: Agreement, ordinal: int, size: int, now: datetime
) -> list[str]:
    """Return the messages of a peer's stream after an ordinal, at most a page, then a heartbeat.

    The newest message about each licence is made anew, as it stands now; earlier ones only fill their place,
    also those of which nothing else is known any more.
    """
    sent = await side.outgoing.sent_after(agreement.registry_id, ordinal, PAGE)
    standings = await side.outgoing.standings(sorted({each.licence_id for each in sent} - {""}))
    by_id = {each.licence.licence_id: each for each in standings}
    place = await side.outgoing.place(agreement.registry_id)
    published = await _checkpoint_of(book, place, size)
    shown = await proving(book, published, [by_id[each.licence_id] for each in sent if each.newest])

    def made() -> list[str]:
        return [
            message_about(
                side.federation, agreement, side.types, side.envelopes, by_id[each.licence_id], each, shown
            )
            if each.licence_id
            else message_in_place(side.federation, agreement, side.envelopes, each, now)
            for each in sent
        ]

    messages = await asyncio.to_thread(made)
    if published is None:
        return messages
    beat = await heartbeat(side.outgoing, book, side.federation, agreement, place, size, published, now)
    return [*messages, side.envelopes.sign(beat)]


async def _checkpoint_of(book: Book, place: Place, size: int) -> Published | None:
    """Return the checkpoint of the stream's last heartbeat, from which the next goes on; the newest past that."""
    followed = await book.checkpoint(place.beat_size) if place.beat_size >= max(size, 1) else None
    return followed or await book.newest()


async def take_uses(side: OwnSide, agreement: Agreement, uses: Sequence[OwedUse], now: datetime) -> list[str]:
    """Record uses of our licences that a peer's readers made of its replica; return the ids that are settled.

    An id that is recorded already counts once. A licence that is not ours, of a type the peer was never told,
    or not told yet at the time, is settled without a record: it cannot have been used.
    Raises INVALID_REQUEST for uses without purpose or basis, or of a time to come.
    """
    refuse(_wrong(uses, now))
    known = await side.outgoing.recorded([each.usage_id for each in uses])
    since = await side.outgoing.shared_since(agreement.registry_id)
    ours = {each.licence_id: each for each in await side.licences.get_each([use.licence_id for use in uses])}
    lines = []
    for each in uses:
        licence = ours.get(each.licence_id.lower())
        if each.usage_id in known or licence is None or not _may_be_used(agreement, since, licence, each):
            continue
        question = PeerQuestion("", "", (), each.reader, each.purpose)
        lines.append(_usage(each.usage_id, UsageKind.FIND, question, licence, each.used_at))
        known.add(each.usage_id)
    if lines:
        await side.usages.add(lines)
    return [each.usage_id for each in uses]


def _wrong(uses: Sequence[OwedUse], now: datetime) -> list[Violation]:
    found = []
    for at, each in enumerate(uses):
        found += purpose_violations(each.purpose, f"uses[{at}].purpose")
        if each.used_at > now + CLOCKS_APART:
            found.append(USED_IN_FUTURE.at(f"uses[{at}].used_at"))
    return found


def _may_be_used(agreement: Agreement, since: Mapping[str, datetime], licence: Licence, use: OwedUse) -> bool:
    """Say whether a replica can have shown a licence at that time: told of by then, and issued."""
    told = since.get(licence.type_code)
    if licence.type_code not in agreement.send or told is None or use.used_at < told - CLOCKS_APART:
        return False
    return china_day(use.used_at) >= licence.issued_date.isoformat()


def _usage(usage_id: str, kind: UsageKind, asked: PeerQuestion, licence: Licence, at: datetime) -> Usage:
    holder = licence.holders[0] if licence.holders else None
    return Usage(
        usage_id, kind, asked.reader, asked.purpose, at, licence_id=licence.licence_id, holder=holder
    )


async def pay_uses(
    open_replica: OpenReplica, online: Online, agreement: Agreement, now: Callable[[], datetime]
) -> bool:
    """Tell a registry of a batch of uses of its licences; return whether more wait."""
    async with open_replica() as book:
        owed = await book.replica.owed(agreement.registry_id, USES)
    if not owed:
        return False
    try:
        await online.tell(agreement.peer, owed)
    except Fault:
        return False
    async with open_replica() as book:
        await book.replica.paid([each.usage_id for each in owed], now())
    return len(owed) == USES


async def start_again(replica: Replica, registry_id: str) -> ReplicaState:
    """Forget what a registry told, so that its replica is filled anew: when a fork was settled by people."""
    await replica.lock_state(registry_id)
    await replica.forget(registry_id)
    fresh = ReplicaState(registry_id)
    await replica.save_state(fresh)
    return fresh


__all__ = [
    "OwnSide",
    "answer_peer",
    "messages_since",
    "pay_uses",
    "start_again",
    "take_uses",
]
