"""What every verification answers: a verdict, and for each signature which checks held."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VALID, INVALID, INDETERMINATE, UNSIGNED = "VALID", "INVALID", "INDETERMINATE", "UNSIGNED"
_WORST_FIRST = (INVALID, UNSIGNED, INDETERMINATE, VALID)
_TOLD = ("seal_id", "signer", "signed_at", "proved_at", "notes", "stamps", "coverage")
_OF_RESULT = {"valid": VALID, "not_applicable": VALID, "invalid": INVALID}


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``result`` is valid, invalid, indeterminate or not_applicable."""

    name: str
    result: str
    detail: str = ""
    reason: str = ""
    clause: str = ""

    def data(self) -> dict[str, str]:
        """Return it as plain values."""
        return {
            "name": self.name,
            "result": self.result,
            "detail": self.detail,
            "reason": self.reason,
            "clause": self.clause,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """One signature: of what, by whom, and its checks.

    Of a seal in a document also `now_checks`, with the `now_verdict` in which they count, and in `told` what else
    is known: signer, times, notes, stamps, coverage.
    """

    of: str
    by: str
    verdict: str
    checks: tuple[Check, ...]
    now_verdict: str = ""
    now_checks: tuple[Check, ...] = ()
    told: Mapping[str, Any] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Return it as plain values."""
        checks = [check.data() for check in self.checks]
        found = {"of": self.of, "by": self.by, "verdict": self.verdict, "checks": checks, **self.told}
        if self.now_verdict:
            now = [check.data() for check in self.now_checks]
            found |= {"now_verdict": self.now_verdict, "now_checks": now}
        return found


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer for one file; ``kind`` is document, receipt, archive or unknown."""

    kind: str
    verdict: str
    signatures: tuple[Judged, ...]

    def data(self) -> dict[str, Any]:
        """Return it as the JSON object that the command prints."""
        signatures = [each.data() for each in self.signatures]
        return {"verdict": self.verdict, "kind": self.kind, "signatures": signatures}


def judged(of: str, by: str, checks: Iterable[Check]) -> Judged:
    """Return a signature with the worst of its checks as its verdict."""
    found = tuple(checks)
    return Judged(of, by, worst(_OF_RESULT.get(check.result, INDETERMINATE) for check in found), found)


def refused(kind: str, of: str, reason: str, detail: str) -> Report:
    """Return INVALID for one cause that leaves nothing more to check."""
    return Report(kind, INVALID, (judged(of, "", [Check("container", "invalid", detail, reason)]),))


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst verdict; UNSIGNED when there is none."""
    found = set(verdicts)
    return next((each for each in _WORST_FIRST if each in found), UNSIGNED)


def of_document(of: str, found: Mapping[str, Any]) -> Report:
    """Return the report of a sealed document from what `services.seal.app.verify_offline`, or the service, answers."""
    signatures = tuple(_of_signature(of, each) for each in found.get("signatures", ()))
    if not signatures and found.get("container"):
        signatures = (Judged(of, "", str(found["verdict"]), (_of_check(found["container"]),)),)
    return Report("document", str(found["verdict"]), signatures)


def _of_signature(of: str, found: Mapping[str, Any]) -> Judged:
    checks = tuple(_of_check(each) for each in found.get("checks", ()))
    by = str(found.get("seal_name") or found.get("seal_id") or "")
    verdict = found.get("verdict") or judged(of, by, checks).verdict
    now = tuple(_of_check(each) for each in found.get("now_checks", ()))
    told = {name: found[name] for name in _TOLD if found.get(name)}
    return Judged(of, by, str(verdict), checks, str(found.get("now_verdict") or ""), now, told)


def _of_check(found: Mapping[str, Any]) -> Check:
    texts = [str(found.get(name) or "") for name in ("detail", "detail_en")]
    detail = " | ".join(dict.fromkeys(text for text in texts if text))
    reason, clause = (str(found.get(name) or "") for name in ("reason", "clause"))
    return Check(str(found["name"]), str(found["result"]), detail, reason, clause)
