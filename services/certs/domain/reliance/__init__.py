"""Which cases relied on a licence (用证关联), and what is done about each when the licence falls (召回)."""

from __future__ import annotations

from services.certs.domain.reliance.falling import Fall, FallCause, cause_of, corrects
from services.certs.domain.reliance.flag import (
    RELIANCE_ANSWERED,
    RELIANCE_NOT_FOUND,
    Acknowledgement,
    Flag,
    RelianceOutcome,
    acknowledge,
    acknowledgement_violations,
)
from services.certs.domain.reliance.relying import Relied, flags_of, relies

__all__ = [
    "RELIANCE_ANSWERED",
    "RELIANCE_NOT_FOUND",
    "Acknowledgement",
    "Fall",
    "FallCause",
    "Flag",
    "RelianceOutcome",
    "Relied",
    "acknowledge",
    "acknowledgement_violations",
    "cause_of",
    "corrects",
    "flags_of",
    "relies",
]
