"""Take over an entrustment that intake signed, and take it back; require one for an agent's act."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, FIELD_TOO_LONG, Violation, refuse
from services.certs.domain.holder import holder_violations
from services.certs.domain.status import REASON_LIMIT
from services.certs.domain.use_code import Entrustment, Power, read_entrustment, require_power
from services.certs.domain.use_code.entrustment import (
    ENTRUSTMENT_DIFFERS,
    ENTRUSTMENT_EXPIRED,
    ENTRUSTMENT_REVOKED,
    ENTRUSTMENT_UNKNOWN,
    ID_LIMIT,
    Person,
    Standing,
)
from services.certs.domain.wording import stated_violations
from services.certs.usecases.evidence_ports import EntrustmentReader
from services.certs.usecases.ports import Registry

STATEMENT_LIMIT = 32_768


@dataclass(frozen=True, slots=True)
class Agent:
    """Who acts for a holder, and under which entrustment."""

    entrustment_id: str
    person: Person = field(repr=False)


def agent_violations(agent: Agent) -> list[Violation]:
    """Return what is wrong with how a request names an agent."""
    paths = {"holder_id_type_code": "agent_id_type_code", "holder_id_number": "agent_id_number"}
    found = [replace(each, field_path=paths[each.field_path]) for each in holder_violations(*agent.person)]
    if not agent.entrustment_id:
        found.append(FIELD_REQUIRED.at("entrustment_id"))
    elif len(agent.entrustment_id) > ID_LIMIT:
        found.append(FIELD_TOO_LONG.at("entrustment_id", limit=ID_LIMIT))
    return found


async def record_entrustment(registry: Registry, reader: EntrustmentReader, statement: str) -> Entrustment:
    """Keep what an entrustment signed by intake says; the same one again is no change.

    Raises SIGNATURE_WRONG, ENTRUSTMENT_MALFORMED, ENTRUSTMENT_DIFFERS, INVALID_REQUEST.
    """
    refuse([] if statement else [FIELD_REQUIRED.at("statement")])
    refuse(
        [FIELD_TOO_LONG.at("statement", limit=STATEMENT_LIMIT)] if len(statement) > STATEMENT_LIMIT else []
    )
    entrustment = read_entrustment(reader.read(statement))
    digest = hashlib.sha256(statement.encode()).digest()
    if not await registry.evidence.entrustments.record(entrustment, digest):
        raise ENTRUSTMENT_DIFFERS()
    return entrustment


async def revoke_entrustment(
    registry: Registry, entrustment_id: str, grantor: Person, reason: str, now: datetime
) -> int:
    """Take a grantor's entrustment back with every unused code issued under it; return how many codes.

    Raises ENTRUSTMENT_UNKNOWN, also for one that another person gave; INVALID_REQUEST.
    """
    stated = [
        *stated_violations("entrustment_id", entrustment_id, ID_LIMIT),
        *stated_violations("reason", reason, REASON_LIMIT),
    ]
    refuse([*holder_violations(*grantor), *stated])
    if not await registry.evidence.entrustments.revoke(entrustment_id, grantor, reason, now):
        raise ENTRUSTMENT_UNKNOWN()
    return await registry.use_codes.revoke_entrusted(entrustment_id, reason, now)


async def require_agent(
    registry: Registry,
    agent: Agent,
    grantor: Person,
    power: Power,
    scope: tuple[str, str | None],
    now: datetime,
) -> Standing:
    """Return the agent's entrustment if it is from this grantor and covers a type and an item now.

    Raises one of the refusals of `services.certs.domain.use_code.entrustment`.
    """
    standing = await registry.evidence.entrustments.standing(agent.entrustment_id, grantor, agent.person)
    return require_power(standing, power, *scope, now)


async def require_standing(registry: Registry, entrustment_id: str, now: datetime) -> None:
    """Do nothing if what was made under an entrustment may still be relied on.

    Raises ENTRUSTMENT_UNKNOWN, ENTRUSTMENT_REVOKED, ENTRUSTMENT_EXPIRED.
    """
    found = await registry.evidence.entrustments.end_of(entrustment_id)
    if found is None:
        raise ENTRUSTMENT_UNKNOWN()
    expires_at, revoked_at = found
    if revoked_at is not None:
        raise ENTRUSTMENT_REVOKED()
    if now >= expires_at:
        raise ENTRUSTMENT_EXPIRED()
