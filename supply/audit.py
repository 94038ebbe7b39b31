"""Known vulnerabilities of everything locked: ``python -m supply.audit``.

Exit status 0: every package was looked up and none has a known vulnerability. 1: one has. 3: the advisory
service could not be asked, or not about every package; that is no pass, and is said so. pip-audit itself
calls a run in which it could look up nothing a success.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from supply.locks import DEVELOPMENT, NPM, ROOT, RUNTIME, read_lock, read_npm_lock

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3
SECONDS = 300
ACCEPTED: dict[str, str] = {}
"""Ids of vulnerabilities that do not reach us, each with the reason and until when."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of one lock."""

    asked: int
    vulnerable: tuple[str, ...] = ()
    unknown: tuple[str, ...] = field(default=())

    @property
    def status(self) -> int:
        """CLEAN, VULNERABLE or UNKNOWN; a known vulnerability counts even where other answers are missing."""
        return VULNERABLE if self.vulnerable else UNKNOWN if self.unknown or not self.asked else CLEAN


def judge(report: str, locked: set[str]) -> Audit:
    """Return what pip-audit's JSON says of the packages of a lock; what it leaves out is unknown."""
    try:
        listed = {each["name"].lower().replace("_", "-"): each for each in json.loads(report)["dependencies"]}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Audit(len(locked), (), tuple(sorted(locked)))
    vulnerable = [
        f"{name} {each.get('version', '')}: {found['id']}"
        for name, each in sorted(listed.items())
        for found in each.get("vulns", ())
        if found["id"] not in ACCEPTED and not ACCEPTED.keys() & set(found.get("aliases", ()))
    ]
    unknown = sorted(name for name in locked if "vulns" not in listed.get(name, {}))
    return Audit(len(locked), tuple(vulnerable), tuple(unknown))


def audit(lock: Path) -> Audit:
    """Ask the advisory service about every package of a lock."""
    command = [
        sys.executable, "-m", "pip_audit", "-r", str(lock), "--disable-pip", "--require-hashes", "-f", "json",
        "--progress-spinner", "off", "--timeout", "15",
    ]  # fmt: skip
    locked = {each.name for each in read_lock(lock)}
    try:
        run = subprocess.run(  # noqa: S603 - our own command
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return Audit(len(locked), (), tuple(sorted(locked)))
    return judge(run.stdout, locked)


def judge_npm(report: str, locked: set[str]) -> Audit:
    """Return what ``npm audit --json`` says; an error of its service leaves everything unknown."""
    try:
        found = json.loads(report)["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        return Audit(len(locked), (), tuple(sorted(locked)))
    return Audit(
        len(locked), tuple(f"{name}: {each.get('severity', '')}" for name, each in sorted(found.items()))
    )


def audit_npm(lock: Path) -> Audit:
    """Ask npm's advisory service about its lock."""
    locked = {name for name, _, _ in read_npm_lock(lock)}
    try:
        run = subprocess.run(
            ["npm", "audit", "--package-lock-only", "--json"],  # noqa: S607 - whichever is installed
            cwd=lock.parent, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return Audit(len(locked), (), tuple(sorted(locked)))
    return judge_npm(run.stdout, locked)


def main() -> int:
    """Print what is known of each lock; return the worst status."""
    found = {lock: audit(lock) for lock in (RUNTIME, DEVELOPMENT)} | {NPM: audit_npm(NPM)}
    for lock, each in found.items():
        name = lock.relative_to(ROOT)
        if each.vulnerable:
            sys.stdout.write(f"{name}: VULNERABLE\n  " + "\n  ".join(each.vulnerable) + "\n")
        if each.unknown:
            sys.stdout.write(
                f"{name}: {len(each.unknown)} of {each.asked} packages could not be looked up: not audited\n"
            )
        if each.status == CLEAN:
            sys.stdout.write(f"{name}: {each.asked} packages, no known vulnerability" + "\n")
    statuses = {each.status for each in found.values()}
    return next(each for each in (VULNERABLE, UNKNOWN, CLEAN) if each in statuses)


if __name__ == "__main__":
    sys.exit(main())
