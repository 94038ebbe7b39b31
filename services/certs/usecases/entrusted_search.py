"""An agent finds what he may hand to a department: the holder's licences that the entrustment covers, no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chassis.errors import FIELD_REQUIRED, Fault, refuse
from services.certs.domain.holder import Holder
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.purpose import Purpose, purpose_violations
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.domain.use_code import Grounds, Mode, Power, require_power
from services.certs.domain.use_code.entrustment import Standing
from services.certs.usecases.evidence_ports import Place
from services.certs.usecases.ports import NewId, Registry, SummarySigner
from services.certs.usecases.search import Query, ShownPage, query_violations, search
from services.certs.usecases.use_codes import Agent, agent_violations


async def search_entrusted(
    registry: Registry,
    types: LicenceTypes,
    signer: SummarySigner,
    reader: Reader,
    query: Query,
    purpose: Purpose,
    page: tuple[int, Place | None],
    agent: Agent,
    new_id: NewId,
    now: datetime,
) -> ShownPage:
    """Return a page of a holder's licences of the entrusted types, masked; the lines name the entrustment.

    What is refused is on record for the holder. Raises INVALID_REQUEST, or one of the refusals of an entrustment.
    """
    wrong = [] if query.holder or not any(query.ways.values()) else [FIELD_REQUIRED.at("query.holder")]
    refuse([*wrong, *query_violations(query), *purpose_violations(purpose), *agent_violations(agent)])
    assert query.holder is not None, "query_violations refuses a query without a way"
    grounds = Grounds(Mode.ENTRUSTMENT, entrustment_id=agent.entrustment_id)
    standing = await registry.evidence.entrustments.standing(agent.entrustment_id, query.holder, agent.person)
    covered = _covered(query, standing)
    wanted = (*covered, *query.type_codes, "")[0]
    try:
        require_power(standing, Power.ISSUE_USE_CODE, wanted, purpose.item_code, now)
    except Fault as refusal:
        asked = Holder(*query.holder)
        line = Usage(
            new_id(), UsageKind.FIND, reader, purpose, now, refusal.code, holder=asked, grounds=grounds
        )
        registry.usages.record_if_refused([line])
        raise
    query = replace(query, type_codes=covered)
    return await search(
        registry,
        types,
        signer,
        reader,
        query,
        purpose,
        page,
        new_id,
        now,
        grounds,
        covers=covered.__contains__,
    )


def _covered(query: Query, standing: Standing | None) -> tuple[str, ...]:
    """Return the types that are both wanted and entrusted; no wanted ones are all."""
    entrusted = standing.type_codes if standing else ()
    return tuple(each for each in entrusted if not query.type_codes or each in query.type_codes)
