"""A whole log in one file, for an auditor who has no access: JSON Lines, nothing of it personal.

The first line says what the file is, then come the checkpoints, so that none is newer than the leaves, then the
leaves in order, each with the hash that the tree holds at its place, and last how many there were: a file that
broke off is no log. The file proves nothing by itself: it is verified with the log's key, which comes from
elsewhere.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from chassis.errors import Kind, declare
from chassis.tlog.audit import Log
from chassis.tlog.packed import Hashes
from chassis.tlog.tree import HASH_BYTES, leaf_hash

FORM = "tongban-log/1"
EXPORT_UNREADABLE = declare(
    "EXPORT_UNREADABLE",
    Kind.FAILED_PRECONDITION,
    "无法读取日志导出文件 {path}（{cause}）",
    "Cannot read the exported log {path} ({cause})",
)
EXPORT_UNWRITABLE = declare(
    "EXPORT_UNWRITABLE",
    Kind.FAILED_PRECONDITION,
    "无法写入日志导出文件 {path}（{cause}）",
    "Cannot write the exported log {path} ({cause})",
)
Place = tuple[int, bytes, bytes]
"""Index, leaf (empty where it is missing) and hash in the tree."""


async def write_export(
    path: Path, notes: Sequence[str], places: AsyncIterator[Place], now: datetime
) -> tuple[int, int]:
    """Have the log in a file, whole or not at all; return how many leaves and checkpoints. Raises EXPORT_UNWRITABLE."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("x", encoding="utf-8") as file:
            leaves = 0
            file.write(_line({"form": FORM, "exported_at": now.isoformat()}))
            file.writelines(_line({"checkpoint": each}) for each in notes)
            async for index, leaf, hashed in places:
                text = {"leaf": leaf.decode()} if leaf else {}
                file.write(_line({"index": index, **text, "hash": hashed.hex()}))
                leaves += 1
            file.write(_line({"leaves": leaves, "checkpoints": len(notes)}))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except (OSError, UnicodeDecodeError) as problem:
        raise EXPORT_UNWRITABLE(path=path.name, cause=type(problem).__name__) from problem
    finally:
        fresh.unlink(missing_ok=True)
    return leaves, len(notes)


def read_export(path: Path, anchors: Sequence[str] = ()) -> Log:
    """Return the log of a file as it was written there; nothing of it is believed yet. Raises EXPORT_UNREADABLE."""
    notes: list[str] = []
    leaves, indices, hashes = Hashes(), array("q"), Hashes()
    try:
        with path.open(encoding="utf-8") as file:
            for line in _lines(file):
                if "checkpoint" in line:
                    notes.append(str(line["checkpoint"]))
                    continue
                hashes.append(_hash(line["hash"]))
                if "leaf" in line:
                    indices.append(int(line["index"]))
                    leaves.append(leaf_hash(str(line["leaf"]).encode()))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as problem:
        cause = str(problem) if type(problem) is ValueError else type(problem).__name__
        raise EXPORT_UNREADABLE(path=path.name, cause=cause) from None
    return Log(leaves, indices, hashes, notes, tuple(anchors))


def keep_verdict(path: Path, size: int, findings: int, now: datetime) -> None:
    """Leave when a log was verified and how many things were wrong, for the alarms. Raises EXPORT_UNWRITABLE."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(_line({"finished_at": now.isoformat(), "size": size, "findings": findings}))
        fresh.replace(path)
    except OSError as problem:
        raise EXPORT_UNWRITABLE(path=path.name, cause=type(problem).__name__) from problem
    finally:
        fresh.unlink(missing_ok=True)


def _lines(file: Iterator[str]) -> Iterator[dict[str, Any]]:
    """Return the lines between head and end. Raises ValueError where one of them is missing."""
    head = json.loads(next(file, "{}"))
    if not isinstance(head, dict) or head.get("form") != FORM:
        message = f"not of the form {FORM}"
        raise ValueError(message)
    seen = [0, 0]
    for text in file:
        line = json.loads(text)
        if not isinstance(line, dict):
            raise TypeError
        if "leaves" in line:
            if [line["leaves"], line["checkpoints"]] != seen or next(file, None) is not None:
                break
            return
        seen["checkpoint" in line] += 1
        yield line
    message = f"broken off after {seen[0]} leaves"
    raise ValueError(message)


def _hash(text: object) -> bytes:
    found = bytes.fromhex(str(text))
    if len(found) not in {0, HASH_BYTES}:
        message = "a hash of another length"
        raise ValueError(message)
    return found


def _line(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
