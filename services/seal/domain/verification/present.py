"""Whether seal and certificate could be used now: what a reader asks besides "was it sealed rightly then?"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.seal.domain.certificates import Certificate, RevocationList, build_path, revocation_of
from services.seal.domain.verification import causes
from services.seal.domain.verification.evidence import Evidence, SealState
from services.seal.domain.verification.report import Check, CheckName, Findings
from services.seal.domain.verification.trust_steps import report_path

NOW_CHECKS = (
    CheckName.SEAL_VALIDITY,
    CheckName.SIGNER_CHAIN,
    CheckName.REVOCATION,
    CheckName.SEAL_STATUS,
)


class InForce(Protocol):
    """Since when and until when a seal may be used: the seal itself says so, or a signed list does."""

    @property
    def valid_from(self) -> datetime:
        """The first moment."""
        ...

    @property
    def valid_until(self) -> datetime:
        """The last moment."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What a signature was made with, as far as it is known; `pool` and `lists` came with the document."""

    seal_id: str | None
    seal: InForce | None
    signer: Certificate | None
    pool: Sequence[Certificate] = ()
    lists: Sequence[RevocationList] = ()


def judge_now(standing: Standing, evidence: Evidence) -> tuple[Check, ...]:
    """Return the checks that time changes, as they come out at `evidence.now`; a document stays valid if they fail."""
    findings = Findings()
    _seal(standing, evidence, findings)
    _signer(standing, evidence, findings)
    return findings.checks(NOW_CHECKS)


def _seal(standing: Standing, evidence: Evidence, findings: Findings) -> None:
    name, seal = CheckName.SEAL_VALIDITY, standing.seal
    if seal is None:
        findings.not_applicable(name, causes.NOT_A_SEAL)
    elif not seal.valid_from <= evidence.now <= seal.valid_until:
        findings.invalid(
            name, causes.SEAL_EXPIRED_SINCE, f"{seal.valid_from:%Y-%m-%d} – {seal.valid_until:%Y-%m-%d}"
        )
    else:
        findings.passed(name)
    if standing.seal_id is None:
        findings.not_applicable(CheckName.SEAL_STATUS, causes.NOT_A_SEAL)
        return
    lookup = evidence.seal_status
    state = lookup(standing.seal_id, evidence.now) if lookup is not None else SealState.UNKNOWN
    if state is SealState.ACTIVE:
        findings.passed(CheckName.SEAL_STATUS)
    elif state is SealState.UNKNOWN:
        findings.unsettled(CheckName.SEAL_STATUS, causes.SEAL_STATUS)
    else:
        findings.invalid(CheckName.SEAL_STATUS, causes.SEAL_ENDED_SINCE, state.value)


def _signer(standing: Standing, evidence: Evidence, findings: Findings) -> None:
    name, signer = CheckName.SIGNER_CHAIN, standing.signer
    if signer is None:
        return
    if not signer.valid_at(evidence.now):
        findings.invalid(name, causes.SIGNER_EXPIRED_SINCE)
    path = build_path(
        signer,
        (*evidence.pool, *standing.pool),
        evidence.anchor_certificates,
        evidence.now,
        evidence.suites,
    )
    report_path(name, path, signer, causes.SIGNER_CERT, findings)
    if path.problem is not None:
        findings.unsettled(CheckName.REVOCATION, causes.REVOCATION)
        return
    lists = (*evidence.revocation_lists, *standing.lists)
    answer = revocation_of(path.certificates, lists, evidence.suites, evidence.now)
    if answer.revoked_at is not None and answer.revoked_at <= evidence.now:
        revoked = f"{answer.revoked_at:%Y-%m-%dT%H:%M:%SZ}"
        findings.invalid(CheckName.REVOCATION, causes.REVOKED_SINCE, revoked)
    elif not answer.known:
        findings.unsettled(CheckName.REVOCATION, causes.REVOCATION)
    findings.passed(CheckName.REVOCATION)
