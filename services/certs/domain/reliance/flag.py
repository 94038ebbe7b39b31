"""A case that relied on a licence which fell, and what its department did about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from chassis.errors import ETAG_MISMATCH, FIELD_REQUIRED, Kind, Violation, declare, refuse
from services.certs.domain.reliance.falling import Fall
from services.certs.domain.status import OPERATOR_LIMIT, REASON_LIMIT
from services.certs.domain.wording import stated_violations

RELIANCE_NOT_FOUND = declare(
    "RELIANCE_NOT_FOUND", Kind.NOT_FOUND, "没有找到该召回提示", "No such flagged reliance"
)
RELIANCE_ANSWERED = declare(
    "RELIANCE_ANSWERED",
    Kind.FAILED_PRECONDITION,
    "该召回提示已经答复",
    "This flagged reliance has been answered",
)


class RelianceOutcome(StrEnum):
    """What a department did about a case."""

    REOPENED = "reopened"
    KEPT = "kept"
    NO_EFFECT = "no_effect"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A department's answer to a flag; a reason is required where what was decided is kept."""

    outcome: RelianceOutcome | None
    reason: str
    operator: str
    acknowledged_at: datetime


@dataclass(frozen=True, slots=True)
class Flag:
    """A flagged reliance (召回提示): one for each department, case and fall, whatever number of uses."""

    flag_id: str
    fall: Fall
    consumer_code: str
    case_id: str
    item_codes: tuple[str, ...]
    relied_version: int
    last_used_at: datetime
    flagged_at: datetime
    answer: Acknowledgement | None = None
    version: int = 1

    @property
    def etag(self) -> str:
        """The flag's version as callers see it."""
        return f'"{self.version}"'


def acknowledge(flag: Flag, etag: str, answer: Acknowledgement) -> Flag:
    """Return the flag with its answer, the only one it gets.

    Raises INVALID_REQUEST, ETAG_MISMATCH, RELIANCE_ANSWERED.
    """
    refuse(acknowledgement_violations(answer))
    if flag.etag != etag:
        raise ETAG_MISMATCH()
    if flag.answer is not None:
        raise RELIANCE_ANSWERED()
    return replace(flag, answer=answer, version=flag.version + 1)


def acknowledgement_violations(answer: Acknowledgement) -> list[Violation]:
    """Return every wrong field of an answer."""
    found: list[Violation] = [] if answer.outcome else [FIELD_REQUIRED.at("outcome")]
    kept = answer.outcome is RelianceOutcome.KEPT
    found += stated_violations("reason", answer.reason, REASON_LIMIT, required=kept)
    return found + stated_violations("operator", answer.operator, OPERATOR_LIMIT)
