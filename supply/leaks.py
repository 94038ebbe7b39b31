"""What must stand in no tracked file: ``python -m supply.leaks`` lists every find and exits with 1."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from supply.locks import ROOT

MAX_BYTES = 5 * 1024 * 1024
PATTERNS: dict[str, re.Pattern[str]] = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{40}"),
    "private JWK": re.compile(r'"d"\s*:\s*"[A-Za-z0-9_-]{40,}"'),
    "cloud access key": re.compile(r"\b(?:AKIA|ASIA|LTAI|AKID)[0-9A-Za-z]{16,}\b"),
    "source host token": re.compile(
        r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|glpat-[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,})"
    ),
    "index token": re.compile(r"\bpypi-[A-Za-z0-9_-]{50,}"),
    "bearer token": re.compile(r"\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    "password in an address": re.compile(
        r"[a-z][a-z0-9+]*://[^\s/:@'\"{}$<>]+:(?!\*|x+@|\.\.\.)[^\s/@'\"{}$<>]{3,}@(?!\{)"
    ),
    "package index": re.compile(
        r"https?://(?:[\w.-]*\.)?(?:pypi\.org/simple|pythonhosted\.org|registry\.npmjs\.org|repo1?\.maven\.org|"
        r"repo\.maven\.apache\.org|proxy\.golang\.org|mirrors?\.[\w.-]+|[\w.-]*artifactory[\w.-]*|[\w.-]*nexus[\w.-]*)"
    ),
    "machine path": re.compile(r"(?<![\w.$}/-])/(?:work|root|home/[a-z]\w+|Users/\w+)/[\w.-]+"),
}
ALLOWED: dict[tuple[str, str], str] = {
    ("deploy/Dockerfile", "machine path"): "paths inside the image",
    ("docs/promises.json", "password in an address"): "the name of a test with that invented URL",
    ("docs/promises.md", "password in an address"): "the name of a test with that invented URL",
    ("tests/containers/test_stand_ins.py", "password in an address"): "invented",
    ("tests/security/test_egress.py", "password in an address"): "an invented URL that must be refused",
    ("tests/unit/chassis/test_redaction.py", "password in an address"): "an invented DSN that must be masked",
    ("tests/unit/chassis/test_settings.py", "password in an address"): "an invented DSN",
}
"""(file, kind) that may stand, with the reason."""


def tracked() -> list[Path]:
    """Return every file that is tracked, or would be with the next commit."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603
    return [ROOT / each.decode() for each in listed.stdout.split(b"\0") if each]


def finds(text: str) -> Iterator[tuple[str, int]]:
    """Yield (kind, line) of everything in a text that must not stand there."""
    for kind, pattern in PATTERNS.items():
        for found in pattern.finditer(text):
            yield kind, text.count("\n", 0, found.start()) + 1


def leaks() -> list[str]:
    """Return "file:line: kind" of each find; what was found is not repeated."""
    found = []
    for path in tracked():
        if not path.is_file() or path.is_symlink() or path.stat().st_size > MAX_BYTES:
            continue
        name = path.relative_to(ROOT).as_posix()
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{name}:{line}: {kind}" for kind, line in finds(text) if (name, kind) not in ALLOWED]
    return found


if __name__ == "__main__":
    lines = leaks()
    sys.stdout.write(("\n".join(lines) or "nothing that must not leak") + "\n")
    sys.exit(1 if lines else 0)
