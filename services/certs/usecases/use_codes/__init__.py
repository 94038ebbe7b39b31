"""Issue, consume and revoke use-codes; entrustments; list who used a holder's licences."""

from __future__ import annotations

from services.certs.usecases.use_codes.consuming import (
    REFUSALS,
    Consumption,
    consume_use_code,
    record_refusal,
    require_still_given,
)
from services.certs.usecases.use_codes.entrusting import (
    Agent,
    agent_violations,
    record_entrustment,
    require_agent,
    require_standing,
    revoke_entrustment,
)
from services.certs.usecases.use_codes.issuing import (
    CODE_BYTES,
    ISSUE_REFUSALS,
    Order,
    as_told,
    issue_duty_code,
    issue_use_code,
    parties_of,
    record_refused_issue,
)
from services.certs.usecases.use_codes.listing import list_uses, revoke_use_codes

__all__ = [
    "CODE_BYTES",
    "ISSUE_REFUSALS",
    "REFUSALS",
    "Agent",
    "Consumption",
    "Order",
    "agent_violations",
    "as_told",
    "consume_use_code",
    "issue_duty_code",
    "issue_use_code",
    "list_uses",
    "parties_of",
    "record_entrustment",
    "record_refusal",
    "record_refused_issue",
    "require_agent",
    "require_standing",
    "require_still_given",
    "revoke_entrustment",
    "revoke_use_codes",
]
