"""One wave of rows, each about another licence: what becomes of each beside what the registry holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from uuid import UUID

from chassis.clock import CHINA_TIME
from chassis.errors import Violation
from events.certs import LicenceImported, LicenceStatusChanged
from services.certs.domain.importing import Operation, Outcome, RowAnswer
from services.certs.domain.importing.verdicts import (
    DUPLICATE_NUMBER,
    LICENCE_NOT_REGISTERED,
    Comes,
    Met,
    Version,
    brings_back,
    cancels,
    changes_content,
    is_outranked,
    joins_line,
    status_change,
)
from services.certs.domain.licence import Origin
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.import_ports import Changed, Conflict, Held, Numbered, PreparedRow, Write
from services.certs.usecases.importing.preparing import Importer
from services.certs.usecases.ports import NewId, Registry

Settled = tuple[PreparedRow, RowAnswer]


class Settling:
    """Settles the waves of one chunk; ``touched`` are the ids of licences with new content."""

    def __init__(
        self,
        registry: Registry,
        importer: Importer,
        batch_id: str,
        fields: Mapping[int, Mapping[str, str]],
        new_id: NewId,
        now: datetime,
        *,
        overrules: bool = False,
    ) -> None:
        """With ``overrules`` the rows count whatever the priority of the source: somebody decided so."""
        self._registry, self._importer, self._batch_id = registry, importer, batch_id
        self._fields, self._new_id, self._now, self._overrules = fields, new_id, now, overrules
        self._comes = Comes(importer.source, importer.source_id, importer.priority)
        self._begun: set[UUID] = set()
        self._was_overtaken = False
        self.touched: list[str] = []

    async def lock(self, rows: Sequence[PreparedRow]) -> None:
        """Lock all that the rows are about, once, before the first wave."""
        lineages = {row.stored.lineage_id for row in rows if row.stored}
        others = {row.identifier_key for row in rows if not row.stored}
        self._begun = await self._registry.imports.lock_all(lineages, others)

    async def settle(self, wave: Sequence[PreparedRow]) -> tuple[list[Settled], list[PreparedRow]]:
        """Store one wave; return the answers, and the rows that have to be looked up again."""
        held = await self._held(wave)
        numbers = [row.stored.number_key for row in wave if row.stored]
        numbered = await self._registry.imports.numbered(numbers)
        lines = await self._lines(wave, held)
        overruled = await self._overruled(wave, held)
        settled: list[Settled] = []
        creations: list[Write] = []
        updates: list[Write] = []
        cancelled: list[tuple[PreparedRow, Held]] = []
        conflicts: list[tuple[PreparedRow, Held]] = []
        for row in wave:
            known = held.get(row.identifier_key)
            if (answer := self._refusal_or_same(row, known, numbered, lines)) is not None:
                settled.append((row, answer))
            elif known is not None and overruled.get(known.licence_id) == row.content_key:
                kept = RowAnswer(row.row_number, Outcome.CONFLICT_KEPT, known.licence_id, row.flags)
                settled.append((row, kept))
            elif row.cancellation is not None:
                assert known is not None
                cancelled.append((row, known))
            elif known is None:
                assert row.stored is not None
                creations.append(Write(row, self._new_id(), 1, row.stored.status))
            elif not self._overrules and is_outranked(_met(known), self._comes):
                conflicts.append((row, known))
            else:
                updates.append(_update(row, known))
        lost: list[PreparedRow] = []
        if creations and not await self._registry.imports.insert(creations, self._importer.source_id):
            lost, creations, self._was_overtaken = [each.row for each in creations], [], True
        self._begun.update(each.stored.lineage_id for each in creations)
        settled += self._tell(creations, Outcome.CREATED)
        settled += await self._replace(updates)
        settled += await self._cancel(cancelled)
        settled += await self._keep(conflicts)
        return settled, lost

    async def _held(self, wave: Sequence[PreparedRow]) -> Mapping[bytes, Held]:
        """Return what is held under the identifiers of rows.

        An identifier tells its lineage, so a row that begins one is not looked up; should its identifier be taken
        all the same, nothing can be inserted, and then all are.
        """
        asked = [row.identifier_key for row in wave if self._was_overtaken or not self._begins_lineage(row)]
        return await self._registry.imports.lock_held(asked) if asked else {}

    def _begins_lineage(self, row: PreparedRow) -> bool:
        fresh = row.stored
        return fresh is not None and row.operation != Operation.UPDATE and fresh.lineage_id not in self._begun

    async def _lines(
        self, wave: Sequence[PreparedRow], held: Mapping[bytes, Held]
    ) -> Mapping[UUID, Sequence[Version]]:
        """Return the registered versions of the licences that new rows are versions of."""
        fresh = {row.stored.lineage_id for row in wave if row.stored and row.identifier_key not in held}
        return await self._registry.imports.lock_lines(sorted(fresh))

    async def _overruled(
        self, wave: Sequence[PreparedRow], held: Mapping[bytes, Held]
    ) -> Mapping[str, bytes]:
        """Return what of this source somebody decided against, of licences that another source has spoken for."""
        if self._overrules:
            return {}
        differing = [
            known.licence_id
            for row in wave
            if row.stored and (known := held.get(row.identifier_key)) and self._differs(row, known)
        ]
        if not differing:
            return {}
        return await self._registry.sources.overruled(self._importer.source_id, differing)

    def _differs(self, row: PreparedRow, known: Held) -> bool:
        return known.content_key != row.content_key and known.source_id != self._importer.source_id

    def _refusal_or_same(
        self,
        row: PreparedRow,
        known: Held | None,
        numbered: Mapping[tuple[bytes, str, str], Sequence[Numbered]],
        lines: Mapping[UUID, Sequence[Version]],
    ) -> RowAnswer | None:
        """Return the answer of a row that changes nothing."""
        if row.cancellation is not None:
            return _refused(row, cancels(_met(known) if known else None, self._comes))
        fresh = row.stored
        assert fresh is not None
        if known is None and row.operation == Operation.UPDATE:
            return _refused(row, LICENCE_NOT_REGISTERED.at("ZZBS"))
        if known and known.content_key == row.content_key and known.county_code == fresh.county_code:
            same = RowAnswer(row.row_number, Outcome.UNCHANGED, known.licence_id, row.flags)
            return _refused(row, brings_back(_met(known), LicenceStatus(fresh.status))) or same
        if known is None and (
            problem := joins_line(lines.get(fresh.lineage_id, ()), fresh.serial_version, fresh.county_code)
        ):
            return _refused(row, problem)
        if known:
            operation, status = Operation(row.operation), LicenceStatus(fresh.status)
            problem = changes_content(_met(known), self._comes, status, fresh.county_code, operation)
            if problem:
                return _refused(row, problem)
        others = numbered.get((fresh.number_key, fresh.type_code, fresh.issuer_code), ())
        if any(_is_anothers(row, each) for each in others):
            return _refused(row, DUPLICATE_NUMBER.at("ZZBH"))
        return None

    async def _replace(self, updates: Sequence[Write]) -> list[Settled]:
        """Store new content; a status that changes with it is a line of the history of its own."""
        if not updates:
            return []
        await self._registry.imports.replace(updates, self._importer.source_id)
        changes = [
            Changed(
                each.licence_id,
                each.stored.identifier,
                each.version,
                status_change(
                    LicenceStatus(each.previous),
                    LicenceStatus(each.status),
                    self._importer.source_id,
                    self._batch_id,
                    "",
                    self._at(each.stored.acted_on),
                ),
            )
            for each in updates
            if each.previous != each.status
        ]
        await self._registry.imports.change(changes, self._importer.caller, save=False)
        settled = self._tell(updates, Outcome.UPDATED)
        self._tell_changes(changes)
        return settled

    async def _cancel(self, cancelled: Sequence[tuple[PreparedRow, Held]]) -> list[Settled]:
        if not cancelled:
            return []
        changes = []
        for row, known in cancelled:
            asked = row.cancellation
            assert asked is not None
            at = self._at(asked.acted_on) if asked.acted_on else self._now
            change = status_change(
                LicenceStatus(known.status),
                LicenceStatus.CANCELLED,
                self._importer.source_id,
                self._batch_id,
                asked.reason,
                at,
            )
            changes.append(Changed(known.licence_id, known.identifier, known.version + 1, change))
        await self._registry.imports.change(changes, self._importer.caller, save=True)
        self._tell_changes(changes)
        return [
            (row, RowAnswer(row.row_number, Outcome.CANCELLED, known.licence_id)) for row, known in cancelled
        ]

    async def _keep(self, conflicts: Sequence[tuple[PreparedRow, Held]]) -> list[Settled]:
        if not conflicts:
            return []
        found = [
            (
                Conflict(
                    self._new_id(),
                    known.licence_id,
                    self._importer.source_id,
                    known.source_id,
                    known.content_key,
                    row.content_key,
                    known.issuer_code,
                    self._now,
                ),
                self._fields[row.row_number],
            )
            for row, known in conflicts
        ]
        await self._registry.imports.add_conflicts(found)
        return [
            (row, RowAnswer(row.row_number, Outcome.CONFLICT_KEPT, known.licence_id, row.flags))
            for row, known in conflicts
        ]

    def _tell(self, writes: Sequence[Write], outcome: Outcome) -> list[Settled]:
        """Publish what was stored and return the answers."""
        self.touched += [each.licence_id for each in writes]
        self._registry.imports.publish([(self._imported(each), each.content_version) for each in writes])
        return [
            (each.row, RowAnswer(each.row.row_number, outcome, each.licence_id, each.row.flags))
            for each in writes
        ]

    def _imported(self, write: Write) -> LicenceImported:
        stored = write.stored
        return LicenceImported(
            licence_id=write.licence_id,
            identifier=stored.identifier,
            type_code=stored.type_code,
            county_code=stored.county_code,
            issuer_code=stored.issuer_code,
            status=write.status,
            imported_at=self._now,
        )

    def _tell_changes(self, changes: Sequence[Changed]) -> None:
        events = [
            LicenceStatusChanged(
                licence_id=each.licence_id,
                identifier=each.identifier,
                previous=each.change.previous,
                status=each.change.status,
                effective_at=each.change.effective_at,
                changed_at=self._now,
            )
            for each in changes
        ]
        self._registry.imports.publish(
            [(event, each.version) for event, each in zip(events, changes, strict=True)]
        )

    def _at(self, day: date) -> datetime:
        """Return the beginning of a day in China, and never a moment to come."""
        return min(datetime.combine(day, time(), CHINA_TIME), self._now)


def _update(row: PreparedRow, known: Held) -> Write:
    """Return the write of new content: silence about the status does not lift a suspension."""
    assert row.stored is not None
    suspended = known.status == LicenceStatus.SUSPENDED and not row.stored.states_status
    status = LicenceStatus.SUSPENDED.value if suspended else row.stored.status
    changes = status != known.status
    return Write(row, known.licence_id, known.version + 1 + changes, status, known.status)


def _met(known: Held) -> Met:
    return Met(
        Origin(known.origin),
        LicenceStatus(known.status),
        known.county_code,
        known.issuer_code,
        known.type_code,
        known.source_id,
        known.priority,
    )


def _is_anothers(row: PreparedRow, other: Numbered) -> bool:
    """Say whether a licence with the row's number is another's: not the same licence, line or holder."""
    fresh = row.stored
    assert fresh is not None
    return (
        other.identifier_key != fresh.identifier_key
        and other.lineage_id != fresh.lineage_id
        and not other.holder_keys & frozenset(fresh.holder_keys)
    )


def _refused(row: PreparedRow, problem: Violation | None) -> RowAnswer | None:
    return RowAnswer(row.row_number, Outcome.REFUSED, problems=(problem,)) if problem else None
