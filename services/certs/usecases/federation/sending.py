"""Tell others where our licences stand: what the log says is told in its order, each message once for each peer.

1. One process at a time holds the streams and reads the log from where it was last told.
2. A licence of a shared type is told as it stands now; several changes may go in one message.
3. Each recipient gets its own message: numbered, encrypted for it, signed. It leaves with this transaction.
4. A type that is shared anew is told from its first licence on.
5. A message carries the leaf of its act and the proof that leads from it to the newest checkpoint. That one goes
   in a heartbeat of the same transaction, so that whoever takes it can hold the proof against it.
6. Heartbeats say until when everything was told, and carry a checkpoint of the log, each with the proof that it
   follows from that of the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from events.certs import ReplicaSent
from services.certs.domain.federation import (
    ANSWER_ORDINAL,
    NOTHING_COMPLETE,
    UNSHARED,
    Agreement,
    Federation,
    Heartbeat,
    LicenceMessage,
    shared_content,
)
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.federation.ports import Envelopes, Outgoing, Place, Sent, Standing
from services.certs.usecases.federation.proving import Proving, proving
from services.certs.usecases.log import Book, Published, consistency

BATCH = 200
"""Licences of one transaction: about 0.3 ms of signing and encrypting each, for each peer."""
LEAVES = 2_000
"""Leaves read at once; those of uses are passed over."""
ERASE = "erase"
FORGOTTEN = "forgotten"
NOBODY = str(UUID(int=0))


async def send_changes(
    outgoing: Outgoing,
    book: Book,
    federation: Federation,
    types: LicenceTypes,
    envelopes: Envelopes,
    now: datetime,
) -> bool:
    """Tell a batch of what changed, and of the checkpoint that proves it; return whether more waits."""
    index = await outgoing.hold()
    if index is None or not federation.is_on:
        return False
    is_first = await _keep_shares(outgoing, federation, now)
    if is_first:  # whatever the log says up to here, the first telling of all licences says as well
        index = await outgoing.skip()
    changed, end = await outgoing.changed(index, LEAVES)
    waiting = await outgoing.unsent(BATCH)
    everybody = list(federation.agreements.values())
    batches = [
        (everybody, await outgoing.standings(changed[start : start + BATCH]))
        for start in range(0, len(changed), BATCH)
    ]
    if waiting is not None:
        batches.append(([federation.of(waiting[0])], await outgoing.standings(waiting[1])))
    published = await book.newest()  # read after the standings, so it has every leaf that they name
    told: dict[str, Agreement] = {}
    for agreements, standings in batches:
        for agreement in agreements:
            shared = [each for each in standings if _is_shared(agreement, each)]
            if shared:
                shown = await proving(book, published, shared)
                await _tell(outgoing, federation, agreement, types, envelopes, shared, shown, now)
                told[agreement.registry_id] = agreement
    if end != index:
        await outgoing.advance(end)
    for agreement in told.values():
        await _tell_log(outgoing, book, federation, agreement, envelopes, published, now)
    return waiting is not None or end - index == LEAVES


async def send_heartbeats(
    outgoing: Outgoing,
    book: Book,
    federation: Federation,
    envelopes: Envelopes,
    every: timedelta,
    now: datetime,
) -> None:
    """Tell every peer whose last heartbeat is old enough that we live."""
    index = await outgoing.hold()
    if index is None or not federation.is_on:
        return
    published = await book.newest()
    for agreement in federation.agreements.values():
        place = await outgoing.place(agreement.registry_id)
        is_due = place.beat_at is None or now - place.beat_at >= every
        if agreement.send and is_due and not await outgoing.is_backfilling(agreement.registry_id):
            await _beat(outgoing, book, federation, agreement, envelopes, published, now)


async def heartbeat(
    outgoing: Outgoing,
    book: Book,
    federation: Federation,
    agreement: Agreement,
    place: Place,
    known_size: int,
    published: Published,
    now: datetime,
) -> Heartbeat:
    """Return a heartbeat with a checkpoint and the proof that leads to it from a size of the log.

    From a size that the log does not have there is no proof; who knows such a size sees the fork. While licences
    from before are still being told, or another process tells, it tells of the log alone.
    """
    index = await outgoing.hold()
    is_complete = index is not None and not await outgoing.is_backfilling(agreement.registry_id)
    at = await outgoing.complete_until(index or 0, now) if is_complete else NOTHING_COMPLETE
    is_further = 0 < known_size < published.size
    return Heartbeat(
        federation.registry_id,
        agreement.registry_id,
        place.beat,
        at,
        place.ordinal,
        published.note,
        known_size,
        await consistency(book, known_size, published.size) if is_further else (),
    )


async def _tell_log(
    outgoing: Outgoing,
    book: Book,
    federation: Federation,
    agreement: Agreement,
    envelopes: Envelopes,
    published: Published | None,
    now: datetime,
) -> None:
    """Have a recipient come by the checkpoint that its messages were proved under, unless it was told of that."""
    place = await outgoing.place(agreement.registry_id)
    if published is not None and published.size != place.beat_size:
        await _beat(outgoing, book, federation, agreement, envelopes, published, now)


async def _beat(
    outgoing: Outgoing,
    book: Book,
    federation: Federation,
    agreement: Agreement,
    envelopes: Envelopes,
    published: Published | None,
    now: datetime,
) -> None:
    """Send a heartbeat, each from where the one before led to; none before the log has a checkpoint."""
    if published is None:
        return
    before = await outgoing.place(agreement.registry_id)
    place = replace(before, beat=before.beat + 1, beat_at=now, beat_size=published.size)
    beat = await heartbeat(outgoing, book, federation, agreement, place, before.beat_size, published, now)
    await outgoing.record_beat(agreement.registry_id, place)
    _publish(outgoing, federation, agreement, "heartbeat", envelopes.sign(beat), place.beat)


def message_about(
    federation: Federation,
    agreement: Agreement,
    types: LicenceTypes,
    envelopes: Envelopes,
    standing: Standing,
    sent: Sent | None = None,
    shown: Proving | None = None,
) -> str:
    """Return the signed message about a licence, proved if it can be; without numbers it answers a question."""
    licence = standing.licence
    overtaken = sent is not None and not sent.newest
    is_empty = overtaken or standing.act == ERASE or licence.type_code not in agreement.send
    content = "" if is_empty else envelopes.seal(shared_content(licence, types.of(licence)), agreement.peer)
    message = LicenceMessage(
        issuer=federation.registry_id,
        audience=agreement.registry_id,
        licence_id=licence.licence_id,
        ordinal=sent.ordinal if sent else ANSWER_ORDINAL,
        sequence=sent.sequence if sent else 0,
        prior_ordinal=sent.prior_ordinal if sent else 0,
        version=licence.version,
        type_code=licence.type_code,
        status=licence.status,
        act=standing.act,
        use_frozen=standing.use_frozen,
        effective_at=standing.effective_at,
        recorded_at=standing.recorded_at,
        content=content,
        leaf_index=standing.leaf_index,
        leaf_hash=standing.leaf_hash,
        superseded=overtaken or (is_empty and standing.act != ERASE),
    )
    if shown is not None and not message.superseded:
        message = shown.proved(message, standing)
    return envelopes.sign(message)


def message_in_place(
    federation: Federation, agreement: Agreement, envelopes: Envelopes, sent: Sent, now: datetime
) -> str:
    """Return the signed message that fills the place of an overtaken one whose licence is not known any more."""
    message = LicenceMessage(
        issuer=federation.registry_id,
        audience=agreement.registry_id,
        licence_id=NOBODY,
        ordinal=sent.ordinal,
        sequence=0,
        prior_ordinal=0,
        version=0,
        type_code="",
        status=LicenceStatus.DRAFT,
        act=FORGOTTEN,
        use_frozen=False,
        effective_at=now,
        recorded_at=now,
        content="",
        superseded=True,
    )
    return envelopes.sign(message)


async def _keep_shares(outgoing: Outgoing, federation: Federation, now: datetime) -> bool:
    """Have told what was agreed; return whether nothing at all was told before."""
    agreed = federation.agreements.values()
    wanted = frozenset((each.registry_id, code) for each in agreed for code in each.send)
    told = await outgoing.shares()
    if wanted != told:
        await outgoing.keep_shares(wanted - told, told - wanted, now)
    return bool(wanted) and not told


def _is_shared(agreement: Agreement, standing: Standing) -> bool:
    licence = standing.licence
    return licence.type_code in agreement.send and licence.status not in UNSHARED


async def _tell(
    outgoing: Outgoing,
    federation: Federation,
    agreement: Agreement,
    types: LicenceTypes,
    envelopes: Envelopes,
    shared: Sequence[Standing],
    shown: Proving,
    now: datetime,
) -> None:
    place = await outgoing.place(agreement.registry_id)
    prior = await outgoing.prior(agreement.registry_id, [each.licence.licence_id for each in shared])
    numbered: list[tuple[Standing, Sent]] = []
    for ordinal, standing in enumerate(shared, place.ordinal + 1):
        licence_id = standing.licence.licence_id
        before = prior.get(licence_id) or Sent(licence_id, 0, 0)
        numbered.append((standing, Sent(licence_id, ordinal, before.sequence + 1, before.ordinal)))

    def made() -> list[str]:
        return [message_about(federation, agreement, types, envelopes, *each, shown) for each in numbered]

    messages = await asyncio.to_thread(made)  # signing and encrypting: the loop serves others meanwhile
    for (_, sent), message in zip(numbered, messages, strict=True):
        _publish(outgoing, federation, agreement, sent.licence_id, message, sent.sequence)
    await outgoing.record(agreement.registry_id, [sent for _, sent in numbered], now)


def _publish(
    outgoing: Outgoing, federation: Federation, agreement: Agreement, about: str, message: str, version: int
) -> None:
    event = ReplicaSent(
        stream=f"{agreement.registry_id}/{about}",
        registry_id=federation.registry_id,
        recipient_id=agreement.registry_id,
        message=message,
    )
    outgoing.publish(event, version)
