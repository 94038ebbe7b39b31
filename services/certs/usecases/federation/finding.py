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
    REPLICA_FROZEN,
    Agreement,
    Federation,
    LicenceMessage,
    Refusal,
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
from services.certs.usecases.federation.believing import digest_of, is_theirs, refusal_of
from services.certs.usecases.federation.ports import (
    Envelopes,
    Online,
    OpenReplica,
    OwedUse,
    PeerQuestion,
    ReplicaBook,
)
from services.certs.usecases.federation.receiving import Received
from services.certs.usecases.ports import NewId
from services.certs.usecases.read import LookUps, Question, find

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
    refused: Callable[[Received], None] = lambda _received: None
    """Is told what of an answer was not believed."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """A message of an answer that was not believed."""

    digest: bytes
    reason: Refusal
    licence_id: str = ""


@dataclass(frozen=True, slots=True)
class _Told:
    """What one registry answered; ``found`` is None when it did not, or not to what it was asked."""

    found: tuple[tuple[bytes, ReplicaLicence], ...] | None = None
    """Each licence with the digest of its message."""
    refused: tuple[_Refused, ...] = ()
    """For which none of the answer is believed."""


@dataclass(frozen=True, slots=True)
class SharedShown:
    """A registry's answer as its reader sees it, licence by licence beside what the replica adds."""

    sighting: Sighting
    licences: tuple[Shown, ...]


async def find_shared(
    look_ups: LookUps, near: Neighbours, reader: Reader, question: Question, new_id: NewId, now: datetime
) -> list[SharedShown]:
    """Return what each registry says of a holder, ours first; each licence shown leaves a use behind.

    A department sees licences of other registries by statutory duty only. Raises as `find`.
    """
    own = await find(look_ups, reader, question, now)
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


async def _ask(near: Neighbours, agreement: Agreement, reader: Reader, question: Question) -> _Told:
    """Return what the issuer says now, nothing when it does not answer in time or not as it should."""
    if not agreement.peer.address:
        return _Told()
    asked = PeerQuestion(
        question.id_type_code,
        question.id_number,
        _types(agreement, question),
        reader,
        question.purpose,
    )
    try:
        messages = await near.online.ask(agreement.peer, asked)
    except Fault as fault:
        near.unanswered(agreement.registry_id, fault.code)
        return _Told()
    found = []
    for signed in messages:
        said = _answered(near, agreement, asked, signed)
        if isinstance(said, _Refused):
            near.unanswered(agreement.registry_id, said.reason.value)
            return _Told(None, (said,))
        found.append((digest_of(signed), said))
    return _Told(tuple(found))


def _answered(
    near: Neighbours, agreement: Agreement, asked: PeerQuestion, signed: str
) -> ReplicaLicence | _Refused:
    """Return what one message of an answer says, or why it answers nothing that was asked."""
    digest = digest_of(signed)
    try:
        message = near.envelopes.verify(signed, agreement.peer)
        if not isinstance(message, LicenceMessage) or message.ordinal != ANSWER_ORDINAL:
            return _Refused(digest, Refusal.MALFORMED)
        if (message.issuer, message.audience) != (agreement.registry_id, near.federation.registry_id):
            return _Refused(digest, Refusal.NOT_FOR_US)
        licence = licence_of(message, near.envelopes.open(message.content))
    except Fault as fault:
        return _Refused(digest, refusal_of(fault))
    is_held = licence.is_held_by(asked.id_type_code, asked.id_number)
    if licence.type_code not in asked.type_codes or not is_held:
        return _Refused(digest, Refusal.NOT_ASKED, licence.licence_id)
    return ReplicaLicence(
        agreement.registry_id,
        licence,
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
    told: _Told,
    now: datetime,
) -> Sighting:
    state = await book.replica.state(agreement.registry_id)
    is_frozen = state is not None and state.frozen_at is not None
    if told.found is not None:
        reason = REPLICA_FROZEN.code if is_frozen else ""
        theirs = await _believed(book, near, agreement, told.found, now)
        return Sighting(agreement.registry_id, Source.ISSUER, theirs, now, 0.0, reason)
    await _refuse(book, near, agreement, told.refused, now)
    types = _types(agreement, question)
    kept = await book.replica.find(
        agreement.registry_id, question.id_type_code, question.id_number, types
    )  # taken when it was theirs to tell: a licence of ours may have come since, or an agreement changed
    found = tuple(
        [each for each in kept if await is_theirs(book.replica, near.federation, agreement, each.licence)]
    )
    source, reason = replica_says(state, found, _limit(near, agreement, types), now)
    as_of = state.verified_at if state else None
    age = state.age_seconds(now) if as_of and state else 0.0
    shown = found if source is Source.REPLICA else ()
    return Sighting(agreement.registry_id, source, shown, as_of, age, reason)


async def _believed(
    book: ReplicaBook,
    near: Neighbours,
    agreement: Agreement,
    told: Sequence[tuple[bytes, ReplicaLicence]],
    now: datetime,
) -> tuple[ReplicaLicence, ...]:
    """Return what of an answer is the registry's to tell; the rest is refused."""
    believed, refused = [], []
    for digest, each in told:
        if await is_theirs(book.replica, near.federation, agreement, each.licence):
            believed.append(each)
        else:
            refused.append(_Refused(digest, Refusal.NOT_THEIRS, each.licence.licence_id))
    await _refuse(book, near, agreement, refused, now)
    return tuple(believed)


async def _refuse(
    book: ReplicaBook, near: Neighbours, agreement: Agreement, refused: Sequence[_Refused], now: datetime
) -> None:
    """Record what was not believed, in the same order whoever does."""
    for each in sorted(refused, key=lambda one: one.licence_id):
        await book.replica.refuse(each.digest, agreement.registry_id, each.licence_id, each.reason, now)
        near.refused(Received(agreement.registry_id, each.reason, "answer"))


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
