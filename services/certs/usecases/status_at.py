"""Answer where a licence and its seal stood at a time: read, ask seal, then record, sign and prove."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chassis.errors import FIELD_REQUIRED, Fault
from services.certs.domain.licence import LICENCE_NOT_FOUND, Licence
from services.certs.domain.purpose import Purpose, check_purpose
from services.certs.domain.standing import (
    STANDING_KIND,
    SealStanding,
    Standing,
    claims_of,
    moments_of,
    tell,
)
from services.certs.domain.standing.answer import ABSENT, UNKNOWN
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.usecases.log import LEAF_NOT_FOUND, Book, Entry, Proof, proof_at
from services.certs.usecases.ports import Documents, NewId, Registry, SummarySigner
from services.certs.usecases.read import may_read

NO_SEALED_DOCUMENT = "DOCUMENT_ABSENT"


class Seals(Protocol):
    """The seal service, asked about a sealed document."""

    async def standing(self, document: bytes, at: datetime | None) -> SealStanding:
        """Return what held of the document's seal and signature at a moment, None for now. Raises what seal answers."""


class StateLeaves(Protocol):
    """The log's leaves about states of licences, within one open transaction."""

    async def of_version(self, licence_id: str, version: int) -> Entry | None:
        """Return the leaf of the act that led to a version, of version 0 the first one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which licence (either is enough), when, as known when, for what."""

    licence_id: str
    identifier: str
    at: datetime | None
    known_at: datetime | None
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Answered:
    """The whole answer; ``proof`` is None while the log does not say it yet."""

    usage_id: str
    standing: Standing
    seal: SealStanding
    statement: str
    proof: Proof | None


async def read_standing(
    registry: Registry, reader: Reader, asked: Asked, now: datetime
) -> tuple[Licence, Standing]:
    """Return a licence and where it stood. Raises INVALID_REQUEST, LICENCE_NOT_FOUND for one the reader may not know of."""
    moments, wrong = moments_of(asked.at, asked.known_at, now)
    if not (asked.licence_id or asked.identifier):
        wrong.append(FIELD_REQUIRED.at("licence_id"))
    check_purpose(asked.purpose, wrong)
    licences = registry.licences
    licence = await (
        licences.get(asked.licence_id) if asked.licence_id else licences.by_identifier(asked.identifier)
    )
    if licence is None or not may_read(reader, asked.purpose, licence):
        raise LICENCE_NOT_FOUND()
    lines = await registry.life.orders.history(licence)
    freezes = await registry.recourse.disputes.everybodys_steps(licence.licence_id)
    return licence, tell(licence.licence_id, lines, licence.valid_until, freezes, moments)


async def ask_seal(seals: Seals, documents: Documents, licence: Licence, standing: Standing) -> SealStanding:
    """Return how the seal stood; a document or a service that does not answer makes it unknown, with the reason."""
    if not licence.sealing.sealed_sha256:
        return SealStanding(ABSENT, NO_SEALED_DOCUMENT)
    moments = standing.moments
    try:
        document = await documents.get(licence.sealing.sealed_sha256)
        return await seals.standing(document, None if moments.is_now else moments.at)
    except Fault as problem:
        return SealStanding(UNKNOWN, problem.code, signature_id=licence.sealing.signature_id)


async def answer_standing(
    registry: Registry,
    signer: SummarySigner,
    reader: Reader,
    asked: Asked,
    found: tuple[Licence, Standing, SealStanding],
    new_id: NewId,
    now: datetime,
) -> Answered:
    """Record the answer as a use and return it, signed."""
    licence, standing, seal = found
    usage = Usage(
        new_id(),
        UsageKind.STATUS,
        reader,
        asked.purpose,
        now,
        licence_id=licence.licence_id,
        holder=licence.holders[0],
        version_read=licence.version,
    )
    await registry.usages.add([usage])
    claims = claims_of(standing, seal, usage.usage_id, reader, now)
    return Answered(usage.usage_id, standing, seal, signer.sign(claims, STANDING_KIND), None)


async def prove_standing(book: Book, leaves: StateLeaves, standing: Standing) -> Proof | None:
    """Return the proof that the log says what a standing rests on; None while it does not."""
    if standing.act is None:
        return None
    entry = await leaves.of_version(standing.licence_id, standing.act.version)
    try:
        return await proof_at(book, entry)
    except Fault as problem:
        if problem.reason is LEAF_NOT_FOUND:
            return None
        raise
