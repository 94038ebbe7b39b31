"""Manifests by which a source and the registry are compared: day, count and hash of what a register has."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from chassis.errors import Kind, declare
from cli.row_files import FILE_UNREADABLE, Register

COLUMNS = ("source_id", "type_code", "day", "count", "hash")
DAYS_AT_ONCE = 366
LICENCES_AT_ONCE = 40_000
"""The registry compares at most 50,000 in one call; it may hold more of a day than the source says."""

MANIFEST_LINE_WRONG = declare(
    "MANIFEST_LINE_WRONG",
    Kind.INVALID_ARGUMENT,
    "对账清单第 {line} 行有误",
    "Line {line} of the manifest is wrong",
)


@dataclass(frozen=True, slots=True)
class Day:
    """What a source has of one day of issue."""

    day: date
    count: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a source has of one type, by day of issue in order; no source named: the sender's own."""

    source_id: str
    type_code: str
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days that are compared in one call; those between that the source does not name have nothing there."""

    first: date
    last: date
    days: tuple[Day, ...]


def read_manifests(path: Path) -> list[Manifest]:
    """Return the manifests of a CSV file. Raises FILE_UNREADABLE, MANIFEST_LINE_WRONG."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise FILE_UNREADABLE(detail=type(problem).__name__) from problem
    found: dict[tuple[str, str], list[Day]] = {}
    for line, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            day = Day(date.fromisoformat(row["day"]), int(row["count"]), bytes.fromhex(row["hash"]))
            key = (row.get("source_id") or "").strip(), row["type_code"].strip()
        except (KeyError, TypeError, ValueError, AttributeError) as problem:
            raise MANIFEST_LINE_WRONG(line=line) from problem
        found.setdefault(key, []).append(day)
    return [Manifest(*key, tuple(sorted(days, key=lambda each: each.day))) for key, days in found.items()]


def write_manifests(manifests: Sequence[Manifest]) -> str:
    """Return manifests as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in manifests:
        writer.writerows(
            (each.source_id, each.type_code, day.day, day.count, day.hash.hex()) for day in each.days
        )
    return text.getvalue()


def manifests_of(register: Register, source_id: str) -> tuple[list[Manifest], int]:
    """Return what a register has by type and day, and how many rows have no type or day to go by."""
    from services.certs.app.offline import day_totals, digest_of_row  # noqa: PLC0415 - loads the service

    by_type: dict[str, list[tuple[date, bytes]]] = {}
    left_out = 0
    for row in register.rows:
        try:
            type_code, day, digest = digest_of_row(row.fields)
        except ValueError:
            left_out += 1
            continue
        by_type.setdefault(type_code, []).append((day, digest))
    found = [
        Manifest(source_id, type_code, tuple(Day(*each) for each in day_totals(digests)))
        for type_code, digests in sorted(by_type.items())
    ]
    return found, left_out


def stretches(manifest: Manifest, first: date | None = None, last: date | None = None) -> Iterator[Stretch]:
    """Yield the days of a manifest, and those between, cut into calls that the registry takes."""
    known = [
        each for each in manifest.days if (not first or each.day >= first) and (not last or each.day <= last)
    ]
    begins = first or (known[0].day if known else None)
    ends = last or (known[-1].day if known else None)
    if begins is None or ends is None:
        return
    taken: list[Day] = []
    for each in known:
        full = sum(day.count for day in taken) + each.count > LICENCES_AT_ONCE
        while (each.day - begins).days >= DAYS_AT_ONCE:
            until = begins + timedelta(days=DAYS_AT_ONCE - 1)
            yield Stretch(begins, until, tuple(taken))
            taken, begins, full = [], until + timedelta(days=1), False
        if taken and full:
            until = each.day - timedelta(days=1)
            yield Stretch(begins, until, tuple(taken))
            taken, begins = [], each.day
        taken.append(each)
    while begins <= ends:
        until = min(ends, begins + timedelta(days=DAYS_AT_ONCE - 1))
        yield Stretch(begins, until, tuple(taken))
        taken, begins = [], until + timedelta(days=1)
