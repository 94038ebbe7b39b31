"""The register of seals: their states, who may change them and from when a change counts (国办发〔2025〕33号)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import FIELD_REQUIRED, Kind, declare, refuse
from services.seal.domain.kinds import RULES, SealKind
from services.seal.domain.verification.evidence import SealState
from standards.persons import is_same_person

SEAL_NOT_FOUND = declare("SEAL_NOT_FOUND", Kind.NOT_FOUND, "印章不存在", "No such seal")
SEAL_NOT_MADE = declare(
    "SEAL_NOT_MADE", Kind.FAILED_PRECONDITION, "该部门没有电子印章", "The authority has no seal"
)
SEAL_NOT_IN_USE = declare(
    "SEAL_NOT_IN_USE",
    Kind.FAILED_PRECONDITION,
    "印章当前状态为 {status}，不能签章",
    "The seal is {status} and may not be used",
)
SEAL_EXPIRED = declare("SEAL_EXPIRED", Kind.FAILED_PRECONDITION, "印章已过有效期", "The seal has expired")
SEAL_STATUS_STEP = declare(
    "SEAL_STATUS_STEP",
    Kind.FAILED_PRECONDITION,
    "印章状态不能由 {previous} 变为 {status}",
    "A seal that is {previous} cannot become {status}",
)
SEAL_NOT_YET_MADE = declare(
    "SEAL_NOT_YET_MADE",
    Kind.FAILED_PRECONDITION,
    "该时刻印章尚未制作",
    "The seal did not exist at that moment",
)
SECOND_PERSON_SAME = declare(
    "SECOND_PERSON_SAME",
    Kind.INVALID_ARGUMENT,
    "复核人不能与经办人相同",
    "The second person must be another one",
)


class SealStatus(StrEnum):
    """State of a seal (印章状态) in the register."""

    MADE = "made"
    FILED = "filed"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    LOST = "lost"
    REMADE = "remade"
    CANCELLED = "cancelled"


S = SealStatus
_STEPS: dict[SealStatus, frozenset[SealStatus]] = {
    S.MADE: frozenset({S.FILED, S.CANCELLED}),
    S.FILED: frozenset({S.ACTIVE, S.CANCELLED}),
    S.ACTIVE: frozenset({S.SUSPENDED, S.LOST, S.CANCELLED}),
    S.SUSPENDED: frozenset({S.ACTIVE, S.LOST, S.CANCELLED}),
    S.LOST: frozenset({S.REMADE, S.CANCELLED}),
    S.REMADE: frozenset(),
    S.CANCELLED: frozenset(),
}
ENDED = frozenset({S.LOST, S.REMADE, S.CANCELLED})
"""States after which the key may never sign again: its certificate is revoked from then on."""
_ENDS_USE = ENDED | {S.SUSPENDED}

_TO_VERIFIERS = {
    S.MADE: SealState.SUSPENDED,
    S.FILED: SealState.SUSPENDED,
    S.ACTIVE: SealState.ACTIVE,
    S.SUSPENDED: SealState.SUSPENDED,
    S.LOST: SealState.REVOKED,
    S.REMADE: SealState.REVOKED,
    S.CANCELLED: SealState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody wants a seal to become; `account` is the system that asked, as its certificate says."""

    status: SealStatus
    reason: str
    operator: str
    second_person: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One state a seal entered: counted from `since` (whole seconds), written down at `changed_at`."""

    version: int
    status: SealStatus
    since: datetime
    changed_at: datetime
    reason: str
    operator: str
    second_person: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class RegisteredSeal:
    """A seal as the register knows it; `version` counts its history entries and its events alike."""

    seal_id: str
    owner_code: str
    name: str
    certificate: bytes
    valid_from: datetime
    valid_until: datetime
    status: SealStatus
    since: datetime
    version: int
    kind: SealKind = SealKind.OFFICIAL
    filing_number: str = ""
    application_id: str = ""
    replaces: str = ""
    replaced_by: str = ""
    name_index: bytes = b""
    picture_sha256: str = ""
    width_mm: int = 0
    height_mm: int = 0

    @property
    def etag(self) -> str:
        """The entity tag of this version."""
        return f'"{self.version}"'

    def changed(self, change: Change, now: datetime) -> tuple[RegisteredSeal, HistoryEntry]:
        """Return the seal after the change, and the entry that records it.

        Raises:
            INVALID_REQUEST: No reason or operator, or no second person where one is needed.
            SEAL_STATUS_STEP: The state cannot follow the present one.
        """
        _check(self, change)
        if change.status not in _STEPS[self.status]:
            raise SEAL_STATUS_STEP(previous=self.status, status=change.status)
        since = max(counts_from(change.status, now), self.since)
        entry = HistoryEntry(
            self.version + 1,
            change.status,
            since,
            now,
            change.reason,
            change.operator,
            change.second_person,
            change.account,
        )
        return replace(self, status=change.status, since=since, version=entry.version), entry


def counts_from(status: SealStatus, now: datetime) -> datetime:
    """Return the whole second from which a state counts.

    Signatures state whole seconds, cut: a seal becomes usable with the second that runs, and stops being so
    with the next, so that every signature made in time lies inside the usable span.
    """
    whole = now.replace(microsecond=0)
    return whole + timedelta(seconds=1) if status in _ENDS_USE else whole


def state_at(history: Sequence[HistoryEntry], at: datetime) -> HistoryEntry | None:
    """Return the entry that counts at a moment, None before the seal was made; history in order of version."""
    return next((entry for entry in reversed(history) if entry.since <= at), None)


def for_verifiers(status: SealStatus) -> SealState:
    """Return what a verifier is told: only an active seal seals."""
    return _TO_VERIFIERS[status]


def usable(
    seals: Sequence[RegisteredSeal], now: datetime, kind: SealKind = SealKind.OFFICIAL
) -> RegisteredSeal:
    """Return the seal of a kind that an authority seals with now; `seals` newest first.

    Raises:
        SEAL_NOT_MADE: There is none.
        SEAL_NOT_IN_USE: None is active; the newest one's state is named.
        SEAL_EXPIRED: The active one is past its validity.
    """
    of_kind = [seal for seal in seals if seal.kind is kind]
    if not of_kind:
        raise SEAL_NOT_MADE()
    found = next((seal for seal in of_kind if seal.status is S.ACTIVE), None)
    if found is None:
        raise SEAL_NOT_IN_USE(status=of_kind[0].status)
    if not found.valid_from <= now <= found.valid_until:
        raise SEAL_EXPIRED()
    return found


def due(seals: Sequence[RegisteredSeal]) -> bool:
    """Return whether an authority is to get its official seal: it never had one, or the newest is to be remade."""
    official = [seal for seal in seals if seal.kind is SealKind.OFFICIAL]
    return not official or official[0].status is S.REMADE


def needs_second_person(seal: RegisteredSeal, status: SealStatus) -> bool:
    """Return whether a change takes two people: restoring, remaking, cancelling an organisation's seal."""
    restores = seal.status is S.SUSPENDED and status is S.ACTIVE
    cancels = status is S.CANCELLED and not RULES[seal.kind].is_person
    return restores or cancels or status is S.REMADE


def _check(seal: RegisteredSeal, change: Change) -> None:
    wrong = [
        FIELD_REQUIRED.at(name)
        for name, value in (("reason", change.reason), ("operator", change.operator))
        if not value.strip()
    ]
    if needs_second_person(seal, change.status) and not change.second_person.strip():
        wrong.append(FIELD_REQUIRED.at("second_person"))
    if change.second_person.strip() and is_same_person(change.second_person, change.operator):
        wrong.append(SECOND_PERSON_SAME.at("second_person"))
    refuse(wrong)
