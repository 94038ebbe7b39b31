"""The set-based side of one open transaction."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.db import Transaction
from chassis.event import Event
from services.certs.domain.importing import RowAnswer
from services.certs.domain.importing.source import OWN_PRIORITY
from services.certs.domain.importing.verdicts import Version
from services.certs.domain.log import LICENCE, Leaf
from services.certs.domain.log.leaf import moment
from services.certs.domain.status import LicenceStatus
from services.certs.store.coded import IMPORT_CONFLICT, STATUS_CHANGE
from services.certs.store.falls import note_changes, note_corrections
from services.certs.store.freezes import follow_lineages
from services.certs.store.imports import statements
from services.certs.store.imports.answers import answer_of, answer_row
from services.certs.store.licences import ADD_CHANGE, hold_key
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault
from services.certs.store.sources import SourceStore
from services.certs.store.use_codes import UseCodeStore
from services.certs.usecases.import_ports import Changed, Conflict, Held, Numbered, Replaced, Write

REPLACED = ("replaced", "replace", "换发", "新版本证照已入库", "certs")
CHANGED_BY = "service/certs"
IMPORTED = "import"
"""What the log calls the act of a row with new content."""


class ImportStore:
    """The set-based side of one open transaction; implements the port Imports."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault, self._log = tx, vault, LogQueue(tx)
        self._lineages: dict[str, UUID] = {}
        self._begun: set[UUID] | None = None
        self._was_overtaken = False

    async def hold(self, registers: Sequence[str]) -> None:
        """Hold names, in one order for all imports, so that two never wait for each other."""
        await self._tx.execute(statements.HOLD, [hold_key(each) for each in registers])

    async def answered(
        self, caller: str, batch_id: str, row_numbers: Sequence[int]
    ) -> dict[int, tuple[bytes, RowAnswer]]:
        """Return the stored answers of rows with the keys of what they answered."""
        rows = await self._tx.fetch(statements.ANSWERED, caller, batch_id, list(row_numbers))
        return {row["row_number"]: (row["content_key"], answer_of(row)) for row in rows}

    async def lock_all(self, lineage_ids: Collection[UUID], identifier_keys: Collection[bytes]) -> set[UUID]:
        """Lock all versions of these lineages and these licences, in the order in which everybody locks licences.

        Return the lineages that have a version. Nothing of what a chunk touches is locked after it but what came in meanwhile: no import is in a deadlock.
        """
        rows: Sequence[Any] = ()  # without lineages the first look-up of identifiers locks them all
        if lineage_ids and identifier_keys:
            named = list(lineage_ids), list(identifier_keys)
            rows = await self._tx.fetch(statements.LOCK_LINES_AND_HELD, *named)
        elif lineage_ids:
            rows = await self._tx.fetch(statements.LOCK_LINES, list(lineage_ids))
        self._begun = {row["lineage_id"] for row in rows}
        return set(self._begun)

    async def lock_held(self, identifier_keys: Sequence[bytes]) -> dict[bytes, Held]:
        """Return what is held, locked by `lock_all` or now, in the order of ids."""
        rows = await self._tx.fetch(statements.LOCK_HELD, sorted(identifier_keys))
        named = {row["source_id"] for row in rows if row["source_id"]}
        priorities = await SourceStore(self._tx, self._vault).priorities(sorted(named)) if named else {}
        return {
            row["identifier_key"]: Held(
                str(row["licence_id"]),
                row["identifier"],
                row["origin"],
                row["status"],
                row["county_code"],
                row["issuer_code"],
                row["type_code"],
                row["version"],
                row["content_key"] or b"",
                row["source_id"] or "",
                priorities.get(row["source_id"], OWN_PRIORITY),
            )
            for row in rows
        }

    async def lock_lines(self, lineage_ids: Sequence[UUID]) -> dict[UUID, list[Version]]:
        """Return the versions of locked lineages; nearly all new rows begin one, and then nothing is read twice."""
        assert self._begun is not None, "lock_all comes first"
        found: dict[UUID, list[Version]] = {}
        several = sorted({*self._begun, *self._lineages.values()}.intersection(lineage_ids))
        for row in await self._tx.fetch(statements.LINES, several) if several else ():
            status = LicenceStatus(row["status"])
            version = Version(row["serial_version"], row["county_code"], status, row["is_issued_here"])
            found.setdefault(row["lineage_id"], []).append(version)
        return found

    async def numbered(self, number_keys: Sequence[bytes]) -> dict[tuple[bytes, str, str], list[Numbered]]:
        """Return the licences with these numbers, by the number's key, type and issuer."""
        found: dict[tuple[bytes, str, str], list[Numbered]] = {}
        for row in await self._tx.fetch(statements.NUMBERED, sorted(number_keys)) if number_keys else ():
            holders = frozenset((row["holder_key"], *row["further"]))
            key = row["number_key"], row["type_code"], row["issuer_code"]
            found.setdefault(key, []).append(Numbered(row["identifier_key"], row["lineage_id"], holders))
        return found

    async def insert(self, writes: Sequence[Write], source_id: str) -> bool:
        """Insert licences by one COPY, in the order of their keys; False when one was taken meanwhile."""
        rest = statements.fixed(self._tx.now())
        ordered = sorted(writes, key=lambda each: each.stored.identifier_key)
        await self._tx.execute("savepoint fresh")
        try:
            await self._tx.connection.copy_records_to_table(
                "licence",
                records=[(*statements.row_of(each, source_id), *rest) for each in ordered],
                columns=(*statements.COLUMNS, *statements.FIXED),
            )
        except asyncpg.UniqueViolationError:
            await self._tx.execute("rollback to savepoint fresh")
            self._was_overtaken = True
            return False
        await self._tx.execute("release savepoint fresh")
        await self._stored(writes)
        return True

    async def replace(self, writes: Sequence[Write], source_id: str) -> None:
        """Replace the content of locked licences; what was there goes to ``licence_past``.

        Where the holder becomes another, the use-codes the former one gave are revoked: nobody agrees
        for somebody else.
        """
        now = self._tx.now()
        ids = [UUID(each.licence_id) for each in writes]
        codes = UseCodeStore(self._tx, self._vault)
        await codes.revoke_of_former_holders(ids, [each.stored.holder_keys[0] for each in writes], now)
        await self._tx.execute(statements.KEEP_PAST, ids, now)
        columns = [
            list(column) for column in zip(*(_json_flags(each, source_id) for each in writes), strict=True)
        ]
        await self._tx.execute(statements.REPLACE, now, *columns)
        await self._tx.execute("delete from licence_co_holder where licence_id = any($1)", ids)
        told = [(each.licence_id, each.version, each.previous, each.status) for each in writes]
        await note_corrections(self._tx, told)
        await self._stored(writes)

    async def replace_older_versions(self, licence_ids: Sequence[str]) -> list[Replaced]:
        """Mark older imported versions of the licences' lineages as replaced."""
        now = self._tx.now()
        lineages = sorted(self._with_further_versions({self._lineages[each] for each in licence_ids}))
        several = await self._tx.fetch(statements.SEVERAL_VERSIONS, lineages) if lineages else ()
        if not several:
            return []
        named = [row["lineage_id"] for row in several]
        await follow_lineages(self._tx, self._vault, named)
        rows = await self._tx.fetch(statements.REPLACE_OLDER, named, now)
        lines = [
            (*(row[name] for name in ("licence_id", "version", "previous")), *REPLACED, now, now, CHANGED_BY)
            for row in rows
        ]
        await self._add_lines(lines)
        return [
            Replaced(str(row["licence_id"]), row["identifier"], row["previous"], row["version"])
            for row in rows
        ]

    def _with_further_versions(self, lineages: set[UUID]) -> set[UUID]:
        """Return those of the lineages that may have one: begun before this chunk, or several times in it."""
        if self._was_overtaken or self._begun is None:
            return lineages
        written = Counter(self._lineages.values())
        return {each for each in lineages if each in self._begun or written[each] > 1}

    async def change(self, changes: Sequence[Changed], changed_by: str, *, save: bool) -> None:
        """Append lines to the status history; with ``save`` store status and version as well."""
        now = self._tx.now()
        if save:
            ids = [UUID(each.licence_id) for each in changes]
            statuses = [each.change.status.value for each in changes]
            versions = [each.version for each in changes]
            await self._tx.execute(statements.SAVE_STATUS, now, ids, statuses, versions)
        lines: list[tuple[object, ...]] = []
        for each in changes:
            line = each.change
            said = (line.previous, line.status, line.act, line.reason, line.basis_document, line.operator)
            lines.append(
                (UUID(each.licence_id), each.version, *map(str, said), line.effective_at, now, changed_by)
            )
        await self._add_lines(lines)

    def publish(self, events: Sequence[tuple[Event, int]]) -> None:
        """Have events leave with this transaction."""
        self._tx.publish_many(events)

    async def remember(self, caller: str, batch_id: str, answers: Sequence[tuple[bytes, RowAnswer]]) -> None:
        """Store the answers of rows."""
        if answers:
            now = self._tx.now()
            await self._tx.connection.copy_records_to_table(
                "import_answer",
                records=[answer_row(caller, batch_id, key, answer, now) for key, answer in answers],
                columns=statements.ANSWER_COLUMNS,
            )

    async def add_conflicts(self, conflicts: Sequence[tuple[Conflict, Mapping[str, str]]]) -> None:
        """Put conflicts on record, the rows that were not taken encrypted."""
        rows = [
            (*self._vault.coded(IMPORT_CONFLICT, conflict_row(each)), self._vault.seal_offered(fields))
            for each, fields in conflicts
        ]
        await self._tx.executemany(statements.ADD_CONFLICT, rows)

    async def _add_lines(self, lines: Sequence[tuple[object, ...]]) -> None:
        """Append lines to the status history, each with its code and its leaf in the log."""
        if not lines:
            return
        await self._tx.executemany(ADD_CHANGE, [self._vault.coded(STATUS_CHANGE, each) for each in lines])
        await note_changes(self._tx, map(_told, lines))
        await self._log.append_many([_line_leaf(each) for each in lines])

    async def _stored(self, writes: Sequence[Write]) -> None:
        """Store what belongs to licences with new content: further holders, leaves of the log."""
        self._lineages |= {each.licence_id: each.stored.lineage_id for each in writes}
        await self._add_co_holders(writes)
        now = self._tx.now()
        await self._log.append_many([_content_leaf(each, moment(now), now) for each in writes])

    async def _add_co_holders(self, writes: Iterable[Write]) -> None:
        pairs = {(each.licence_id, key) for each in writes for key in each.stored.holder_keys[1:]}
        if pairs:
            await self._tx.connection.copy_records_to_table(
                "licence_co_holder",
                records=[(UUID(licence_id), key) for licence_id, key in sorted(pairs)],
                columns=("licence_id", "holder_key"),
            )


