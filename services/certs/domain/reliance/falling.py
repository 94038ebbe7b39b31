"""When a licence falls: what was relied on does not hold any more, or not as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.certs.domain.status import LicenceStatus


class FallCause(StrEnum):
    """Why a licence fell (证照失效原因); the end of its term is none: everybody knew that day."""

    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    FORFEITED = "forfeited"
    REPLACED = "replaced"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True)
class Fall:
    """One fall: the licence, the version of its record from which it holds, why, and its two times."""

    licence_id: str
    version: int
    cause: FallCause
    effective_at: datetime
    fell_at: datetime


_BY_STATUS: dict[LicenceStatus, FallCause] = {
    LicenceStatus.SUSPENDED: FallCause.SUSPENDED,
    LicenceStatus.CANCELLED: FallCause.CANCELLED,
    LicenceStatus.REVOKED: FallCause.REVOKED,
    LicenceStatus.FORFEITED: FallCause.FORFEITED,
    LicenceStatus.REPLACED: FallCause.REPLACED,
}
_NEVER_RELIED_ON = frozenset({LicenceStatus.DRAFT, LicenceStatus.PENDING_SEAL})


def cause_of(previous: LicenceStatus, status: LicenceStatus) -> FallCause | None:
    """Return the fall that a change of status is, None for no fall.

    What was not in force yet cannot have been relied on; what had expired is replaced by its renewal
    without anything falling.
    """
    if previous in _NEVER_RELIED_ON or previous == status:
        return None
    if previous is LicenceStatus.EXPIRED and status is LicenceStatus.REPLACED:
        return None
    return _BY_STATUS.get(status)


def corrects(previous: LicenceStatus, status: LicenceStatus) -> bool:
    """Say whether new content of a licence is a fall by itself: not where its new status is one already."""
    return previous not in _NEVER_RELIED_ON and cause_of(previous, status) is None
