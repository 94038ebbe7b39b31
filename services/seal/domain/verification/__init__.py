"""Verifying a sealed OFD document check by check (GB/T 38540-2020 clauses 6.3 and 7.3)."""

from __future__ import annotations

from datetime import datetime

from services.seal.domain.ofd import (
    DocumentView,
    Package,
    PackageError,
    SignatureEntry,
    SignatureFile,
    XmlError,
    read_package,
    read_signature_files,
    view_document,
)
from services.seal.domain.structures import StructureError, VersionMismatch, read_seal
from services.seal.domain.verification import causes
from services.seal.domain.verification.causes import Cause
from services.seal.domain.verification.evidence import Evidence, SealState, SealStatusLookup
from services.seal.domain.verification.package_steps import check_coverage, check_references, check_stamps
from services.seal.domain.verification.present import Standing, judge_now
from services.seal.domain.verification.protection import (
    Coverage,
    CoveredItem,
    StampPlace,
    cover,
    places_of,
)
from services.seal.domain.verification.report import (
    SEAL_CHECKS,
    Check,
    CheckName,
    DocumentReport,
    Findings,
    Note,
    Result,
    SealReport,
    SignatureReport,
    Verdict,
    fold,
    worst,
)
from services.seal.domain.verification.signature_steps import (
    certificate_of,
    check_binding,
    check_seal,
    check_signature,
    note_oddities,
    read_value,
)
from services.seal.domain.verification.trust_steps import Parties, check_maker, check_trust

__all__ = [
    "Check",
    "CheckName",
    "Coverage",
    "CoveredItem",
    "DocumentReport",
    "Evidence",
    "Note",
    "Result",
    "SealReport",
    "SealState",
    "SealStatusLookup",
    "SignatureReport",
    "StampPlace",
    "Verdict",
    "verify_document",
    "verify_seal",
]


def verify_document(document: bytes, evidence: Evidence) -> DocumentReport:
    """Return what holds of every signature in the OFD package; never raises for anything the document holds.

    A document without signatures is UNSIGNED, or INVALID where the ledger knows of signatures.
    """
    try:
        package = read_package(document)
        view = view_document(package)
    except PackageError as error:
        return _unopened(causes.PACKAGE, error)
    except XmlError as error:
        return _unopened(causes.XML, error)
    container = _container(view, evidence)
    if not view.signatures:
        return _without_signatures(container)
    files = read_signature_files(package, [entry.path for entry in view.signatures])
    reports = tuple(
        _signature(package, view, files, index, entry, container, evidence)
        for index, entry in enumerate(view.signatures)
    )
    return DocumentReport(worst([report.verdict for report in reports]), _container_check(container), reports)


def verify_seal(seal: bytes, at: datetime, evidence: Evidence) -> SealReport:
    """Return what holds of a seal by itself for a use at `at` (GB/T 38540-2020 clause 6.3)."""
    findings = Findings()
    try:
        parsed = read_seal(seal)
    except StructureError as error:
        cause = causes.VERSION if isinstance(error, VersionMismatch) else causes.FORMAT
        findings.invalid(CheckName.SEAL_SIGNATURE, cause, error)
        return SealReport(Verdict.INVALID, findings.checks(SEAL_CHECKS), ())
    maker = certificate_of(parsed.maker_certificate)
    check_seal(parsed, at, maker, evidence.suites, findings)
    check_maker(parsed, maker, at, evidence, findings)
    findings.passed(CheckName.REVOCATION)
    if parsed.timestamp is None:
        findings.not_applicable(CheckName.TIMESTAMP, causes.NO_TIMESTAMP)
    checks = findings.checks(SEAL_CHECKS)
    return SealReport(
        fold([check.result for check in checks]),
        checks,
        tuple(findings.notes),
        parsed.generation,
        parsed.seal_id,
        parsed.name,
    )


def _unopened(cause: Cause, error: Exception) -> DocumentReport:
    findings = Findings()
    findings.invalid(CheckName.CONTAINER, cause, error)
    return DocumentReport(Verdict.INVALID, _container_check(findings))


def _container(view: DocumentView, evidence: Evidence) -> Findings:
    """P2 and P3 as far as they concern the package as a whole."""
    findings = Findings()
    for problem in view.problems:
        findings.invalid(CheckName.CONTAINER, causes.XML, problem)
    if len(view.signatures) < (evidence.expected_signatures or 0):
        findings.invalid(CheckName.CONTAINER, causes.SIGNATURES_REMOVED)
    findings.passed(CheckName.CONTAINER)
    return findings


def _container_check(findings: Findings) -> Check:
    return findings.checks()[0]


def _without_signatures(container: Findings) -> DocumentReport:
    check = _container_check(container)
    return DocumentReport(Verdict.INVALID if check.result is Result.INVALID else Verdict.UNSIGNED, check)


def _signature(
    package: Package,
    view: DocumentView,
    files: list[SignatureFile | XmlError],
    index: int,
    entry: SignatureEntry,
    container: Findings,
    evidence: Evidence,
) -> SignatureReport:
    findings = Findings({CheckName.CONTAINER: list(container.found[CheckName.CONTAINER])})
    file = files[index]
    if isinstance(file, XmlError):
        findings.invalid(CheckName.CONTAINER, causes.XML, file)
        return _report(entry, findings)
    value = read_value(package, file, findings)
    suite = evidence.suites.by_signature(value.algorithm) if value else None
    unchanged = check_references(package, file, evidence.suites, suite, findings)
    is_own = value is not None and value.seal.maker_certificate in evidence.own_makers
    if is_own and view.bodies > 1:
        findings.invalid(CheckName.CONTAINER, causes.SECOND_BODY)
    sound = [other for other in files if isinstance(other, SignatureFile)]
    check_coverage(package, view, sound, sound.index(file), is_own, findings)
    shown = {"coverage": cover(package, view, sound, unchanged), "stamps": places_of(view, file)}
    if value is None:
        return _report(entry, findings, **shown)
    signer, maker = certificate_of(value.certificate), certificate_of(value.seal.maker_certificate)
    suite = check_signature(value, signer, file, evidence.suites, findings)
    check_binding(value, file, package, evidence.suites, findings)
    check_seal(value.seal, value.signed_at, maker, evidence.suites, findings)
    check_stamps(view, file, value.seal.picture, is_own, findings)
    note_oddities(value, file, findings)
    digest = suite.digest(value.signature) if suite else b""
    proved = check_trust(Parties(value, signer, maker, is_own, digest), evidence, findings)
    now = judge_now(Standing(value.seal.seal_id, value.seal, signer), evidence)
    return _report(
        entry, findings, is_own=is_own, generation=value.generation, seal_id=value.seal.seal_id,
        seal_name=value.seal.name, signer=signer.subject_text if signer else None, stated_at=value.signed_at,
        proved_at=proved, signature_digest=digest or None, now_checks=now, **shown,
    )  # fmt: skip


def _report(entry: SignatureEntry, findings: Findings, **described: object) -> SignatureReport:
    checks = findings.checks()
    return SignatureReport(
        signature_id=entry.signature_id,
        path=entry.path,
        verdict=fold([check.result for check in checks]),
        checks=checks,
        notes=tuple(findings.notes),
        **described,  # type: ignore[arg-type]
    )
