"""What a witness has seen, on disk before it signs; one process per directory."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
from pathlib import Path
from typing import TextIO

from chassis.errors import Fault, Kind, declare
from chassis.tlog.witness import Seen

WITNESS_BUSY = declare(
    "WITNESS_BUSY",
    Kind.FAILED_PRECONDITION,
    "该目录已有见证进程在运行",
    "Another witness works in this directory",
)
WITNESS_MEMORY_DAMAGED = declare(
    "WITNESS_MEMORY_DAMAGED",
    Kind.INTERNAL,
    "见证记录 {path} 已损坏；不得删除后继续",
    "The memory {path} is damaged; a witness that forgets it vouches for nothing",
)


class Memory:
    """The newest checkpoint signed for each log, and the evidence against logs that lied."""

    def __init__(self, directory: Path) -> None:
        """Take the directory, alone until the process ends. Raises WITNESS_BUSY, WITNESS_MEMORY_DAMAGED."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory, self._file = directory, directory / "seen.json"
        self._lock = _lock(directory / "lock")
        try:
            self.seen = self._read()
        except Fault:
            self.close()
            raise

    def keep(self, origin: str, seen: Seen) -> None:
        """Have a checkpoint on disk; only then may it be signed."""
        fresh = {**self.seen, origin: seen}
        content = {
            name: {"size": each.size, "root": base64.b64encode(each.root).decode(), "note": each.note}
            for name, each in fresh.items()
        }
        _write(self._file, json.dumps(content, ensure_ascii=False, indent=1))
        self.seen = fresh

    def accuse(self, notes: tuple[str, str]) -> Path:
        """Keep two notes that cannot both be true, once; return their file."""
        text = "\n".join(sorted(notes))
        path = self._directory / "evidence" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.txt"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not path.is_file():
            _write(path, text)
        return path

    def evidence(self) -> list[Path]:
        """Return the files with evidence."""
        return evidence_in(self._directory)

    def close(self) -> None:
        """Let another process have the directory."""
        self._lock.close()

    def _read(self) -> dict[str, Seen]:
        try:
            content = json.loads(self._file.read_text())
            return {
                name: Seen(each["size"], base64.b64decode(each["root"]), each["note"])
                for name, each in content.items()
            }
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise WITNESS_MEMORY_DAMAGED(path=str(self._file)) from None


def evidence_in(directory: Path) -> list[Path]:
    """Return the files with evidence in a witness's directory."""
    return sorted((directory / "evidence").glob("*.txt"))


def _lock(path: Path) -> TextIO:
    opened = path.open("a")
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        opened.close()
        raise WITNESS_BUSY() from None
    return opened


def _write(path: Path, content: str) -> None:
    """Have a file with this content on disk, in one step, also after a loss of power."""
    fresh = path.with_name(f".{path.name}")
    with fresh.open("w") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
