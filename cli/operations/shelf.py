"""A directory of backups: which there are, how old the newest is, in forms that an alert reads."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chassis.errors import Fault
from cli.operations.manifest import Manifest, parse_manifest, read_manifest_bytes
from cli.operations.signing import check_signature

UNFINISHED = ".unfinished-"
STATE = "state.json"
METRICS = "tongban_backup.prom"


@dataclass(frozen=True, slots=True)
class Shelved:
    """One backup of a directory; ``refusal`` names why it cannot be trusted, None if it can."""

    name: str
    cut_at: datetime | None
    rows: int
    size_bytes: int
    refusal: str | None


def read_shelf(shelf: Path, verifying_key: Path) -> list[Shelved]:
    """Return the backups of a directory, newest first; signatures are checked, parts are not read."""
    found = sorted(shelf.glob("tongban-*Z"), reverse=True) if shelf.is_dir() else []
    return [_shelved(path, verifying_key) for path in found if path.is_dir()]


def _shelved(path: Path, verifying_key: Path) -> Shelved:
    try:
        data, signature = read_manifest_bytes(path)
        check_signature(data, signature, verifying_key)
        manifest = parse_manifest(data)
    except Fault as fault:
        return Shelved(path.name, None, 0, 0, fault.code)
    return Shelved(path.name, manifest.cut_at, manifest.rows, manifest.size_bytes, None)


def keep_state(shelf: Path, manifest: Manifest, finished_at: datetime, seconds: float) -> None:
    """Leave the last success as JSON and as a file for Prometheus' textfile collector."""
    state = {
        "name": manifest.name,
        "cut_at": manifest.cut_at.isoformat(),
        "finished_at": finished_at.isoformat(),
        "seconds": round(seconds, 3),
        "bytes": manifest.size_bytes,
        "rows": manifest.rows,
    }
    _replace(shelf / STATE, json.dumps(state, indent=1) + "\n")
    _replace(
        shelf / METRICS,
        _gauge(
            "tongban_backup_last_success_timestamp_seconds",
            "Moment of the last backup's cut.",
            manifest.cut_at.timestamp(),
        )
        + _gauge("tongban_backup_duration_seconds", "How long the last backup took.", seconds)
        + _gauge("tongban_backup_size_bytes", "Size of the last backup.", manifest.size_bytes),
    )


def clear_unfinished(shelf: Path) -> None:
    """Remove what killed backups left; nothing of it is a backup."""
    for path in shelf.glob(f"{UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)


def _gauge(name: str, said: str, value: float) -> str:
    return f"# HELP {name} {said}\n# TYPE {name} gauge\n{name} {value}\n"


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
