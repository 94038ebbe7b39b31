"""Rules of a seal: how many persons must have approved a document, and how often the seal may be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from chassis.errors import FIELD_MALFORMED, Kind, Violation, declare, refuse
from services.seal.domain.authorisation.people import decision_mistakes, text_mistakes
from standards.persons import named

SEAL_QUORUM_MISSING = declare(
    "SEAL_QUORUM_MISSING",
    Kind.FAILED_PRECONDITION,
    "该文件需 {quorum} 人审批，现有 {approvers} 人",
    "The document needs {quorum} approvers and has {approvers}",
)
LARGEST_QUORUM, LARGEST_DAILY, LARGEST_BURST = 9, 10_000_000, 10_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SealRules:
    """How a seal may be used (用印规则); 0 is no quorum and no limit, version 0 what a fresh seal has."""

    seal_id: str
    quorum: int = 0
    daily_limit: int = 0
    burst_limit: int = 0
    version: int = 0
    changed_at: datetime | None = None
    operator: str = ""
    second_person: str = ""
    reason: str = ""
    account: str = ""

    @property
    def etag(self) -> str:
        """The entity tag of this version."""
        return f'"{self.version}"'


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's yes to the use of a seal under one document, which is known by its digest (用印审批)."""

    approval_id: str
    seal_id: str
    document_sha256: str
    approver: str
    note: str
    account: str
    approved_at: datetime


def changed_rules(rules: SealRules) -> SealRules:
    """Return rules that may be entered. Raises INVALID_REQUEST naming every wrong field."""
    refuse(_mistakes(rules))
    return rules


def check_approval(approval: Approval) -> None:
    """Refuse an approval of nothing, or by nobody. Raises INVALID_REQUEST naming every wrong field."""
    wrong = [*text_mistakes({"approver": approval.approver})]
    wrong += text_mistakes({"note": approval.note}, required=False)
    if not _SHA256.fullmatch(approval.document_sha256):
        wrong.append(FIELD_MALFORMED.at("document_sha256"))
    refuse(wrong)


def distinct_approvers(approvals: Iterable[Approval], but: str = "") -> int:
    """Return how many different persons approved, not counting the one who uses the seal."""
    return len({named(each.approver) for each in approvals} - ({named(but)} if but.strip() else set()))


def check_quorum(rules: SealRules, approvals: Iterable[Approval], reviewer: str = "") -> int:
    """Return how many persons approved the document.

    Raises:
        SEAL_QUORUM_MISSING: Fewer than the rules ask for.
    """
    approvers = distinct_approvers(approvals, reviewer)
    if approvers < rules.quorum:
        raise SEAL_QUORUM_MISSING(quorum=rules.quorum, approvers=approvers)
    return approvers


def _mistakes(rules: SealRules) -> Iterator[Violation]:
    for name, largest in (
        ("quorum", LARGEST_QUORUM),
        ("daily_limit", LARGEST_DAILY),
        ("burst_limit", LARGEST_BURST),
    ):
        if not 0 <= getattr(rules, name) <= largest:
            yield FIELD_MALFORMED.at(name)
    yield from decision_mistakes(rules.operator, rules.second_person, rules.reason)
