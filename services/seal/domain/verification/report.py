"""What a verification answers: thirteen checks per signature, and verdicts that never count a check not run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from services.seal.domain.verification.causes import CLAUSES, HOLDS, NOT_RUN, Cause
from services.seal.domain.verification.protection import Coverage, StampPlace

_MOST_NOTES, _LONGEST_DETAIL = (
    200,
    8_000,
)  # characters of a detail: what names files is in the hands of a forger


class CheckName(Enum):
    """The checks, in the order they are reported."""

    CONTAINER = "container"
    REFERENCES = "references"
    DIGESTS = "digests"
    SIGNATURE = "signature"
    CERTLIST = "certlist"
    SEAL_SIGNATURE = "seal_signature"
    SEAL_VALIDITY = "seal_validity"
    MAKER_CHAIN = "maker_chain"
    SIGNER_CHAIN = "signer_chain"
    REVOCATION = "revocation"
    TIMESTAMP = "timestamp"
    SEAL_STATUS = "seal_status"
    COVERAGE = "coverage"


class Result(Enum):
    """How a check came out."""

    VALID = "valid"
    INVALID = "invalid"
    INDETERMINATE = "indeterminate"
    NOT_APPLICABLE = "not_applicable"


class Verdict(Enum):
    """The whole answer; UNSIGNED is never valid."""

    VALID = "VALID"
    INVALID = "INVALID"
    INDETERMINATE = "INDETERMINATE"
    UNSIGNED = "UNSIGNED"


@dataclass(frozen=True, slots=True)
class Check:
    """One check with its result, the stable reason code, the clause, and a detail such as file names."""

    name: CheckName
    result: Result
    reason: str
    clause: str
    zh: str
    en: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth saying that changes no result."""

    zh: str
    en: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature judged; the descriptive fields are None where the signature could not be parsed.

    `verdict` is for the stated time of signing, by what is known now; `now_verdict` says besides whether seal and
    certificate could still be used now, by the `now_checks`. `signature_digest` is the suite's, as in our ledger.
    """

    signature_id: str
    path: str
    verdict: Verdict
    checks: tuple[Check, ...]
    notes: tuple[Note, ...]
    is_own: bool = False
    generation: int | None = None
    seal_id: str | None = None
    seal_name: str | None = None
    signer: str | None = None
    stated_at: datetime | None = None
    proved_at: datetime | None = None
    signature_digest: bytes | None = None
    now_checks: tuple[Check, ...] = ()
    coverage: Coverage | None = None
    stamps: tuple[StampPlace, ...] = ()

    @property
    def now_verdict(self) -> Verdict:
        """The verdict with the present state of seal and certificate counted in."""
        return worst([self.verdict, fold([check.result for check in self.now_checks])])

    def check(self, name: CheckName) -> Check:
        """Return the check of that name."""
        return next(check for check in self.checks if check.name is name)


SEAL_CHECKS = (
    CheckName.SEAL_SIGNATURE,
    CheckName.SEAL_VALIDITY,
    CheckName.MAKER_CHAIN,
    CheckName.REVOCATION,
    CheckName.TIMESTAMP,
    CheckName.SEAL_STATUS,
)


@dataclass(frozen=True, slots=True)
class SealReport:
    """A seal judged by itself; `generation` is None where it could not be parsed."""

    verdict: Verdict
    checks: tuple[Check, ...]
    notes: tuple[Note, ...]
    generation: int | None = None
    seal_id: str | None = None
    seal_name: str | None = None

    def check(self, name: CheckName) -> Check:
        """Return the check of that name."""
        return next(check for check in self.checks if check.name is name)


@dataclass(frozen=True, slots=True)
class DocumentReport:
    """The document takes the worst verdict of its signatures; `container` says whether it could be opened."""

    verdict: Verdict
    container: Check
    signatures: tuple[SignatureReport, ...] = ()

    @property
    def now_verdict(self) -> Verdict:
        """The document's verdict with the present state of seals and certificates counted in."""
        if self.verdict is Verdict.UNSIGNED:
            return self.verdict
        return worst([self.verdict, *(each.now_verdict for each in self.signatures)])


@dataclass
class Findings:
    """Collects what the steps of one signature found; a check that nobody passed counts as not run."""

    found: dict[CheckName, list[tuple[Result, Cause, str]]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    clauses: Mapping[str, str] = field(default_factory=lambda: CLAUSES)
    """What each check stands for, by its name."""

    def invalid(self, name: CheckName, cause: Cause, detail: object = "") -> None:
        """Say what was proved wrong."""
        self._add(name, Result.INVALID, cause, detail)

    def unsettled(self, name: CheckName, cause: Cause, detail: object = "") -> None:
        """Say why the check could not be finished, though nothing was proved wrong."""
        self._add(name, Result.INDETERMINATE, cause, detail)

    def passed(self, name: CheckName) -> None:
        """Say that the check ran to its end."""
        self._add(name, Result.VALID, HOLDS, "")

    def not_applicable(self, name: CheckName, cause: Cause) -> None:
        """Say that there is nothing to check."""
        self._add(name, Result.NOT_APPLICABLE, cause, "")

    def note(self, zh: str, en: str, detail: str = "") -> None:
        """Say something that changes no result; a document made to be noted on for ever is not."""
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(Note(zh, en, _shortened(detail)))

    def checks(self, names: Iterable[CheckName] = CheckName) -> tuple[Check, ...]:
        """Return all thirteen checks in order (or those named), each with the worst that was found."""
        return tuple(self._check(name) for name in names)

    def _add(self, name: CheckName, result: Result, cause: Cause, detail: object) -> None:
        self.found.setdefault(name, []).append((result, cause, _shortened(str(detail))))

    def _check(self, name: CheckName) -> Check:
        entries = self.found.get(name) or [(Result.INDETERMINATE, NOT_RUN, "")]
        for worst in (Result.INVALID, Result.INDETERMINATE, Result.VALID, Result.NOT_APPLICABLE):
            for result, cause, detail in entries:
                if result is worst:
                    clause = cause.clause or self.clauses.get(name.value, "")
                    return Check(name, result, cause.code, clause, cause.zh, cause.en, detail)
        raise AssertionError(name)


def _shortened(detail: str) -> str:
    return detail if len(detail) <= _LONGEST_DETAIL else f"{detail[:_LONGEST_DETAIL]}…"


def fold(results: list[Result]) -> Verdict:
    """Return the verdict: invalid before indeterminate before valid."""
    if Result.INVALID in results:
        return Verdict.INVALID
    return Verdict.INDETERMINATE if Result.INDETERMINATE in results else Verdict.VALID


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the document's verdict from those of its signatures."""
    for verdict in (Verdict.INVALID, Verdict.INDETERMINATE):
        if verdict in verdicts:
            return verdict
    return Verdict.VALID
