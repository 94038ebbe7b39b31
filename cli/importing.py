"""Import of one register: row by row answered, taken up again where it was interrupted.

Beside the register stand ``<file>.results.jsonl``, the answer to each row, and, until the import is
complete, ``<file>.progress``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cli.clients.department import Department, RowAnswer
from cli.row_files import Register, Row

MESSAGE_ROWS = 1_000
MESSAGE_BYTES = 4 * 1024 * 1024
"""Of names and values; what frames them stays below the 8 MiB of one message."""
REFUSED = "refused"


@dataclass(slots=True)
class Imported:
    """What became of a register."""

    file: str
    batch_id: str
    rows: int
    outcomes: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    """Row number and problems of each refused row."""
    resumed_after: int = 0

    def note(self, answer: RowAnswer) -> None:
        """Count one answer."""
        self.outcomes[answer.outcome] += 1
        self.flagged += bool(answer.quality_flags)
        if answer.outcome == REFUSED:
            self.refused.append({"row_number": answer.row_number, "problems": list(answer.problems)})


async def import_register(
    department: Department,
    register: Register,
    *,
    batch_id: str = "",
    source_id: str = "",
    resume: bool = True,
    advance: Callable[[int], None] = lambda _rows: None,
) -> Imported:
    """Have every row of a register answered; rows answered before an interruption are not sent again.

    Without ``resume`` all are sent, and the registry answers those it has answered as it did.

    Raises the refusal of the whole import, e.g. NOT_PERMITTED.
    """
    journal = Journal(register, batch_id or register.batch_id)
    if not resume:
        journal.close()
    done = Imported(register.path.name, journal.batch_id, len(register.rows))
    for answer in journal.answered():
        done.note(answer)
    done.resumed_after = sum(done.outcomes.values())
    advance(done.resumed_after)
    left = register.rows[done.resumed_after :]
    with journal.open() as write:
        async for answer in _answers(department, journal.batch_id, left, source_id):
            write(answer)
            done.note(answer)
            advance(1)
    journal.close()
    return done


class Journal:
    """The two files beside a register."""

    def __init__(self, register: Register, batch_id: str) -> None:
        self.batch_id = batch_id
        self.results = register.path.with_name(register.path.name + ".results.jsonl")
        self._progress = register.path.with_name(register.path.name + ".progress")
        self._mark = json.dumps({"batch_id": batch_id, "sha256": register.sha256})

    def answered(self) -> list[RowAnswer]:
        """Return the answers of an interrupted import of the same content; else begin anew."""
        if not self._progress.is_file() or self._progress.read_text() != self._mark:
            self.results.write_text("")
            self._progress.write_text(self._mark)
            return []
        lines = self.results.read_text().splitlines() if self.results.is_file() else []
        found = [answer for line in lines if (answer := _read(line)) is not None]
        self.results.write_text("".join(_line(answer) for answer in found))  # without a half-written end
        return found

    def open(self) -> _Writing:
        """Return a context that writes answers down as they come."""
        return _Writing(self.results)

    def close(self) -> None:
        """Note that the import is complete."""
        self._progress.unlink(missing_ok=True)


class _Writing:
    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Callable[[RowAnswer], None]:
        return lambda answer: (self._file.write(_line(answer)), None)[1]

    def __exit__(self, *_: object) -> None:
        self._file.close()


async def _answers(
    department: Department, batch_id: str, rows: Sequence[Row], source_id: str
) -> AsyncIterator[RowAnswer]:
    """Yield the answers in the order of the rows; an unreadable row is answered here."""
    readable = [row for row in rows if row.unreadable is None]
    broken = iter([row for row in rows if row.unreadable is not None])
    waiting = next(broken, None)

    async def messages() -> AsyncIterator[Sequence[tuple[int, Mapping[str, str]]]]:
        for parcel in _parcels(readable):
            yield [(row.number, row.fields) for row in parcel]

    if readable:
        named = {"source_id": source_id} if source_id else {}
        async for answer in department.import_rows(batch_id, messages(), **named):
            while waiting is not None and waiting.number < answer.row_number:
                yield _refusal(waiting)
                waiting = next(broken, None)
            yield answer
    while waiting is not None:
        yield _refusal(waiting)
        waiting = next(broken, None)


def _parcels(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Yield the rows cut into messages, by number and by size."""
    parcel: list[Row] = []
    size_bytes = 0
    for row in rows:
        if parcel and (len(parcel) == MESSAGE_ROWS or size_bytes + row.size_bytes > MESSAGE_BYTES):
            yield parcel
            parcel, size_bytes = [], 0
        parcel.append(row)
        size_bytes += row.size_bytes
    if parcel:
        yield parcel


def _refusal(row: Row) -> RowAnswer:
    fault = row.unreadable
    assert fault is not None
    problem = {"field": "*", "reason": fault.code, "zh": fault.zh, "en": fault.en}
    return RowAnswer(row.number, REFUSED, "", (), (problem,))


def _line(answer: RowAnswer) -> str:
    return json.dumps(asdict(answer), ensure_ascii=False) + "\n"


def _read(line: str) -> RowAnswer | None:
    try:
        found = json.loads(line)
        return RowAnswer(
            found["row_number"],
            found["outcome"],
            found["licence_id"],
            tuple(found["quality_flags"]),
            tuple(found["problems"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
