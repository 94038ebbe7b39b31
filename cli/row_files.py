"""Registers as departments hand them over: CSV with a header line, or one JSON object per line.

The columns are the short names of GB/T 36903 (ZZMC, ZZLXDM, …, KZ_…), and for increments ``_operation``
(insert, update, cancel). UTF-8, with or without a mark,
and GB 18030 are read. A line that cannot be read is a broken row of its own, not the end of the file.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chassis.errors import Fault, Kind, Violation, declare, refuse
from cli.clients.department import OPERATION, OPERATIONS

FILE_UNREADABLE = declare(
    "FILE_UNREADABLE", Kind.INVALID_ARGUMENT, "文件无法读取:{detail}", "The file cannot be read: {detail}"
)
ROW_UNREADABLE = declare(
    "ROW_UNREADABLE", Kind.INVALID_ARGUMENT, "该行无法读取:{detail}", "The row cannot be read: {detail}"
)
REGISTER_KIND_UNKNOWN = declare(
    "REGISTER_KIND_UNKNOWN",
    Kind.INVALID_ARGUMENT,
    "只接受 .csv 与 .jsonl 文件",
    "Only .csv and .jsonl files are taken",
)
CSV_SUFFIX, JSON_SUFFIXES = ".csv", (".jsonl", ".ndjson")
ROW_LIMIT_BYTES = 1024 * 1024
"""No row of a register comes near; the registry takes 8 MiB in one message."""
_ENCODINGS = ("utf-8-sig", "gb18030")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the file from 1, and its fields, or why it could not be read."""

    number: int
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    unreadable: Fault | None = None
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Register:
    """A whole register; ``sha256`` is that of the file."""

    path: Path
    sha256: str
    rows: tuple[Row, ...]

    @property
    def batch_id(self) -> str:
        """The name under which the registry remembers the answers: the same file, the same answers."""
        return f"file-{self.sha256[:48]}"


def read_register(path: Path) -> Register:
    """Return a register. Raises FILE_UNREADABLE, REGISTER_KIND_UNKNOWN."""
    suffix = path.suffix.lower()
    if suffix != CSV_SUFFIX and suffix not in JSON_SUFFIXES:
        raise REGISTER_KIND_UNKNOWN()
    try:
        content = path.read_bytes()
    except OSError as problem:
        raise FILE_UNREADABLE(detail=problem.strerror or "OSError") from problem
    text = _decoded(content)
    rows = _csv_rows(text) if suffix == CSV_SUFFIX else _json_rows(text)
    return Register(path, hashlib.sha256(content).hexdigest(), tuple(rows))


def read_registers(paths: Sequence[Path]) -> list[Register]:
    """Return several registers. Raises the fault of a single file, INVALID_REQUEST naming every wrong one."""
    read: list[Register] = []
    wrong: list[Violation] = []
    for path in paths:
        try:
            read.append(read_register(path))
        except Fault as fault:
            if len(paths) == 1:
                raise
            wrong.append(fault.reason.at(path.name, **fault.metadata))
    refuse(wrong)
    return read


def write_csv(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows with every column that any of them has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as one JSON object per line."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _decoded(content: bytes) -> str:
    for encoding in _ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FILE_UNREADABLE(detail="neither UTF-8 nor GB 18030")


class _Lines:
    """The lines of a file, which may be read again from an earlier one."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text, newline="").readlines()
        self.at = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.at >= len(self._lines):
            raise StopIteration
        self.at += 1
        return self._lines[self.at - 1]


def _csv_rows(text: str) -> Iterator[Row]:
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    header = _csv_header(reader)
    number = 0
    while True:
        begun = lines.at
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            row = Row(number + 1, unreadable=ROW_UNREADABLE(detail=str(problem)))
        else:
            if not any(cells):
                continue
            row = _csv_row(number + 1, header, cells)
        if row.unreadable is not None:
            lines.at = begun + 1  # a quote that was never closed took good lines with it
        number += 1
        yield row


def _csv_header(reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as problem:
        raise FILE_UNREADABLE(detail=str(problem)) from problem
    if not any(header):
        raise FILE_UNREADABLE(detail="no header line")
    if len(set(header)) < len(header):
        raise FILE_UNREADABLE(detail="a column comes twice")
    return header


def _csv_row(number: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        detail = f"{len(cells)} cells, {len(header)} columns"
        return Row(number, unreadable=ROW_UNREADABLE(detail=detail))
    return _row(number, {name: value for name, value in zip(header, cells, strict=True) if value})


def _json_rows(text: str) -> Iterator[Row]:
    lines = (line for line in text.split("\n") if line.strip())
    for number, line in enumerate(lines, start=1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as problem:
            yield Row(number, unreadable=ROW_UNREADABLE(detail=str(problem)))
            continue
        if not isinstance(found, dict) or any(isinstance(each, dict | list) for each in found.values()):
            yield Row(number, unreadable=ROW_UNREADABLE(detail="not one flat object"))
            continue
        yield _row(number, {str(name): str(value) for name, value in found.items() if value is not None})


def _row(number: int, fields: dict[str, str]) -> Row:
    """Return a row that can be sent: Unicode text, not so large that it would break its message, a known operation."""
    if fields.get(OPERATION, "insert") not in OPERATIONS:
        return Row(
            number, unreadable=ROW_UNREADABLE(detail=f"{OPERATION} is none of {', '.join(OPERATIONS)}")
        )
    try:
        size_bytes = sum(len(name.encode()) + len(value.encode()) for name, value in fields.items())
    except UnicodeEncodeError:
        return Row(number, unreadable=ROW_UNREADABLE(detail="half of a surrogate pair"))
    if size_bytes > ROW_LIMIT_BYTES:
        return Row(number, unreadable=ROW_UNREADABLE(detail=f"more than {ROW_LIMIT_BYTES} bytes"))
    return Row(number, fields, size_bytes=size_bytes)
