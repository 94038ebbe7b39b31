"""Find a holder's licences at every registry we agreed with: the issuer is asked first, its replica after it.

Every answer says who gave it and as of when. What nobody can tell is UNKNOWN with its reason, never nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import Fault
from services.certs.domain.disclosure import Shown, masked
from services.certs.domain.federation import (
    ANSWER_ORDINAL,
    MESSAGE_MALFORMED,
    REPLICA_FROZEN,
    Agreement,
    Federation,
    LicenceMessage,
    ReplicaLicence,
    Sighting,
    Source,
    licence_of,
    replica_says,
)
from services.certs.domain.holder import Holder
from services.certs.domain.licence import Licence
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import Basis, category_of
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.usecases.federation.ports import (
    Envelopes,
    Online,
    OpenReplica,
    OwedUse,
    PeerQuestion,
    ReplicaBook,
)
from services.certs.usecases.ports import NewId, Reads
from services.certs.usecases.read import Question, find

HOUR_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a look-up beyond our own registry works with."""

    federation: Federation
    envelopes: Envelopes
    online: Online
    open_replica: OpenReplica
    types: LicenceTypes
    limit_seconds: float
    """How old a replica may be at most, whatever types and agreements say."""
    unanswered: Callable[[str, str], None] = lambda _registry, _code: None
    """Is told which issuer did not answer, and why."""


@dataclass(frozen=True, slots=True)
class SharedShown:
    """A registry's answer as its reader sees it, licence by licence beside what the replica adds."""

    sighting: Sighting
    licences: tuple[Shown, ...]


async def find_shared(
    reads: Reads, near: Neighbours, reader: Reader, question: Question, new_id: NewId, now: datetime
) -> list[SharedShown]:
    """Return what each registry says of a holder, ours first; each licence shown leaves a use behind.

    A department sees licences of other registries by statutory duty only. Raises as `find`.
    """
    own = await find(reads, near.types, reader, question, new_id, now)
    answers = [SharedShown(Sighting(near.federation.registry_id, Source.OWN, (), now), tuple(own))]
    if reader.is_department and question.purpose.basis is not Basis.STATUTORY_DUTY:
        return answers
    asked = [each for each in near.federation.agreements.values() if _types(each, question)]
    told = await asyncio.gather(*(_ask(near, each, reader, question) for each in asked))
    async with near.open_replica() as book:
        for agreement, found in zip(asked, told, strict=True):
            sighting = await _sight(book, near, agreement, question, found, now)
            if question.usable_only:
                usable = (each for each in sighting.found if each.licence.is_usable(now))
                sighting = replace(sighting, found=tuple(usable))
            await _record(book, sighting, reader, question, new_id, now)
            answers.append(SharedShown(sighting, _shown(near, question, sighting)))
    return answers


def _types(agreement: Agreement, question: Question) -> tuple[str, ...]:
    wanted = frozenset(question.type_codes)
    return tuple(sorted(agreement.accept & wanted if wanted else agreement.accept))


async def _ask(
    near: Neighbours, agreement: Agreement, reader: Reader, question: Question
) -> tuple[ReplicaLicence, ...] | None:
    """Return what the issuer says now, None when it does not answer in time or not as it should."""
    if not agreement.peer.address:
        return None
    asked = PeerQuestion(
        question.id_type_code,
        question.id_number,
        _types(agreement, question),
        reader,
        question.purpose,
    )
    try:
        messages = await near.online.ask(agreement.peer, asked)
        return tuple(_answered(near, agreement, each) for each in messages)
    except Fault as fault:
        near.unanswered(agreement.registry_id, fault.code)
        return None


def _answered(near: Neighbours, agreement: Agreement, signed: str) -> ReplicaLicence:
    message = near.envelopes.verify(signed, agreement.peer)
    if not isinstance(message, LicenceMessage) or message.ordinal != ANSWER_ORDINAL:
        raise MESSAGE_MALFORMED(part="kind")
    pair = (message.issuer, message.audience)
    if pair != (agreement.registry_id, near.federation.registry_id):
        raise MESSAGE_MALFORMED(part="audience")
    if message.type_code not in agreement.accept:
        raise MESSAGE_MALFORMED(part="type_code")
    return ReplicaLicence(
        agreement.registry_id,
        licence_of(message, near.envelopes.open(message.content)),
        message.act,
        message.use_frozen,
        message.effective_at,
        message.recorded_at,
        message.recorded_at,
    )


async def _sight(
    book: ReplicaBook,
    near: Neighbours,
    agreement: Agreement,
    question: Question,
    told: Sequence[ReplicaLicence] | None,
    now: datetime,
) -> Sighting:
    state = await book.replica.state(agreement.registry_id)
    is_frozen = state is not None and state.frozen_at is not None
    if told is not None:
        reason = REPLICA_FROZEN.code if is_frozen else ""
        theirs = [each for each in told if not await _is_ours(book, each)]
        return Sighting(agreement.registry_id, Source.ISSUER, tuple(theirs), now, 0.0, reason)
    types = _types(agreement, question)
    found = tuple(
        await book.replica.find(agreement.registry_id, question.id_type_code, question.id_number, types)
    )
    source, reason = replica_says(state, found, _limit(near, agreement, types), now)
    as_of = state.verified_at if state else None
    age = state.age_seconds(now) if as_of and state else 0.0
    shown = found if source is Source.REPLICA else ()
    return Sighting(agreement.registry_id, source, shown, as_of, age, reason)


async def _is_ours(book: ReplicaBook, each: ReplicaLicence) -> bool:
    return await book.replica.is_ours(each.licence.licence_id, each.licence.identifier)


def _limit(near: Neighbours, agreement: Agreement, type_codes: Sequence[str]) -> float:
    """Return how old the replica may be: the strictest of our own limit, the agreement's and the types'."""
    limits = [near.limit_seconds]
    if agreement.limit_seconds:
        limits.append(float(agreement.limit_seconds))
    limits += [
        float(near.types[code].freshness_hours * HOUR_SECONDS) for code in type_codes if code in near.types
    ]
    return min(limits)


def _shown(near: Neighbours, question: Question, sighting: Sighting) -> tuple[Shown, ...]:
    category = category_of(question.purpose)
    return tuple(masked(_as_found(each), near.types.of(each.licence), category) for each in sighting.found)


def _as_found(each: ReplicaLicence) -> Licence:
    """Return another registry's licence as it may be shown: of one in dispute there only that it exists."""
    return replace(each.licence, face={}) if each.use_frozen else each.licence


async def _record(
    book: ReplicaBook,
    sighting: Sighting,
    reader: Reader,
    question: Question,
    new_id: NewId,
    now: datetime,
) -> None:
    """Record the read here, and have the issuer told of each licence that its replica showed.

    A licence that is not ours has no row in our registry: the line here names the holder, the owed use both.
    """
    holder = Holder(question.id_type_code, question.id_number)
    ids = [new_id() for _ in sighting.found] or [new_id()]
    outcome = "allowed" if sighting.source is not Source.NOBODY else sighting.reason
    await book.usages.add(
        [Usage(each, UsageKind.FIND, reader, question.purpose, now, outcome, holder=holder) for each in ids]
    )
    if sighting.source is Source.REPLICA and sighting.found:
        await book.replica.owe(
            [
                OwedUse(
                    usage_id,
                    sighting.registry_id,
                    each.licence.licence_id,
                    UsageKind.FIND.value,
                    reader,
                    question.purpose,
                    now,
                )
                for usage_id, each in zip(ids, sighting.found, strict=True)
            ]
        )
