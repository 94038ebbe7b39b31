"""Import a chunk of rows: prepared aside, then one transaction with a fixed number of statements.

Preparing (rules, keys, encryption) needs no database and may run in a thread while the chunk before
is stored. Storing:
1. Rows answered before get their stored answer.
2. What is registered under the others' identifiers is locked, in one order for all imports.
3. New licences are inserted, changed ones replaced; a row whose identifier another import took
   meanwhile, or that repeats an identifier of its own chunk, goes through 2 and 3 again.
4. Older versions of the same lineage are marked as replaced.
5. Answers and events are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, declare, refuse
from events.certs import LicenceImported, LicenceStatusChanged
from services.certs.domain.importing import ImportRow, Judgement, Outcome, RowAnswer, changes_content, judge
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.ports import Held, NewId, Registry, RowVault, SealedRow

CHUNK_ROWS = 500
"""Rows of one transaction: large enough that statements are shared, small enough that locks are short."""
MESSAGE_ROWS = 5_000
BATCH_ID_LIMIT = 64

ROW_NUMBER_REUSED = declare(
    "ROW_NUMBER_REUSED",
    Kind.INVALID_ARGUMENT,
    "同一批次的该行号已用于不同内容",
    "The row number was used in this batch with other content",
)


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports: the caller that owns the batch, and the county it may import for (None: any)."""

    caller: str
    county_code: str | None


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """A row after its own rules; ``sealed`` is None for one that is refused."""

    judgement: Judgement
    content_key: bytes
    sealed: SealedRow | None

    @property
    def row_number(self) -> int:
        """The row's number in its batch."""
        return self.judgement.row_number

    @property
    def licence(self) -> Licence:
        """The licence of an accepted row."""
        assert self.judgement.licence is not None
        return self.judgement.licence


@dataclass(frozen=True, slots=True)
class _Write:
    row: PreparedRow
    licence: Licence

    @property
    def entry(self) -> tuple[Licence, SealedRow, bytes]:
        assert self.row.sealed is not None
        return self.licence, self.row.sealed, self.row.content_key


def check_message(batch_id: str, rows: Sequence[ImportRow]) -> None:
    """Refuse a message whose frame is wrong; what is wrong inside a row is that row's answer."""
    wrong = []
    if not batch_id:
        wrong.append(FIELD_REQUIRED.at("batch_id"))
    elif len(batch_id) > BATCH_ID_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("batch_id", limit=BATCH_ID_LIMIT))
    elif not batch_id.isprintable():
        wrong.append(FIELD_MALFORMED.at("batch_id"))
    if len(rows) > MESSAGE_ROWS:
        wrong.append(FIELD_TOO_LONG.at("rows", limit=MESSAGE_ROWS))
    numbers = [row.row_number for row in rows]
    if len(set(numbers)) != len(numbers) or any(number < 1 for number in numbers):
        wrong.append(FIELD_MALFORMED.at("rows.row_number"))
    refuse(wrong)


def chunks(rows: Sequence[ImportRow]) -> list[Sequence[ImportRow]]:
    """Return the rows cut into chunks of one transaction each."""
    return [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]


def prepare_rows(
    vault: RowVault, types: LicenceTypes, importer: Importer, rows: Sequence[ImportRow], now: datetime
) -> list[PreparedRow]:
    """Judge a chunk and encrypt what passes; needs no transaction and is safe in a thread."""
    prepared = []
    for row in rows:
        judgement = judge(row, types, importer.county_code, now)
        sealed = vault.seal_row(judgement.licence) if judgement.licence else None
        prepared.append(PreparedRow(judgement, vault.content_key(row.fields), sealed))
    return prepared


