"""Import a chunk of rows: one transaction, a fixed number of statements, one answer for each row.

1. Rows answered before get their stored answer. 2. The others are judged by their own rules.
3. What is registered under their identifiers is locked, in one order for all imports.
4. New licences are inserted, changed ones replaced; a row whose identifier another import took
   meanwhile, or that repeats an identifier of its own chunk, goes through 3 and 4 again.
5. Older versions of the same lineage are marked as replaced. 6. Answers and events are stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.errors import FIELD_MALFORMED, FIELD_REQUIRED, FIELD_TOO_LONG, Kind, declare, refuse
from events.certs import LicenceImported, LicenceStatusChanged
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.importing import ImportRow, Judgement, Outcome, RowAnswer, changes_content, judge
from services.certs.domain.licence import Licence, Origin
from services.certs.domain.licence_type import LicenceTypes
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.ports import Held, NewId, Registry

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


@dataclass(slots=True)
class _Pending:
    judgement: Judgement
    content_key: bytes

    @property
    def licence(self) -> Licence:
        assert self.judgement.licence is not None
        return self.judgement.licence


@dataclass(frozen=True, slots=True)
class Importer:
    """Who imports: the caller that owns the batch, and the county it may import for (None: any)."""

    caller: str
    county_code: str | None


def check_message(batch_id: str, rows: Sequence[ImportRow]) -> None:
    """Refuse a message whose frame is wrong; what is wrong inside a row is that row's answer."""
    wrong = []
    if not batch_id:
        wrong.append(FIELD_REQUIRED.at("batch_id"))
    elif len(batch_id) > BATCH_ID_LIMIT:
        wrong.append(FIELD_TOO_LONG.at("batch_id", limit=BATCH_ID_LIMIT))
    if len(rows) > MESSAGE_ROWS:
        wrong.append(FIELD_TOO_LONG.at("rows", limit=MESSAGE_ROWS))
    numbers = [row.row_number for row in rows]
    if len(set(numbers)) != len(numbers) or any(number < 1 for number in numbers):
        wrong.append(FIELD_MALFORMED.at("rows.row_number"))
    refuse(wrong)


async def import_rows(
    registry: Registry,
    types: LicenceTypes,
    importer: Importer,
    batch_id: str,
    rows: Sequence[ImportRow],
    new_id: NewId,
    now: datetime,
) -> list[RowAnswer]:
    """Import one chunk in the registry's transaction and return one answer per row, in order."""
    answers, keyed = await _stored(registry, importer, batch_id, rows)
    pending: list[_Pending] = []
    fresh: list[tuple[bytes, RowAnswer]] = []
    for row, key in keyed:
        judgement = judge(row, types, importer.county_code, now)
        if judgement.licence is None:
            fresh.append((key, RowAnswer(row.row_number, Outcome.REFUSED, problems=judgement.problems)))
        else:
            pending.append(_Pending(judgement, key))
    touched: list[str] = []
    while pending:
        wave, pending = _first_of_each_identifier(pending)
        settled, lost = await _settle(registry, wave, new_id, now)
        fresh += [(each.content_key, answer) for each, answer in settled]
        touched += [a.licence_id for _, a in settled if a.outcome in {Outcome.CREATED, Outcome.UPDATED}]
        pending = [*lost, *pending]
    await _replace_older(registry, touched, now)
    await registry.imports.remember(importer.caller, batch_id, fresh)
    answers |= {answer.row_number: answer for _, answer in fresh}
    return [answers[row.row_number] for row in rows]


