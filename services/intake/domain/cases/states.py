"""The states of a part and the one table of what may follow what.

The database holds the same table and refuses any other step (migration 0001).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from chassis.errors import Kind, declare

PART_STATE_WRONG = declare(
    "PART_STATE_WRONG",
    Kind.FAILED_PRECONDITION,
    "当前环节（{state}）不能进行此操作",
    "Not possible in state {state}",
)


class PartState(StrEnum):
    """Where a part (办件分项) stands; names as in ``tongban.intake.v1.PartState``."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    SUPPLEMENT = "supplement"
    ACCEPTED = "accepted"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    REJECTED = "rejected"
    REFUSED = "refused"
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"

    @property
    def decided(self) -> bool:
        """Whether the department's last word on the part is spoken."""
        return self in _DECIDED

    @property
    def has_result(self) -> bool:
        """Whether nothing more is to come for the part."""
        return self in _RESULT


class PartVerb(StrEnum):
    """What can be done to a part."""

    SUBMIT = "submit"
    CLAIM = "claim"
    ACCEPT = "accept"
    REFUSE = "refuse"
    REQUEST_SUPPLEMENT = "request_supplement"
    ANSWER_SUPPLEMENT = "answer_supplement"
    SIGN = "sign"
    COMPLETE = "complete"
    WITHDRAW = "withdraw"


S, V = PartState, PartVerb
_DECIDED = frozenset({S.APPROVED, S.REJECTED, S.REFUSED, S.COMPLETED})
_RESULT = frozenset({S.REJECTED, S.REFUSED, S.COMPLETED, S.WITHDRAWN})

TRANSITIONS: Mapping[PartVerb, Mapping[PartState, frozenset[PartState]]] = {
    V.SUBMIT: {S.DRAFT: frozenset({S.SUBMITTED})},
    V.CLAIM: {state: frozenset({state}) for state in (S.SUBMITTED, S.SUPPLEMENT, S.ACCEPTED, S.REVIEWED)},
    V.ACCEPT: {S.SUBMITTED: frozenset({S.ACCEPTED})},
    V.REFUSE: {S.SUBMITTED: frozenset({S.REFUSED})},
    V.REQUEST_SUPPLEMENT: {S.SUBMITTED: frozenset({S.SUPPLEMENT})},
    V.ANSWER_SUPPLEMENT: {S.SUPPLEMENT: frozenset({S.SUBMITTED})},
    V.SIGN: {
        S.ACCEPTED: frozenset({S.REVIEWED, S.APPROVED, S.REJECTED}),
        S.REVIEWED: frozenset({S.APPROVED, S.REJECTED}),
    },
    V.COMPLETE: {S.APPROVED: frozenset({S.COMPLETED})},
    V.WITHDRAW: {
        state: frozenset({S.WITHDRAWN}) for state in (S.SUBMITTED, S.SUPPLEMENT, S.ACCEPTED, S.REVIEWED)
    },
}
"""Verb → state it is allowed in → states it may lead to."""


def require_allowed(verb: PartVerb, state: PartState) -> None:
    """Do nothing where the table allows the verb. Raises PART_STATE_WRONG elsewhere."""
    if state not in TRANSITIONS[verb]:
        raise PART_STATE_WRONG(state=state.value)


def steps() -> tuple[tuple[PartState, PartState], ...]:
    """Return every (from, to) the table allows where the state changes, sorted; the database's copy."""
    found = {
        (source, target)
        for rows in TRANSITIONS.values()
        for source, targets in rows.items()
        for target in targets
        if source is not target
    }
    return tuple(sorted(found))
