"""State for a day what the registry knows of a licence, signed, for places without a network; and read it there."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from chassis.errors import refuse
from chassis.tlog.compact import compact
from services.certs.domain.presentation import (
    OFFLINE_KIND,
    OFFLINE_LIFE_WRONG,
    LogEvidence,
    Statement,
    check_statement,
    offline_parts_of,
    qr_text_of,
    read_statement,
    state,
)
from services.certs.domain.presentation.offline import LONGEST, SHORTEST
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.domain.use_code.entrustment import Person
from services.certs.usecases.evidence_ports import LogProofs
from services.certs.usecases.ports import NewId, Registry, SummarySigner
from services.certs.usecases.present import grounds_of, presentable
from services.certs.usecases.use_codes import Agent

HANDLE_BYTES = 9
STATING = Purpose("持证人出示离线二维码", Basis.SHOWN_BY_HOLDER)


async def state_offline(
    registry: Registry,
    signer: SummarySigner,
    proofs: LogProofs,
    reader: Reader,
    licence_id: str,
    holder: Person,
    life_seconds: int,
    new_id: NewId,
    now: datetime,
    agent: Agent | None = None,
) -> tuple[str, datetime]:
    """Return the text of an offline QR code for one of the holder's licences, and when it ends.

    ``life_seconds`` of 0 means a day; what an agent shows ends with the entrustment at the latest. Leaves a usage line. Raises INVALID_REQUEST, LICENCE_NOT_FOUND,
    LICENCE_NOT_USABLE, and for an agent the refusals of an entrustment.
    """
    life = timedelta(seconds=life_seconds) if life_seconds else LONGEST
    refuse([] if SHORTEST <= life <= LONGEST else [OFFLINE_LIFE_WRONG.at("life_seconds")])
    licence, standing = await presentable(registry, reader, licence_id, holder, agent, STATING, new_id, now)
    found = await proofs.proof_of(licence)
    evidence = LogEvidence(found.leaf, bytes(compact(found.proof))) if found else None
    statement = state(licence, secrets.token_urlsafe(HANDLE_BYTES), life, evidence, now)
    if standing is not None:
        end = min(statement.expires_at, standing.expires_at)
        statement = replace(statement, expires_at=end, entrustment_id=standing.entrustment_id)
    line = Usage(
        new_id(),
        UsageKind.PRESENT,
        reader,
        STATING,
        now,
        licence_id=licence.licence_id,
        holder=licence.holders[0],
        grounds=grounds_of(agent, licence),
    )
    await registry.usages.add([line])
    return qr_text_of(signer.sign(statement.claims(), OFFLINE_KIND), evidence), statement.expires_at


def read_offline(signer: SummarySigner, qr_text: str, now: datetime) -> Statement:
    """Return what an offline QR code of this registry states. Its proof is not looked at: the registry itself answers.

    Raises PRESENTATION_MALFORMED, SIGNATURE_WRONG, OFFLINE_STATEMENT_EXPIRED.
    """
    jws, _ = offline_parts_of(qr_text)
    return check_statement(read_statement(signer.read(jws, OFFLINE_KIND)), now)
