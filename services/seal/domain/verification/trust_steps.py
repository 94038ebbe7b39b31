"""Steps S3–S6, C and K: whom the certificates lead to, what was revoked, and what proves the time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.seal.domain.certificates import Certificate, Path, PathProblem, build_path, revocation_of
from services.seal.domain.pki import STATUS_LIST_SIGNING, TIME_STAMPING
from services.seal.domain.structures import Seal, SealedValue
from services.seal.domain.timestamps import TokenResult, judge_token
from services.seal.domain.verification import causes
from services.seal.domain.verification.causes import Cause
from services.seal.domain.verification.evidence import SKEW, Evidence, SealState
from services.seal.domain.verification.report import CheckName, Findings

NOT_FOR_SEALING = frozenset({TIME_STAMPING, "time_stamping", STATUS_LIST_SIGNING, "ocsp_signing"})
"""A certificate for nothing but these does not seal."""


@dataclass(frozen=True, slots=True)
class Parties:
    """The signature with its two certificates as far as they could be read."""

    value: SealedValue
    signer: Certificate | None
    maker: Certificate | None
    is_own: bool
    signature_digest: bytes


def check_trust(parties: Parties, evidence: Evidence, findings: Findings) -> datetime | None:
    """Run S3–S6, C and K and return the proved time of the sealing, if anything proves it."""
    stated = parties.value.signed_at
    state = check_maker(parties.value.seal, parties.maker, stated, evidence, findings)
    proved = _proved_time(parties, evidence, findings)
    at = proved or stated or evidence.now
    path = _chain(CheckName.SIGNER_CHAIN, parties.signer, at, causes.SIGNER_CERT, evidence, findings)
    if parties.signer is not None and not parties.signer.valid_at(stated or at):
        findings.invalid(CheckName.SIGNER_CHAIN, causes.SIGNER_EXPIRED)
    by_register = parties.is_own and evidence.recorded_at is None and state is not SealState.UNKNOWN
    _signer_revocation(path, parties.signer, at, proved is not None or by_register, evidence, findings)
    return proved


def check_maker(
    seal: Seal, maker: Certificate | None, at: datetime | None, evidence: Evidence, findings: Findings
) -> SealState:
    """Run S3 to S6: the maker's certificate when the seal was made, the seal's state at `at`, its own timestamp."""
    created = seal.created_at
    path = _chain(CheckName.MAKER_CHAIN, maker, created, causes.MAKER_CERT, evidence, findings)
    if maker is not None and not maker.valid_at(created):
        findings.invalid(CheckName.MAKER_CHAIN, causes.MAKER_EXPIRED)
    elif maker is not None and not maker.valid_at(evidence.now):
        findings.note("制章人证书在制章后已到期", "The maker's certificate ended after the seal was made")
    _maker_revocation(path, created, evidence, findings)
    if seal.timestamp is not None:
        token = judge_token(seal.timestamp, seal.signature, evidence.timestamp_trust)
        report_token(token, created, evidence, findings)
    return _seal_state(seal, at, evidence, findings)


def _chain(
    name: CheckName,
    leaf: Certificate | None,
    at: datetime,
    wrong: Cause,
    evidence: Evidence,
    findings: Findings,
) -> Path | None:
    """S3 and C1: a path to an anchor, and a key that may sign."""
    if leaf is None:
        findings.invalid(name, wrong, "certificate")
        return None
    path = build_path(leaf, evidence.pool, evidence.anchor_certificates, at, evidence.suites)
    if leaf.unknown_critical or not leaf.may("digital_signature", "non_repudiation"):
        findings.invalid(name, wrong, "keyUsage")
    if leaf.extended_key_usage and leaf.extended_key_usage <= NOT_FOR_SEALING:
        findings.invalid(name, wrong, "extKeyUsage")
    report_path(name, path, leaf, wrong, findings)
    return path


def report_path(name: CheckName, path: Path, leaf: Certificate, wrong: Cause, findings: Findings) -> None:
    """Say where a path of certificates led: S3 and C1."""
    if path.problem is None:
        findings.passed(name)
    elif path.problem is PathProblem.SUITE:
        findings.unsettled(name, causes.CERTIFICATE_SUITE, leaf.algorithm)
    elif path.problem.open_question:
        findings.unsettled(name, causes.NO_ANCHOR, path.problem.value)
    else:
        findings.invalid(name, wrong, path.problem.value)


def _maker_revocation(path: Path | None, created: datetime, evidence: Evidence, findings: Findings) -> None:
    """Let a maker revoked after it made the seal leave the seal standing (GM/T 0031-2025, applied to all)."""
    if path is None or path.problem is not None:
        findings.unsettled(CheckName.REVOCATION, causes.REVOCATION, "maker")
        return
    answer = revocation_of(path.certificates, evidence.revocation_lists, evidence.suites, evidence.now)
    if answer.revoked_at is not None and answer.revoked_at <= created:
        findings.invalid(CheckName.REVOCATION, causes.REVOKED, "maker")
    elif answer.revoked_at is not None:
        findings.note(
            "制章人证书在制章后被吊销", "The maker's certificate was revoked after the seal was made"
        )
    elif not answer.known:
        findings.unsettled(CheckName.REVOCATION, causes.REVOCATION, "maker")


def _signer_revocation(
    path: Path | None,
    signer: Certificate | None,
    at: datetime,
    vouched: bool,
    evidence: Evidence,
    findings: Findings,
) -> None:
    """C3 and C4: not revoked before the sealing, and something proves which came first where that matters."""
    name = CheckName.REVOCATION
    if signer is not None and not signer.valid_at(evidence.now) and not vouched:
        findings.unsettled(name, causes.NO_PROOF_OF_TIME)
    if path is None or path.problem is not None:
        findings.unsettled(name, causes.REVOCATION)
        return
    answer = revocation_of(path.certificates, evidence.revocation_lists, evidence.suites, evidence.now)
    if answer.revoked_at is not None and answer.revoked_at <= at:
        findings.invalid(name, causes.REVOKED, f"{answer.revoked_at:%Y-%m-%dT%H:%M:%SZ}")
    elif answer.revoked_at is not None and not vouched:
        findings.unsettled(name, causes.NO_PROOF_OF_TIME)
    elif answer.revoked_at is not None:
        findings.note("签章人证书在签章后被吊销", "The signer's certificate was revoked after the sealing")
    if not answer.known:
        findings.unsettled(name, causes.REVOCATION)
    findings.passed(name)


def _proved_time(parties: Parties, evidence: Evidence, findings: Findings) -> datetime | None:
    """K1 and K2: verify the timestamp; without one our own ledger may prove the time."""
    name, value = CheckName.TIMESTAMP, parties.value
    if value.signed_at is not None and value.signed_at > evidence.now + SKEW:
        findings.invalid(name, causes.FUTURE)
    if value.timestamp is not None and value.generation == 1:  # in timeInfo, so made before the signature
        findings.unsettled(name, causes.NO_STATED_TIME, "timeInfo")
    elif value.timestamp is not None:
        token = judge_token(value.timestamp, value.signature, evidence.timestamp_trust)
        report_token(token, value.signed_at, evidence, findings)
        if token.trusted:
            return token.generated_at
    else:
        findings.not_applicable(name, causes.NO_TIMESTAMP)
    if parties.is_own and evidence.recorded_at is not None:
        return evidence.recorded_at(parties.signature_digest)
    return None


def report_token(
    token: TokenResult, not_before: datetime | None, evidence: Evidence, findings: Findings
) -> None:
    """Say how a timestamp token came out: S6 and K1; `not_before` is the moment that it proves to be past."""
    name, moment = CheckName.TIMESTAMP, token.generated_at
    if token.fault or moment is None:
        findings.invalid(name, causes.TIMESTAMP, token.fault)
    elif token.unknown_algorithm:
        findings.unsettled(name, causes.TIMESTAMP_SUITE, token.unknown_algorithm)
    elif moment > evidence.now + SKEW or (not_before is not None and moment < not_before - SKEW):
        findings.invalid(name, causes.TIMESTAMP, "genTime")
    elif not token.trusted:
        findings.unsettled(name, causes.TIMESTAMP_AUTHORITY)
    else:
        findings.passed(name)


def _seal_state(seal: Seal, at: datetime | None, evidence: Evidence, findings: Findings) -> SealState:
    """S5: the register's answer for the stated time."""
    name = CheckName.SEAL_STATUS
    if evidence.seal_status is None or at is None:
        findings.unsettled(name, causes.SEAL_STATUS)
        return SealState.UNKNOWN
    state = evidence.seal_status(seal.seal_id, at)
    if state is SealState.ACTIVE:
        findings.passed(name)
    elif state is SealState.UNKNOWN:
        findings.unsettled(name, causes.SEAL_STATUS)
    else:
        findings.invalid(name, causes.SEAL_NOT_ACTIVE, state.value)
    return state
