"""Disputes (异议): a holder says that a licence's content is wrong or that it was used without right."""

from __future__ import annotations

from services.certs.domain.dispute.freezing import FREELY, FrozenUse, as_found, frozen_at, refused_uses
from services.certs.domain.dispute.rules import (
    DISPUTE_NOT_FOUND,
    DISPUTE_NOT_OPEN,
    DISPUTE_OPEN_ALREADY,
    LICENCE_IN_DISPUTE,
    OPEN_STATES,
    STATEMENT_LIMIT,
    USE_NOT_FOUND,
    Dispute,
    DisputeAct,
    DisputeKind,
    DisputeState,
    FreezeRule,
    Grounds,
    Step,
    freezes_at_once,
    grounds_violations,
    opening_violations,
    take,
)

__all__ = [
    "DISPUTE_NOT_FOUND",
    "DISPUTE_NOT_OPEN",
    "DISPUTE_OPEN_ALREADY",
    "FREELY",
    "LICENCE_IN_DISPUTE",
    "OPEN_STATES",
    "STATEMENT_LIMIT",
    "USE_NOT_FOUND",
    "Dispute",
    "DisputeAct",
    "DisputeKind",
    "DisputeState",
    "FreezeRule",
    "FrozenUse",
    "Grounds",
    "Step",
    "as_found",
    "freezes_at_once",
    "frozen_at",
    "grounds_violations",
    "opening_violations",
    "refused_uses",
    "take",
]
