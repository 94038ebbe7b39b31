"""The deployment's own files: every variable, secret and certificate that the Compose file refers to."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509

from deploy.checking.finding import Finding
from deploy.checking.variables import read_variables
from deploy.making.holders import DIRECTORY, HOLDERS

COMPOSE_FILE = Path(__file__).resolve().parents[1] / "docker-compose.yml"
RENEW_BEFORE = timedelta(days=30)
ROOT_BEFORE = timedelta(days=365)
_REQUIRED = re.compile(r"\$\{(\w+):\?")
_VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")
_OTHERS = stat.S_IRWXO
TLS_TARGET = "/run/tls"
"""Where every container has its own certificates."""


def look(directory: Path, profiles: tuple[str, ...]) -> Iterator[Finding]:
    """Yield what is there and what is missing; ``deployment`` is not in order where init.py never ran."""
    made = (directory / ".env").is_file() and (directory / "secrets").is_dir()
    yield Finding(
        "deployment",
        made,
        str(directory),
        "请先运行 deploy/init.py --county 名称",
        "run deploy/init.py --county NAME first",
    )
    text = COMPOSE_FILE.read_text(encoding="utf-8")
    given = read_variables(directory)
    unset = sorted({name for name in _REQUIRED.findall(text) if not given.get(name)})
    yield Finding(
        "variables", not unset, ", ".join(unset) or "all set", "在 .env 中补全", "give them in .env"
    )
    compose = yaml.safe_load(text)
    parts = _parts(compose, profiles)
    used = {secret["source"] for part in parts for secret in part.get("secrets", ())}
    paths = [_path(each["file"], given) for name, each in compose["secrets"].items() if name in used]
    paths += sorted({path for part in parts for path in _handed_out(part, given)})
    if made and not unset:
        yield from _secrets(paths)
        yield from _certificates(path for path in paths if path.suffix == ".pem")


def _parts(compose: dict[str, Any], profiles: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the parts that will run; the operator's tools are always looked at."""
    chosen = {"tools", *profiles}
    parts = compose["services"].values()
    return [part for part in parts if not part.get("profiles") or chosen & {*part["profiles"]}]


def _handed_out(part: dict[str, Any], given: dict[str, str]) -> Iterator[Path]:
    """Yield the files of a part's certificates, whose directory is mounted whole."""
    for volume in part.get("volumes", ()):
        if isinstance(volume, dict) and volume["target"] == TLS_TARGET:
            folder = _path(volume["source"], given)
            yield from (folder / name for name in HOLDERS[folder.name])


def _path(text: str, given: dict[str, str]) -> Path:
    path = Path(_VARIABLE.sub(lambda match: given.get(match[1]) or (match[2] or ""), text))
    return path if path.is_absolute() else COMPOSE_FILE.parent / path


def _secrets(paths: list[Path]) -> Iterator[Finding]:
    missing = [_shown(path) for path in paths if not _filled(path)]
    yield Finding(
        "secrets",
        not missing,
        ", ".join(missing) or f"{len(paths)} files",
        "从安全备份恢复，或重建部署",
        "bring them back from their safe copy",
    )
    public = {"authority.pem"}
    there = [path for path in paths if path.is_file()]
    open_ones = [_shown(path) for path in there if path.stat().st_mode & _OTHERS and path.name not in public]
    yield Finding(
        "secrets closed",
        not open_ones,
        ", ".join(open_ones) or "nobody else reads them",
        "请执行 chmod o= ",
        "take the rights of others away (chmod o=)",
    )
    owners = {path.stat().st_uid for path in there}
    yield Finding(
        "secrets owner",
        len(owners) <= 1,
        ", ".join(map(str, sorted(owners))),
        "属主应一致",
        "one owner for all",
    )


def _shown(path: Path) -> str:
    """Return a file's name, and whose it is where each holder has one of that name."""
    return f"{path.parent.name}/{path.name}" if path.parent.parent.name == DIRECTORY else path.name


def _filled(path: Path) -> bool:
    """Tell whether a file is there with something in it; root's eyes are not needed for that."""
    try:
        return path.stat().st_size > 0 and os.access(path.parent, os.X_OK)
    except OSError:
        return False


def _certificates(paths: Iterator[Path]) -> Iterator[Finding]:
    now, late = datetime.now(UTC), []
    for path in paths:
        try:
            leaf = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError):
            continue  # a key, or a missing file that was named above
        before = ROOT_BEFORE if path.name == "authority.pem" else RENEW_BEFORE
        if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - before:
            late.append(f"{_shown(path)} ends {leaf.not_valid_after_utc:%Y-%m-%d}")
    yield Finding(
        "certificates",
        not late,
        ", ".join(late) or "all current",
        "请运行 deploy/init.py --renew",
        "run deploy/init.py --renew",
    )
