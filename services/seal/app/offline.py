"""Verifying without a network or a service: a document, and a directory of trust files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chassis.errors import Fault
from services.seal.domain.companion_list import verify_companion_list
from services.seal.domain.status_list import verify_status_list
from services.seal.domain.suite import Suites
from services.seal.domain.verification import (
    Check,
    DocumentReport,
    Evidence,
    SealStatusLookup,
    SignatureReport,
    verify_document,
)
from services.seal.providers import load_suites
from services.seal.trust_files import read_trust_files, write_trust_files
from services.seal.usecases.evidence import evidence_of
from services.seal.usecases.ports import TrustBundle

if TYPE_CHECKING:
    from services.seal.pdf import CompanionLookup


def verify_offline(document: bytes, trust_dir: Path, now: datetime) -> dict[str, Any]:
    """Return the verdict and every check of every signature as plain values.

    ``{"verdict", "now_verdict", "format": "ofd" | "pdf", "status_list": "current" | "absent" | <reason code>,
    "companion_list": the same, of a PDF, "container": check, "signatures": [{"verdict", "now_verdict", "seal_id", "seal_name", "signer", "signed_at",
    "proved_at", "notes": [{"zh", "en", "detail"}], "stamps", "coverage", "checks": [check], "now_checks": [check]}]}``
    with check ``{"name", "result", "reason", "detail", "detail_en", "clause"}``. Without a current status list the
    state of a seal is unknown, and the verdict INDETERMINATE at best; so is that of a PDF without a current list of
    PDF certificates, or by one that the list does not name for its seal: nothing else ties the two.
    Raises TRUST_FILES_UNREADABLE, SEAL_CRYPTOGRAPHY_UNSOUND, PEER_UNAVAILABLE.
    """
    suites, bundle = load_suites(), read_trust_files(trust_dir)
    lookup, said = _lookup(suites, bundle, now)
    evidence = evidence_of(suites, bundle, now, lookup)
    is_pdf = document.startswith(b"%PDF-")
    companions = ""
    if is_pdf:
        report, companions = _of_pdf(document, bundle, evidence)
    else:
        report = verify_document(document, evidence)
    found = {
        "verdict": report.verdict.value,
        "now_verdict": report.now_verdict.value,
        "format": "pdf" if is_pdf else "ofd",
        "status_list": said,
        "container": _check(report.container),
        "signatures": [_signature(each) for each in report.signatures],
    }
    return found | {"companion_list": companions} if is_pdf else found


def write_trust_bundle(
    directory: Path,
    *,
    anchors: Sequence[bytes],
    certificates: Sequence[bytes],
    crls: Sequence[bytes],
    status_list: bytes,
    own_makers: Sequence[str],
    timestamp_anchors: Sequence[bytes] = (),
    companion_list: bytes = b"",
) -> None:
    """Write what GetTrustBundle answered as the directory that `verify_offline` reads."""
    directory.mkdir(parents=True, exist_ok=True)
    bundle = TrustBundle(
        tuple(anchors),
        tuple(certificates),
        tuple(crls),
        status_list,
        tuple(own_makers),
        tuple(timestamp_anchors),
        companion_list,
    )
    write_trust_files(directory, bundle)


def _lookup(suites: Suites, bundle: TrustBundle, now: datetime) -> tuple[SealStatusLookup | None, str]:
    if not bundle.status_list:
        return None, "absent"
    evidence: Evidence = evidence_of(suites, bundle, now, None)
    try:
        return verify_status_list(bundle.status_list, evidence).state_at, "current"
    except Fault as fault:
        return None, fault.code


def _of_pdf(document: bytes, bundle: TrustBundle, evidence: Evidence) -> tuple[DocumentReport, str]:
    """Return the report, and how the list of PDF certificates came out; where it was refused, the checks say so."""
    from services.seal.pdf import verify_pdf  # noqa: PLC0415 - an OFD does without
    from services.seal.pdf.causes import COMPANION_UNKNOWN  # noqa: PLC0415

    companions, said = _companions(bundle, evidence)
    report = verify_pdf(document, evidence, companions)
    if said not in {"current", "absent"}:
        judged = tuple(_explained(each, COMPANION_UNKNOWN.code, said) for each in report.signatures)
        report = replace(report, signatures=judged)
    return report, said


def _companions(bundle: TrustBundle, evidence: Evidence) -> tuple[CompanionLookup | None, str]:
    if not bundle.companion_list:
        return None, "absent"
    try:
        return verify_companion_list(bundle.companion_list, evidence).companions.get, "current"
    except Fault as fault:
        return None, fault.code


def _explained(report: SignatureReport, reason: str, detail: str) -> SignatureReport:
    """Return the report with a detail wherever a check gives the reason."""
    checks = (replace(each, detail=detail) if each.reason == reason else each for each in report.checks)
    return replace(report, checks=tuple(checks))


def _signature(report: SignatureReport) -> dict[str, Any]:
    return {
        "verdict": report.verdict.value,
        "now_verdict": report.now_verdict.value,
        "seal_id": report.seal_id,
        "seal_name": report.seal_name,
        "signer": report.signer,
        "signed_at": report.stated_at,
        "proved_at": report.proved_at,
        "notes": [asdict(each) for each in report.notes],
        "stamps": [asdict(each) for each in report.stamps],
        "coverage": asdict(report.coverage) if report.coverage else None,
        "checks": [_check(each) for each in report.checks],
        "now_checks": [_check(each) for each in report.now_checks],
    }


def _check(check: Check) -> dict[str, str]:
    detail = f"：{check.detail}" if check.detail else ""
    return {
        "name": check.name.value,
        "result": check.result.value,
        "reason": check.reason,
        "detail": check.zh + detail,
        "detail_en": check.en + (f": {check.detail}" if check.detail else ""),
        "clause": check.clause,
    }
