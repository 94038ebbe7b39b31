"""Verifying the seals in a PDF: the same thirteen checks, verdicts and report as for OFD.

pyHanko says what the document holds and what later revisions changed (`reading`, in a process of its own); every
decision of cryptography and trust is made here, by our own suites, paths and strict DER.
"""

from __future__ import annotations

from collections.abc import Callable

from services.seal.domain.verification import CheckName, DocumentReport, Evidence, Result, Verdict
from services.seal.domain.verification.report import Findings, fold, worst
from services.seal.pdf import causes
from services.seal.pdf.apart import examine_apart
from services.seal.pdf.facts import PdfFacts
from services.seal.pdf.judging import TIMESTAMP_KIND, Companion, CompanionLookup, Judge
from services.seal.pdf.opening import ENCRYPTED, TOO_COMPLEX

__all__ = ["Companion", "CompanionLookup", "count_seals", "verify_pdf"]


def verify_pdf(
    document: bytes,
    evidence: Evidence,
    companions: CompanionLookup | None = None,
    examine: Callable[[bytes], PdfFacts] = examine_apart,
) -> DocumentReport:
    """Return what holds of every signature in the PDF; never raises for anything the document holds.

    Without signatures, or with document timestamps only, the answer is UNSIGNED, or INVALID where the ledger knows
    of signatures. `examine` reads the document, by default in a bounded process of its own.

    Raises:
        PEER_UNAVAILABLE: No process to read it in can be had.
    """
    facts = examine(document)
    container = _container(facts, evidence)
    check = container.checks()[0]
    if facts.problem:
        return DocumentReport(fold([check.result]), check)
    reports = tuple(
        Judge(document, facts, one, evidence, companions, container).report() for one in facts.signatures
    )
    seals = [each for each, one in zip(reports, facts.signatures, strict=True) if one.kind != TIMESTAMP_KIND]
    if not seals:
        verdict = Verdict.INVALID if check.result is Result.INVALID else Verdict.UNSIGNED
        return DocumentReport(verdict, check, reports)
    return DocumentReport(worst([each.verdict for each in reports]), check, reports)


def _container(facts: PdfFacts, evidence: Evidence) -> Findings:
    findings, name = Findings(clauses=causes.CLAUSES), CheckName.CONTAINER
    if facts.problem == ENCRYPTED:
        findings.unsettled(name, causes.ENCRYPTED)
    elif facts.problem == TOO_COMPLEX:
        findings.unsettled(name, causes.TOO_COMPLEX, facts.detail)
    elif facts.problem:
        findings.invalid(name, causes.PACKAGE, facts.detail)
    elif facts.removed:
        findings.invalid(name, causes.SIGNATURES_REMOVED, ", ".join(facts.removed))
    elif count_seals(facts) < (evidence.expected_signatures or 0):
        findings.invalid(name, causes.SIGNATURES_REMOVED)
    findings.passed(name)
    return findings


def count_seals(facts: PdfFacts) -> int:
    """Return how many signatures are no mere document timestamps."""
    return sum(each.kind != TIMESTAMP_KIND for each in facts.signatures)
