"""Where a licence and its seal stood at a time (时点状态), as known at a time."""

from __future__ import annotations

from services.certs.domain.standing.answer import (
    STANDING_KIND,
    SealCheck,
    SealStanding,
    Standing,
    StandingAct,
    claims_of,
)
from services.certs.domain.standing.asking import AT_AHEAD, Moments, moments_of
from services.certs.domain.standing.telling import tell

__all__ = [
    "AT_AHEAD",
    "STANDING_KIND",
    "Moments",
    "SealCheck",
    "SealStanding",
    "Standing",
    "StandingAct",
    "claims_of",
    "moments_of",
    "tell",
]
