"""Who may use a seal for what, with whose approval and how often (用印授权)."""

from __future__ import annotations

from services.seal.domain.authorisation.grants import (
    ANY,
    GRANT_NOT_FOUND,
    GRANT_WITHDRAWN,
    REGISTRY,
    SEAL_USE_NOT_GRANTED,
    DocumentType,
    Grant,
    GranteeKind,
    Purpose,
    Withdrawal,
    check_grant,
    check_withdrawal,
    grant_for,
    implicit_grant,
)
from services.seal.domain.authorisation.limits import (
    SEAL_LIMIT_REACHED,
    LastUse,
    check_limits,
    uses_today,
)
from services.seal.domain.authorisation.rules import (
    SEAL_QUORUM_MISSING,
    Approval,
    SealRules,
    changed_rules,
    check_approval,
    check_quorum,
    distinct_approvers,
)

__all__ = [
    "ANY",
    "GRANT_NOT_FOUND",
    "GRANT_WITHDRAWN",
    "REGISTRY",
    "SEAL_LIMIT_REACHED",
    "SEAL_QUORUM_MISSING",
    "SEAL_USE_NOT_GRANTED",
    "Approval",
    "DocumentType",
    "Grant",
    "GranteeKind",
    "LastUse",
    "Purpose",
    "SealRules",
    "Withdrawal",
    "changed_rules",
    "check_approval",
    "check_grant",
    "check_limits",
    "check_quorum",
    "check_withdrawal",
    "distinct_approvers",
    "grant_for",
    "implicit_grant",
    "uses_today",
]