def conflict_row(conflict: Conflict) -> tuple[object, ...]:
    """Return a conflict in the order of its table's coded columns."""
    return (
        UUID(conflict.conflict_id),
        UUID(conflict.licence_id),
        conflict.source_id,
        conflict.held_source_id,
        conflict.held_key,
        conflict.offered_key,
        conflict.issuer_code,
        conflict.found_at,
        conflict.resolution or None,
        conflict.resolved_at,
        conflict.resolved_by or None,
        conflict.reason or None,
    )


def _json_flags(write: Write, source_id: str) -> tuple[object, ...]:
    """Return a row for `REPLACE`: an array of arrays has no type of its own, so flags travel as JSON."""
    row = list(statements.row_of(write, source_id))
    at = statements.COLUMNS.index("quality_flags")
    row[at] = json.dumps(row[at])
    return tuple(row)


def _told(line: Sequence[object]) -> tuple[str, int, str, str, datetime]:
    """Return of a line of the history what tells whether it is a fall."""
    licence_id, version, previous, status, *_, effective_at, _, _ = line
    assert isinstance(effective_at, datetime)
    assert isinstance(version, int)
    return str(licence_id), version, str(previous), str(status), effective_at


def _content_leaf(write: Write, at: str, now: datetime) -> Leaf:
    facts: dict[str, str | int] = {
        "act": IMPORTED,
        "content": write.stored.commitment,
        "effective_at": at,
        "status": write.status,
        "version": write.version,
    }
    return Leaf(LICENCE, write.licence_id, now, facts, write.stored.salt)


def _line_leaf(line: Sequence[object]) -> Leaf:
    licence_id, version, _, status, act, *_, effective_at, changed_at, _ = line
    assert isinstance(effective_at, datetime)
    assert isinstance(changed_at, datetime)
    assert isinstance(version, int)
    facts: dict[str, str | int] = {
        "act": str(act),
        "effective_at": moment(effective_at),
        "status": str(status),
        "version": version,
    }
    return Leaf(LICENCE, str(licence_id), changed_at, facts)
