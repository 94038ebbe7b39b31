"""The replica (副本库) of what another registry told us: how old it is, and when it says nothing.

A replica never overrules its issuer: it is asked only when the issuer does not answer, it says since when it
knows nothing newer, and beyond its limit it says that it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from chassis.errors import Kind, declare
from services.certs.domain.federation.proving import PROVED_WITHIN, REPLICA_UNPROVED
from services.certs.domain.licence import Licence

CLOCKS_APART = timedelta(seconds=60)
"""How far another registry's clock may be ahead of ours; more is refused, since ages come from it."""

REPLICA_TOO_OLD = declare(
    "REPLICA_TOO_OLD",
    Kind.UNAVAILABLE,
    "颁发地登记库暂不可达，本地副本已超过时限",
    "The issuer cannot be asked and the replica is older than its limit",
)
REPLICA_FROZEN = declare(
    "REPLICA_FROZEN",
    Kind.FAILED_PRECONDITION,
    "颁发地登记库的日志前后矛盾，副本已停用",
    "The issuer's log contradicts its earlier self; its replica is frozen",
)
REPLICA_INCOMPLETE = declare(
    "REPLICA_INCOMPLETE",
    Kind.UNAVAILABLE,
    "该证照的副本记录不完整，正在补齐",
    "Messages about this licence are missing from the replica",
)
REPLICA_EMPTY = declare(
    "REPLICA_EMPTY",
    Kind.UNAVAILABLE,
    "尚未收到颁发地登记库的有效数据",
    "Nothing verified has come from the issuer's registry yet",
)


class Refusal(StrEnum):
    """Why a message of another registry was not taken; each is recorded and counted."""

    UNKNOWN_ISSUER = "unknown_issuer"
    SIGNATURE_WRONG = "signature_wrong"
    MALFORMED = "malformed"
    NOT_FOR_US = "not_for_us"
    TYPE_NOT_AGREED = "type_not_agreed"
    NOT_THEIRS = "not_theirs"
    """It speaks of a licence that is ours, of an issuer it does not speak for, or of another registry's."""
    NOT_ASKED = "not_asked"
    """It answers about another holder or another type than was asked for."""
    UNREADABLE = "unreadable"
    CLOCK_AHEAD = "clock_ahead"
    CHECKPOINT_FORGED = "checkpoint_forged"
    FORKED = "forked"
    """Its log is no later state of what it was: the alarm, and the replica is frozen."""
    PROOF_WRONG = "proof_wrong"
    """Its log does not have what it told of: as a fork."""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """How far the replica of one registry is.

    ``through``: every licence message up to this ordinal arrived. ``heard_at``: the newest heartbeat whose
    log is consistent; ``verified_at``: the newest before which nothing is missing.
    """

    registry_id: str
    through: int = 0
    heard_at: datetime | None = None
    heard_beat: int = 0
    heard_ordinal: int = 0
    verified_at: datetime | None = None
    checkpoint: str = ""
    size: int = 0
    root: bytes = b""
    frozen_at: datetime | None = None
    frozen_cause: str = ""
    fork_note: str = field(default="", repr=False)

    def after_message(self, through: int) -> ReplicaState:
        """Return the state when everything up to an ordinal has arrived."""
        return _settled(replace(self, through=through))

    def after_beat(
        self, at: datetime, beat: int, ordinal: int, checkpoint: str, size: int, root: bytes
    ) -> ReplicaState:
        """Return the state after a heartbeat with a consistent log."""
        heard = replace(
            self,
            heard_at=at,
            heard_beat=beat,
            heard_ordinal=ordinal,
            checkpoint=checkpoint,
            size=size,
            root=root,
        )
        return _settled(heard)

    def after_log(self, checkpoint: str, size: int, root: bytes) -> ReplicaState:
        """Return the state when only the log is known to be further."""
        return replace(self, checkpoint=checkpoint, size=size, root=root)

    def frozen(self, now: datetime, cause: str, note: str) -> ReplicaState:
        """Return the state after a fork was found; the first one is kept."""
        if self.frozen_at is not None:
            return self
        return replace(self, frozen_at=now, frozen_cause=cause, fork_note=note)

    def age_seconds(self, now: datetime) -> float:
        """Return since how many seconds nothing newer is known for sure; infinite when nothing ever was."""
        if self.verified_at is None:
            return float("inf")
        return max(0.0, (now - self.verified_at).total_seconds())


@dataclass(frozen=True, slots=True)
class ReplicaLicence:
    """A licence as another registry told of it last."""

    registry_id: str
    licence: Licence
    act: str
    use_frozen: bool
    effective_at: datetime
    recorded_at: datetime
    received_at: datetime
    complete: bool = True
    """Whether every earlier message about it arrived."""
    unproved_since: datetime | None = None
    """Since when no state of it was proved to be in the issuer's log; None for a proved one."""

    def is_overdue(self, now: datetime) -> bool:
        """Say whether its proof should have come by now."""
        return self.unproved_since is not None and now - self.unproved_since > PROVED_WITHIN


class Source(StrEnum):
    """Who answered for a registry's licences."""

    OWN = "own"
    ISSUER = "issuer"
    REPLICA = "replica"
    NOBODY = "nobody"
    """Not known: the reason says why. Never to be read as: no licence."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What is known of one registry's licences, from whom, as of when (UTC)."""

    registry_id: str
    source: Source
    found: tuple[ReplicaLicence, ...] = ()
    as_of: datetime | None = None
    age_seconds: float = 0.0
    reason: str = ""
    """Why nobody, or not the issuer, answers; also that a licence was left out for missing messages."""


def replica_says(
    state: ReplicaState | None, found: tuple[ReplicaLicence, ...], limit_seconds: float, now: datetime
) -> tuple[Source, str]:
    """Return whether a replica may answer, and otherwise the code of why not."""
    if state is None or state.verified_at is None:
        return Source.NOBODY, REPLICA_EMPTY.code
    if state.frozen_at is not None:
        return Source.NOBODY, REPLICA_FROZEN.code
    if state.age_seconds(now) > limit_seconds:
        return Source.NOBODY, REPLICA_TOO_OLD.code
    if not all(each.complete for each in found):
        return Source.NOBODY, REPLICA_INCOMPLETE.code
    if any(each.is_overdue(now) for each in found):
        return Source.NOBODY, REPLICA_UNPROVED.code
    return Source.REPLICA, ""


def _settled(state: ReplicaState) -> ReplicaState:
    """Return the state with the newest heartbeat verified, if nothing before it is missing."""
    if state.heard_at is None or state.through < state.heard_ordinal:
        return state
    if state.verified_at is not None and state.heard_at <= state.verified_at:
        return state
    return replace(state, verified_at=state.heard_at)
