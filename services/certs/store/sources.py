"""The sources of licence data: who may deliver what, how fresh it is, where two of them disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.importing import Arrivals, Source
from services.certs.domain.licence import Licence
from services.certs.store.coded import IMPORT_CONFLICT, SOURCE
from services.certs.store.licences import COLUMNS, LicenceStore, as_uuid
from services.certs.store.sealing import Vault
from services.certs.usecases.import_ports import Conflict

_SAVE = f"""
insert into source ({SOURCE.names}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (source_id) do update set department_code = excluded.department_code,
  county_code = excluded.county_code, name = excluded.name, priority = excluded.priority,
  issuer_codes = excluded.issuer_codes, type_codes = excluded.type_codes,
  freshness_seconds = excluded.freshness_seconds, version = excluded.version,
  registered_at = excluded.registered_at, registered_by = excluded.registered_by, mac = excluded.mac
"""  # noqa: S608 - constants
_FIND = f"select {SOURCE.names} from source where source_id = $1"  # noqa: S608 - constants
_LOCK = f"{_FIND} for update"
_ARRIVED = """
insert into source_freshness as f (source_id, type_code, last_act_on, last_arrival_at, latest_delay_days,
  worst_delay_days, within_1_day, within_7_days, within_30_days, later)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (source_id, type_code) do update set
  last_act_on = greatest(f.last_act_on, excluded.last_act_on),
  last_arrival_at = greatest(f.last_arrival_at, excluded.last_arrival_at),
  latest_delay_days = excluded.latest_delay_days,
  worst_delay_days = greatest(f.worst_delay_days, excluded.worst_delay_days),
  within_1_day = f.within_1_day + excluded.within_1_day,
  within_7_days = f.within_7_days + excluded.within_7_days,
  within_30_days = f.within_30_days + excluded.within_30_days,
  later = f.later + excluded.later
"""
_SILENT = """
select s.source_id, t.type_code, s.registered_at from source s
cross join lateral unnest(case when s.type_codes = '{}' then array[''] else s.type_codes end) t (type_code)
where (t.type_code = '' or t.type_code = any($1)) and not exists (
  select from source_freshness f
  where f.source_id = s.source_id and (t.type_code = '' or f.type_code = t.type_code))
"""
_OF_DAYS = """l.source_id = $1 and l.type_code = $2 and l.issued_date between $3 and $4
  and l.origin = 'imported'"""


class SourceStore:
    """The sources of one open transaction; implements the port Sources."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def find(self, source_id: str) -> Source | None:
        """Return a source. Raises ROW_ALTERED."""
        return self._read(await self._tx.fetchrow(_FIND, source_id))

    async def lock(self, source_id: str) -> Source | None:
        """Return a source and hold its row. Raises ROW_ALTERED."""
        return self._read(await self._tx.fetchrow(_LOCK, source_id))

    async def save(self, source: Source, registered_by: str) -> None:
        """Store a source under its version."""
        values = (
            source.source_id,
            source.department_code,
            source.county_code,
            source.name,
            source.priority,
            list(source.issuer_codes),
            list(source.type_codes),
            source.freshness_seconds,
            source.version,
            self._tx.now(),
            registered_by,
        )
        await self._tx.execute(_SAVE, *self._vault.coded(SOURCE, values))

    async def page(self, after: str, limit: int, department_code: str) -> list[Source]:
        """Return sources in the order of their ids."""
        rows = await self._tx.fetch(
            f"select {SOURCE.names} from source where source_id > $1"  # noqa: S608 - constants
            " and ($3 = '' or department_code = $3) order by source_id limit $2",
            after,
            limit,
            department_code,
        )
        return [self._source(row) for row in rows]

    async def priorities(self, source_ids: Sequence[str]) -> dict[str, int]:
        """Return the priorities of registered sources. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"select {SOURCE.names} from source where source_id = any($1)",  # noqa: S608 - constants
            list(source_ids),
        )
        return {row["source_id"]: self._source(row).priority for row in rows}

    async def objectives(self) -> dict[str, int]:
        """Return how many seconds the registry may go without hearing from each registered source."""
        rows = await self._tx.fetch("select source_id, freshness_seconds from source")
        return {row["source_id"]: row["freshness_seconds"] for row in rows}

    async def silent(self, types: Iterable[str]) -> list[tuple[str, str, datetime]]:
        """Return who never delivered what it is registered for: source, type (empty: any), when it was registered."""
        rows = await self._tx.fetch(_SILENT, sorted(types))
        return [(row["source_id"], row["type_code"], row["registered_at"]) for row in rows]

    async def note_arrivals(self, source_id: str, arrived: Sequence[Arrivals]) -> None:
        """Add what a chunk brought to the running figures; its types in their order, so that none waits in a ring."""
        now = self._tx.now()
        for each in arrived:
            await self._tx.execute(
                _ARRIVED,
                source_id,
                each.type_code,
                each.last_act_on,
                now,
                each.latest_delay_days,
                each.worst_delay_days,
                each.within_1_day,
                each.within_7_days,
                each.within_30_days,
                each.later,
            )

    async def conflict(self, conflict_id: str) -> tuple[Conflict, dict[str, str]] | None:
        """Return a conflict and the row that was not taken; its row is locked. Raises ROW_ALTERED."""
        key = as_uuid(conflict_id)
        row = key and await self._tx.fetchrow(
            f"select {IMPORT_CONFLICT.names}, offered from import_conflict where conflict_id = $1 for update",  # noqa: S608
            key,
        )
        return (self._conflict(row), self._vault.open_offered(row["offered"])) if row else None

    async def save_resolution(self, conflict: Conflict) -> None:
        """Store how a conflict was resolved and what was held then, with the row's new code."""
        found = await self._tx.fetchrow(
            f"select {IMPORT_CONFLICT.names} from import_conflict where conflict_id = $1",  # noqa: S608
            UUID(conflict.conflict_id),
        )
        assert found is not None
        said = {
            "resolution": conflict.resolution,
            "resolved_at": conflict.resolved_at,
            "resolved_by": conflict.resolved_by,
            "reason": conflict.reason,
            "held_source_id": conflict.held_source_id,
            "held_key": conflict.held_key,
        }
        await self._tx.execute(
            "update import_conflict set resolution = $2, resolved_at = $3, resolved_by = $4, reason = $5,"
            " held_source_id = $6, held_key = $7, mac = $8 where conflict_id = $1",
            UUID(conflict.conflict_id),
            *said.values(),
            self._vault.row_code(IMPORT_CONFLICT, {**dict(found), **said}),
        )

    async def overruled(self, source_id: str, licence_ids: Sequence[str]) -> dict[str, bytes]:
        """Return what the newest decision of each licence overruled of a source's. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"select distinct on (licence_id) {IMPORT_CONFLICT.names} from import_conflict"  # noqa: S608
            " where licence_id = any($1) and held_source_id = $2 and resolution = 'taken'"
            " order by licence_id, resolved_at desc, conflict_id desc",
            [UUID(each) for each in licence_ids],
            source_id,
        )
        return {found.licence_id: found.held_key for found in map(self._conflict, rows)}

    async def conflicts(
        self, owner: str, *, open_only: bool, before: tuple[datetime, str] | None, limit: int
    ) -> list[Conflict]:
        """Return conflicts, newest first."""
        rows = await self._tx.fetch(
            f"""
            select {IMPORT_CONFLICT.names} from import_conflict c
            where ($1 = '' or c.issuer_code = $1
                or c.source_id in (select source_id from source where department_code = $1) or c.source_id = $1)
              and (not $2 or c.resolution is null)
              and ($3::timestamptz is null or (c.found_at, c.conflict_id) < ($3, $4::uuid))
            order by c.found_at desc, c.conflict_id desc limit $5
            """,  # noqa: S608 - constants
            owner,
            open_only,
            before[0] if before else None,
            UUID(before[1]) if before else None,
            limit,
        )
        return [self._conflict(row) for row in rows]

    async def count_of_days(self, source_id: str, type_code: str, first: date, last: date) -> int:
        """Return how many licences a source delivered of days."""
        query = f"select count(*) from licence l where {_OF_DAYS}"  # noqa: S608 - constants
        found: int = await self._tx.fetchval(query, source_id, type_code, first, last)
        return found

    async def licences_of_days(
        self,
        source_id: str,
        type_code: str,
        days: tuple[date, date],
        after: tuple[date, str] | None,
        limit: int,
    ) -> list[Licence]:
        """Return what a source delivered, in the order of day and id, whole."""
        place = "" if after is None else " and (l.issued_date, l.licence_id) > ($6, $7)"
        rows = await self._tx.fetch(
            f"select {COLUMNS} from licence l where {_OF_DAYS}{place}"  # noqa: S608 - constants
            " order by l.issued_date, l.licence_id limit $5",
            source_id,
            type_code,
            *days,
            limit,
            *((after[0], UUID(after[1])) if after else ()),
        )
        store = LicenceStore(self._tx, self._vault)
        return [store.licence_of(row) for row in rows]

    def _read(self, row: Any) -> Source | None:
        return self._source(row) if row else None

    def _source(self, row: Any) -> Source:
        self._vault.check_row(SOURCE, row)
        return Source(
            row["source_id"],
            row["department_code"],
            row["county_code"],
            row["name"],
            row["priority"],
            tuple(row["issuer_codes"]),
            tuple(row["type_codes"]),
            row["freshness_seconds"],
            row["version"],
        )

    def _conflict(self, row: Any) -> Conflict:
        self._vault.check_row(IMPORT_CONFLICT, row)
        return Conflict(
            str(row["conflict_id"]),
            str(row["licence_id"]),
            row["source_id"],
            row["held_source_id"],
            row["held_key"],
            row["offered_key"],
            row["issuer_code"],
            row["found_at"],
            row["resolution"] or "",
            row["resolved_at"],
            row["resolved_by"] or "",
            row["reason"] or "",
        )
