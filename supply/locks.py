"""The locks, and what the installed packages say about themselves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNTIME, DEVELOPMENT = ROOT / "requirements/runtime.lock", ROOT / "requirements/dev.lock"
NPM = ROOT / "proto/package-lock.json"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pinned:
    """One line of a lock."""

    name: str
    version: str
    hashes: tuple[str, ...]


def read_lock(path: Path) -> list[Pinned]:
    """Return the packages of a hashed requirements file, by name."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        match = _PINNED.match(line.strip())
        if match:
            found.append(Pinned(match[1].lower().replace("_", "-"), match[2], tuple(_HASH.findall(line))))
    return sorted(found, key=lambda each: each.name)


def read_npm_lock(path: Path = NPM) -> Iterator[tuple[str, str, str]]:
    """Yield (name, version, integrity) of an npm lock."""
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    for place, each in sorted(packages.items()):
        if place:
            yield place.rpartition("node_modules/")[2], each["version"], each.get("integrity", "")


def licence_of(name: str) -> str:
    """Return what an installed package says of its licence; empty when it says nothing or is not installed."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return ""
    classified = [each for each in found.get_all("Classifier") or () if each.count(" :: ") > 1]
    told = [each for field in ("License-Expression", "License") for each in found.get_all(field) or ()]
    licences = [each.rpartition(" :: ")[2] for each in classified if each.startswith("License ::")]
    expression = found.get_all("License-Expression") or licences or told
    return "; ".join(str(each).strip().splitlines()[0] for each in expression if str(each).strip())
