"""Store a prepared chunk: one transaction with a fixed number of statements, one answer for each row.

1. Imports into the same register (type and issuer) wait for each other.
2. Rows answered before get their stored answer.
3. All versions of what the others are about are locked, in the order of their ids; what is registered under
   their identifiers and numbers is looked up.
4. New licences are inserted, changed ones replaced, cancelled ones cancelled, conflicts put on record; a
   row that repeats an identifier or number of its own chunk goes through 3 and 4 again.
5. Older versions of the same lineage are marked as replaced.
6. Answers, events, leaves of the log and the freshness of the source are stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from chassis.clock import CHINA_TIME
from chassis.errors import Kind, declare
from events.certs import LicenceStatusChanged
from services.certs.domain.importing import Outcome, RowAnswer
from services.certs.domain.importing.codes import register_name
from services.certs.domain.importing.source import arrivals
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.import_ports import PreparedRow
from services.certs.usecases.importing.preparing import Importer
from services.certs.usecases.importing.settling import Settling
from services.certs.usecases.ports import NewId, Registry

FieldsOf = Mapping[int, Mapping[str, str]]
"""The fields of rows as received, by row number; asked only for what goes into a conflict."""

ROW_NUMBER_REUSED = declare(
    "ROW_NUMBER_REUSED",
    Kind.INVALID_ARGUMENT,
    "同一批次的该行号已用于不同内容",
    "The row number was used in this batch with other content",
)
_ARRIVED = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.UNCHANGED, Outcome.CANCELLED})


async def import_rows(
    registry: Registry,
    importer: Importer,
    batch_id: str,
    rows: Sequence[PreparedRow],
    fields: FieldsOf,
    new_id: NewId,
    now: datetime,
) -> list[RowAnswer]:
    """Store one chunk in the registry's transaction and return one answer per row, in order."""
    registers = {register_name(row.stored.type_code, row.stored.issuer_code) for row in rows if row.stored}
    await registry.imports.hold([f"batch|{importer.caller}|{batch_id}", *registers])
    answers, unanswered = await _answered(registry, importer, batch_id, rows)
    settling = Settling(registry, importer, batch_id, fields, new_id, now)
    pending = [row for row in unanswered if not row.problems]
    await settling.lock(pending)
    fresh = [
        (row, RowAnswer(row.row_number, Outcome.REFUSED, problems=row.problems))
        for row in unanswered
        if row.problems
    ]
    while pending:
        wave, later = _one_of_each(pending)
        settled, lost = await settling.settle(wave)
        fresh += settled
        pending = [*lost, *later]
    await _replace_older(registry, settling.touched, now)
    await registry.imports.remember(
        importer.caller, batch_id, [(row.answer_key, answer) for row, answer in fresh]
    )
    await _note_arrivals(registry, importer, fresh, now)
    answers |= {answer.row_number: answer for _, answer in fresh}
    return [answers[row.row_number] for row in rows]


async def _answered(
    registry: Registry, importer: Importer, batch_id: str, rows: Sequence[PreparedRow]
) -> tuple[dict[int, RowAnswer], list[PreparedRow]]:
    numbers = [row.row_number for row in rows]
    stored = await registry.imports.answered(importer.caller, batch_id, numbers)
    answers: dict[int, RowAnswer] = {}
    for row in rows:
        if row.row_number in stored:
            earlier_key, answer = stored[row.row_number]
            reused = RowAnswer(
                row.row_number, Outcome.REFUSED, problems=(ROW_NUMBER_REUSED.at("row_number"),)
            )
            answers[row.row_number] = answer if earlier_key == row.answer_key else reused
    return answers, [row for row in rows if row.row_number not in stored]


def _one_of_each(pending: Sequence[PreparedRow]) -> tuple[list[PreparedRow], list[PreparedRow]]:
    """Return the rows that are the first of their identifier and of their number, and the others."""
    identifiers: set[bytes] = set()
    numbers: set[bytes] = set()
    first: list[PreparedRow] = []
    later: list[PreparedRow] = []
    for row in pending:
        number = row.stored.number_key if row.stored else b""
        if row.identifier_key in identifiers or number in numbers:
            later.append(row)
        else:
            first.append(row)
        identifiers.add(row.identifier_key)
        if number:
            numbers.add(number)
    return first, later


async def _replace_older(registry: Registry, touched: Sequence[str], now: datetime) -> None:
    if not touched:
        return
    for each in await registry.imports.replace_older_versions(touched):
        event = LicenceStatusChanged(
            licence_id=each.licence_id,
            identifier=each.identifier,
            previous=each.previous,
            status=LicenceStatus.REPLACED,
            effective_at=now,
            changed_at=now,
        )
        registry.publish(event, each.version)


async def _note_arrivals(
    registry: Registry,
    importer: Importer,
    settled: Sequence[tuple[PreparedRow, RowAnswer]],
    now: datetime,
) -> None:
    today = now.astimezone(CHINA_TIME).date()
    acts = [
        (row.stored.type_code, row.stored.acted_on)
        for row, answer in settled
        if row.stored is not None and answer.outcome in _ARRIVED
    ]
    await registry.sources.note_arrivals(importer.source_id, arrivals(acts, today))
