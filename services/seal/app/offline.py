"""Verifying without a network or a service: a document, and a directory of trust files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.errors import Fault
from services.seal.domain.status_list import verify_status_list
from services.seal.domain.suite import Suites
from services.seal.domain.verification import (
    Check,
    Evidence,
    SealStatusLookup,
    SignatureReport,
    verify_document,
)
from services.seal.providers import load_suites
from services.seal.trust_files import read_trust_files, write_trust_files
from services.seal.usecases.ports import TrustBundle
from services.seal.usecases.verify import evidence_of


def verify_offline(document: bytes, trust_dir: Path, now: datetime) -> dict[str, Any]:
    """Return the verdict and every check of every signature as plain values.

    ``{"verdict", "status_list": "current" | "absent" | <reason code>, "container": check,
    "signatures": [{"verdict", "seal_id", "seal_name", "signer", "signed_at", "notes", "checks": [check]}]}``
    with check ``{"name", "result", "reason", "detail", "detail_en", "clause"}``. Without a current status list the
    state of a seal is unknown, and the verdict INDETERMINATE at best.
    Raises TRUST_FILES_UNREADABLE, SEAL_CRYPTOGRAPHY_UNSOUND.
    """
    suites, bundle = load_suites(), read_trust_files(trust_dir)
    lookup, said = _lookup(suites, bundle, now)
    report = verify_document(document, evidence_of(suites, bundle, now, lookup))
    return {
        "verdict": report.verdict.value,
        "status_list": said,
        "container": _check(report.container),
        "signatures": [_signature(each) for each in report.signatures],
    }


def write_trust_bundle(
    directory: Path,
    *,
    anchors: Sequence[bytes],
    certificates: Sequence[bytes],
    crls: Sequence[bytes],
    status_list: bytes,
    own_makers: Sequence[str],
    timestamp_anchors: Sequence[bytes] = (),
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


def _signature(report: SignatureReport) -> dict[str, Any]:
    return {
        "verdict": report.verdict.value,
        "seal_id": report.seal_id,
        "seal_name": report.seal_name,
        "signer": report.signer,
        "signed_at": report.stated_at,
        "notes": list(report.notes),
        "checks": [_check(each) for each in report.checks],
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
