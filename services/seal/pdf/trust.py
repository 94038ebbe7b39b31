"""Whom a PDF signature leads to, what was revoked, and what proves its time; by our own path building."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.seal.domain.certificates import (
    Certificate,
    CertificateError,
    Path,
    Revocation,
    RevocationList,
    build_path,
    read_certificate,
    read_crl,
    revocation_of,
)
from services.seal.domain.timestamps import TokenResult, judge_token
from services.seal.domain.verification import CheckName, Evidence
from services.seal.domain.verification import causes as known
from services.seal.domain.verification.evidence import SKEW
from services.seal.domain.verification.report import Findings
from services.seal.domain.verification.trust_steps import NOT_FOR_SEALING, report_path, report_token

_LISTS_MOST = 8


@dataclass(frozen=True, slots=True)
class Carried:
    """Certificates and lists that came with the document, as far as they can be read; trusted for nothing."""

    certificates: tuple[Certificate, ...]
    crls: tuple[RevocationList, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be proved of one signature; `vouched`: its register stands in for a timestamp."""

    signer: Certificate | None
    signature: bytes
    token: bytes | None
    stated_at: datetime | None
    recorded_at: datetime | None
    vouched: bool


def carried(certificates: Iterable[bytes], crls: Iterable[bytes]) -> Carried:
    """Return what can be read of the DER given, each once."""
    found = [_certificate(data) for data in dict.fromkeys(certificates)]
    lists = [_list(data) for data in dict.fromkeys(crls)]
    return Carried(tuple(each for each in found if each), tuple(each for each in lists if each))


def _certificate(data: bytes) -> Certificate | None:
    try:
        return read_certificate(data)
    except CertificateError:
        return None


def _list(data: bytes) -> RevocationList | None:
    try:
        return read_crl(data)
    except (CertificateError, ValueError, IndexError):
        return None


def check_trust(
    claim: Claim, with_document: Carried, evidence: Evidence, findings: Findings
) -> datetime | None:
    """Run C and K and return the proved time of the sealing, if anything proves it."""
    proved = _proved(claim, with_document, evidence, findings)
    at = proved or claim.stated_at or evidence.now
    path = _chain(claim, at, with_document, evidence, findings)
    vouched = proved is not None or claim.vouched
    _revocation(claim, path, at, proved, with_document, vouched=vouched, evidence=evidence, findings=findings)
    return proved


def _proved(claim: Claim, with_document: Carried, evidence: Evidence, findings: Findings) -> datetime | None:
    name = CheckName.TIMESTAMP
    if claim.stated_at is None:
        findings.unsettled(name, known.NO_STATED_TIME)
    elif claim.stated_at > evidence.now + SKEW:
        findings.invalid(name, known.FUTURE)
    if claim.token is None:
        findings.not_applicable(name, known.NO_TIMESTAMP)
        return claim.recorded_at
    token = judge(claim.token, claim.signature, with_document, evidence)
    report_token(token, claim.stated_at, evidence, findings)
    return token.generated_at if token.trusted else claim.recorded_at


def judge(token: bytes, stamped: bytes, with_document: Carried, evidence: Evidence) -> TokenResult:
    """Return what holds of a token over `stamped`, its path found also among what the document carries."""
    pool = (*evidence.pool, *with_document.certificates)
    return judge_token(token, stamped, replace(evidence.timestamp_trust, pool=pool))


def _chain(
    claim: Claim, at: datetime, with_document: Carried, evidence: Evidence, findings: Findings
) -> Path | None:
    name, leaf = CheckName.SIGNER_CHAIN, claim.signer
    if leaf is None:
        findings.unsettled(name, known.NO_ANCHOR, "certificate")
        return None
    pool = (*evidence.pool, *with_document.certificates)
    path = build_path(leaf, pool, evidence.anchor_certificates, at, evidence.suites)
    if leaf.unknown_critical or not leaf.may("digital_signature", "non_repudiation"):
        findings.invalid(name, known.SIGNER_CERT, "keyUsage")
    if leaf.extended_key_usage and leaf.extended_key_usage <= NOT_FOR_SEALING:
        findings.invalid(name, known.SIGNER_CERT, "extKeyUsage")
    if not leaf.valid_at(claim.stated_at or at) or not leaf.valid_at(at):
        findings.invalid(name, known.SIGNER_EXPIRED)
    report_path(name, path, leaf, known.SIGNER_CERT, findings)
    return path


def _revocation(
    claim: Claim,
    path: Path | None,
    at: datetime,
    proved: datetime | None,
    with_document: Carried,
    *,
    vouched: bool,
    evidence: Evidence,
    findings: Findings,
) -> None:
    """C3 and C4; a list that the document keeps answers for the moment that a timestamp proves, not for today."""
    name = CheckName.REVOCATION
    if claim.signer is not None and not claim.signer.valid_at(evidence.now) and not vouched:
        findings.unsettled(name, known.NO_PROOF_OF_TIME)
    if path is None or path.problem is not None:
        findings.unsettled(name, known.REVOCATION)
        return
    lists: Sequence[RevocationList] = (*evidence.revocation_lists, *with_document.crls)
    answer = revocation_of(path.certificates, lists, evidence.suites, evidence.now)
    is_known = answer.known
    if not is_known and proved is not None:
        then = _then(path, lists, proved, evidence)
        is_known = then.known
        answer = answer if answer.revoked_at is not None else then
        findings.note("按签章时的吊销列表判断", "Judged by the revocation lists of the time of sealing")
    if answer.revoked_at is not None and answer.revoked_at <= at:
        findings.invalid(name, known.REVOKED, f"{answer.revoked_at:%Y-%m-%dT%H:%M:%SZ}")
    elif answer.revoked_at is not None and not vouched:
        findings.unsettled(name, known.NO_PROOF_OF_TIME)
    elif answer.revoked_at is not None:
        findings.note("签章人证书在签章后被吊销", "The signer's certificate was revoked after the sealing")
    if not is_known:
        findings.unsettled(name, known.REVOCATION)
    findings.passed(name)


def _then(path: Path, lists: Sequence[RevocationList], proved: datetime, evidence: Evidence) -> Revocation:
    """Return the first complete answer from `proved` on: of the lists then current, or issued soon after."""
    issued = {each.this_update for each in lists if proved < each.this_update <= evidence.now}
    answer = Revocation(known=False, revoked_at=None)
    for moment in (proved, *sorted(issued)[:_LISTS_MOST]):
        answer = revocation_of(path.certificates, lists, evidence.suites, moment)
        if answer.known:
            break
    return answer
