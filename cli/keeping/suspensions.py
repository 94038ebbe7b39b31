"""The list of callers that are shut out: one operator at a time, the file replaced in one step."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from chassis.errors import Kind, declare
from chassis.rpc.suspended import is_subject
from chassis.settings import SUSPENDED_CALLERS_FILE
from cli.keeping.key_files import changing
from cli.local.layout import Layout
from cli.local.state import read_state
from cli.places import catalogue_dir

CALLER_MALFORMED = declare(
    "CALLER_MALFORMED",
    Kind.INVALID_ARGUMENT,
    "调用方应写作 department/统一社会信用代码 或 certificate/证书的 SHA-256",
    "A caller is written department/CODE or certificate/SHA-256 of the certificate",
)
CALLER_NOT_SUSPENDED = declare(
    "CALLER_NOT_SUSPENDED", Kind.NOT_FOUND, "该调用方未被暂停", "This caller is not suspended"
)


def list_of(layout: Layout) -> Path:
    """Return the list: as the environment says, else the local stack's, else the one beside the catalogue."""
    given = os.environ.get("TONGBAN_SUSPENDED_CALLERS")
    if given:
        return Path(given)
    stack = read_state(layout.state_file) is not None
    return layout.suspended_callers if stack else catalogue_dir() / SUSPENDED_CALLERS_FILE


def lines_of(path: Path) -> list[str]:
    """Return the lines of a list that name a caller; none where there is no list."""
    if not path.is_file():
        return []
    return [each for each in path.read_text("utf-8").splitlines() if _subject(each)]


def suspend(path: Path, caller: str, now: datetime) -> None:
    """Have a caller on the list; every server refuses it from its next call on. Raises CALLER_MALFORMED."""
    if not is_subject(caller):
        raise CALLER_MALFORMED()
    with changing(path):
        kept = [each for each in lines_of(path) if _subject(each) != caller]
        _write(path, [*kept, f"{caller} since {now.isoformat(timespec='seconds')}"])


def restore(path: Path, caller: str) -> None:
    """Have a caller off the list. Raises CALLER_NOT_SUSPENDED."""
    with changing(path):
        found = lines_of(path)
        kept = [each for each in found if _subject(each) != caller]
        if len(kept) == len(found):
            raise CALLER_NOT_SUSPENDED()
        _write(path, kept)


def _subject(line: str) -> str:
    words = line.split()
    return words[0] if words and not words[0].startswith("#") else ""


def _write(path: Path, lines: list[str]) -> None:
    """Replace the list; it is no secret, and services of other users read it."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w", encoding="utf-8") as file:
        file.writelines(f"{each}\n" for each in lines)
        file.flush()
        os.fsync(file.fileno())
    fresh.chmod(0o644)
    fresh.replace(path)