async def import_rows(
    registry: Registry,
    importer: Importer,
    batch_id: str,
    rows: Sequence[PreparedRow],
    new_id: NewId,
    now: datetime,
) -> list[RowAnswer]:
    """Store one chunk in the registry's transaction and return one answer per row, in order."""
    answers, unanswered = await _stored(registry, importer, batch_id, rows)
    fresh: list[tuple[bytes, RowAnswer]] = []
    pending: list[PreparedRow] = []
    for row in unanswered:
        if row.sealed is None:
            fresh.append((row.content_key, _refused(row)))
        else:
            pending.append(row)
    touched: list[str] = []
    while pending:
        wave, later = _first_of_each_identifier(pending)
        settled, lost = await _settle(registry, wave, new_id, now)
        fresh += [(row.content_key, answer) for row, answer in settled]
        touched += [a.licence_id for _, a in settled if a.outcome in {Outcome.CREATED, Outcome.UPDATED}]
        pending = [*lost, *later]
    await _replace_older(registry, touched, now)
    await registry.imports.remember(importer.caller, batch_id, fresh)
    answers |= {answer.row_number: answer for _, answer in fresh}
    return [answers[row.row_number] for row in rows]


async def _stored(
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
            answers[row.row_number] = answer if earlier_key == row.content_key else reused
    return answers, [row for row in rows if row.row_number not in stored]


def _first_of_each_identifier(
    pending: Sequence[PreparedRow],
) -> tuple[list[PreparedRow], list[PreparedRow]]:
    first: dict[str, PreparedRow] = {}
    later: list[PreparedRow] = []
    for row in pending:
        if row.licence.identifier in first:
            later.append(row)
        else:
            first[row.licence.identifier] = row
    return list(first.values()), later


async def _settle(
    registry: Registry, wave: Sequence[PreparedRow], new_id: NewId, now: datetime
) -> tuple[list[tuple[PreparedRow, RowAnswer]], list[PreparedRow]]:
    """Store one wave of different identifiers; return the answers, and the rows that lost a race."""
    keys = [row.sealed.identifier_key for row in wave if row.sealed]
    held = await registry.imports.lock_held(keys)
    settled: list[tuple[PreparedRow, RowAnswer]] = []
    creations: list[_Write] = []
    updates: list[_Write] = []
    for row, key in zip(wave, keys, strict=True):
        known = held.get(key)
        if known is None:
            creations.append(_Write(row, replace(row.licence, licence_id=new_id(), version=1)))
        elif answer := _answer_of_held(row, known):
            settled.append((row, answer))
        else:
            updates.append(_Write(row, _update(row, known)))
    inserted = await registry.imports.insert([each.entry for each in creations])
    await registry.imports.replace([each.entry for each in updates])
    created = [each for each in creations if each.licence.licence_id in inserted]
    lost = [each.row for each in creations if each.licence.licence_id not in inserted]
    for outcome, writes in ((Outcome.CREATED, created), (Outcome.UPDATED, updates)):
        for each in writes:
            registry.publish(_imported(each, now), each.licence.version)
            settled.append((each.row, _answer(each.row, outcome, each.licence.licence_id)))
    return settled, lost


def _answer_of_held(row: PreparedRow, known: Held) -> RowAnswer | None:
    """Return the answer of a row that changes nothing, None when it replaces the content."""
    fresh = row.licence
    if known.content_key == row.content_key and known.county_code == fresh.county_code:
        return _answer(row, Outcome.UNCHANGED, known.licence_id)
    problem = changes_content(
        Origin(known.origin),
        LicenceStatus(known.status),
        known.county_code,
        fresh.status,
        fresh.county_code,
    )
    return RowAnswer(row.row_number, Outcome.REFUSED, problems=(problem,)) if problem else None


def _update(row: PreparedRow, known: Held) -> Licence:
    suspended = known.status == LicenceStatus.SUSPENDED and not row.judgement.states_status
    status = LicenceStatus.SUSPENDED if suspended else row.licence.status
    return replace(row.licence, licence_id=known.licence_id, version=known.version + 1, status=status)


def _refused(row: PreparedRow) -> RowAnswer:
    return RowAnswer(row.row_number, Outcome.REFUSED, problems=row.judgement.problems)


def _answer(row: PreparedRow, outcome: Outcome, licence_id: str) -> RowAnswer:
    return RowAnswer(row.row_number, outcome, licence_id, row.judgement.quality_flags)


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


def _imported(write: _Write, now: datetime) -> LicenceImported:
    licence = write.licence
    return LicenceImported(
        licence_id=licence.licence_id,
        identifier=write.entry[1].public_identifier,
        type_code=licence.type_code,
        county_code=licence.county_code,
        issuer_code=licence.issuer_code,
        status=licence.status,
        imported_at=now,
    )