async def _stored(
    registry: Registry, importer: Importer, batch_id: str, rows: Sequence[ImportRow]
) -> tuple[dict[int, RowAnswer], list[tuple[ImportRow, bytes]]]:
    numbers = [row.row_number for row in rows]
    stored = await registry.imports.answered(importer.caller, batch_id, numbers)
    answers: dict[int, RowAnswer] = {}
    unanswered: list[tuple[ImportRow, bytes]] = []
    for row in rows:
        key = registry.imports.content_key(row.fields)
        if row.row_number not in stored:
            unanswered.append((row, key))
            continue
        earlier_key, answer = stored[row.row_number]
        if earlier_key != key:
            problem = ROW_NUMBER_REUSED.at("row_number")
            answer = RowAnswer(row.row_number, Outcome.REFUSED, problems=(problem,))
        answers[row.row_number] = answer
    return answers, unanswered


def _first_of_each_identifier(pending: Sequence[_Pending]) -> tuple[list[_Pending], list[_Pending]]:
    first: dict[str, _Pending] = {}
    later: list[_Pending] = []
    for each in pending:
        if each.licence.identifier in first:
            later.append(each)
        else:
            first[each.licence.identifier] = each
    return list(first.values()), later


async def _settle(
    registry: Registry, wave: Sequence[_Pending], new_id: NewId, now: datetime
) -> tuple[list[tuple[_Pending, RowAnswer]], list[_Pending]]:
    """Store one wave of different identifiers; return the answers, and the rows that lost a race."""
    held = await registry.imports.lock_held([each.licence.identifier for each in wave])
    settled: list[tuple[_Pending, RowAnswer]] = []
    creations: list[tuple[_Pending, Licence]] = []
    updates: list[tuple[_Pending, Licence]] = []
    for each in wave:
        known = held.get(each.licence.identifier)
        if known is None:
            creations.append((each, replace(each.licence, licence_id=new_id(), version=1)))
        elif answer := _answer_of_held(each, known):
            settled.append((each, answer))
        else:
            updates.append((each, _update(each, known)))
    inserted = await registry.imports.insert([(licence, each.content_key) for each, licence in creations])
    await registry.imports.replace([(licence, each.content_key) for each, licence in updates])
    lost = [each for each, licence in creations if licence.licence_id not in inserted]
    created = [pair for pair in creations if pair[1].licence_id in inserted]
    for outcome, pairs in ((Outcome.CREATED, created), (Outcome.UPDATED, updates)):
        for each, licence in pairs:
            registry.publish(_imported(licence, now), licence.version)
            settled.append((each, _answer(each, outcome, licence.licence_id)))
    return settled, lost


def _answer_of_held(each: _Pending, known: Held) -> RowAnswer | None:
    """Return the answer of a row that changes nothing, None when it replaces the content."""
    problem = changes_content(
        Origin(known.origin),
        LicenceStatus(known.status),
        known.county_code,
        each.licence.status,
        each.licence.county_code,
    )
    if known.content_key == each.content_key and known.county_code == each.licence.county_code:
        return _answer(each, Outcome.UNCHANGED, known.licence_id)
    if problem:
        return RowAnswer(each.judgement.row_number, Outcome.REFUSED, problems=(problem,))
    return None


def _update(each: _Pending, known: Held) -> Licence:
    suspended = known.status == LicenceStatus.SUSPENDED and not each.judgement.states_status
    status = LicenceStatus.SUSPENDED if suspended else each.licence.status
    return replace(each.licence, licence_id=known.licence_id, version=known.version + 1, status=status)


def _answer(each: _Pending, outcome: Outcome, licence_id: str) -> RowAnswer:
    return RowAnswer(each.judgement.row_number, outcome, licence_id, each.judgement.quality_flags)


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


def _imported(licence: Licence, now: datetime) -> LicenceImported:
    return LicenceImported(
        licence_id=licence.licence_id,
        identifier=public_identifier(licence),
        type_code=licence.type_code,
        county_code=licence.county_code,
        issuer_code=licence.issuer_code,
        status=licence.status,
        imported_at=now,
    )


def chunks(rows: Sequence[ImportRow]) -> list[Sequence[ImportRow]]:
    """Return the rows cut into chunks of one transaction each."""
    return [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]
