"""Rows past their time in PostgreSQL: deleted in steps, the deletions recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import uuid_utils.compat

from chassis.audit import recording
from chassis.db import Database, Transaction
from chassis.fields import FieldCipher
from services.intake.store.case_content import Content, open_content
from services.intake.store.coded import RETENTION_RUN
from services.intake.usecases.retention import Place

_SESSIONS = """
delete from login_session where session_id in (
  select session_id from login_session where expires_at < $1 order by expires_at limit $2 for update skip locked)
"""
_CONTACT_READS = """
delete from contact_read where contact_read_id in (
  select contact_read_id from contact_read where read_at < $1 order by read_at limit $2)
"""
_DRAFTS = """
select case_id from service_case where state = 'draft' and coalesce(touched_at, created_at) < $1
order by coalesce(touched_at, created_at) limit $2 for update skip locked
"""
_ENTRUSTMENTS = """
delete from entrustment where entrustment_id in (
  select entrustment_id from entrustment where least(expires_at, coalesce(revoked_at, expires_at)) < $1
  order by least(expires_at, coalesce(revoked_at, expires_at)) limit $2 for update skip locked)
"""
_CHANGES = """
select changed_at, department_code, revision from part_change
where changed_at < $1 and (changed_at, department_code, revision) > ($2, $3, $4)
order by changed_at, department_code, revision limit $5
"""
_REPLACED = """
delete from part_change c using unnest($1::text[], $2::bigint[]) as u (department_code, revision)
where c.department_code = u.department_code and c.revision = u.revision and exists (
  select from part_change n
  where n.part_id = c.part_id and n.department_code = c.department_code and n.revision > c.revision)
"""
_CASES = """
select case_id, content, file_id from service_case left join case_archive using (case_id)
where case_id > $1 order by case_id limit $2
"""
_TURN = """
insert into retention_turn as old (turn, taken_at) values ($1, $2)
on conflict (turn) do update set taken_at = $2 where old.taken_at <= $3 returning true
"""
_LONG_AGO: Place = (datetime(1970, 1, 1, tzinfo=UTC), "", 0)


class RetentionRows:
    """The port ``Retained`` on one transaction."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher = tx, cipher

    def now(self) -> datetime:
        """Return the present, aware, UTC."""
        return self._tx.now()

    async def take_turn(self, turn: str, every: timedelta) -> bool:
        """Say whether it is time again; of two processes at once one gets False."""
        now = self._tx.now()
        return bool(await self._tx.fetchval(_TURN, turn, now, now - every))

    async def delete_sessions(self, before: datetime, limit: int) -> int:
        """Delete sessions whose time was over before a moment; return how many."""
        return _count(await self._tx.execute(_SESSIONS, before, limit))

    async def delete_contact_reads(self, before: datetime, limit: int) -> int:
        """Delete records of contact readings from before a moment; return how many."""
        return _count(await self._tx.execute(_CONTACT_READS, before, limit))

    async def delete_drafts(self, before: datetime, limit: int) -> int:
        """Delete drafts last touched before a moment; one that somebody changes just now stays."""
        ids = [row["case_id"] for row in await self._tx.fetch(_DRAFTS, before, limit)]
        if ids:
            for table in ("case_timeline", "case_part", "service_case"):
                await self._tx.execute(f"delete from {table} where case_id = any($1)", ids)  # noqa: S608
        return len(ids)

    async def delete_entrustments(self, before: datetime, limit: int) -> int:
        """Delete entrustments that were over before a moment; return how many."""
        return _count(await self._tx.execute(_ENTRUSTMENTS, before, limit))

    async def delete_replaced_changes(
        self, before: datetime, after: Place | None, limit: int
    ) -> tuple[int, Place | None]:
        """Delete, of some changes in order of time, those with a newer one of the same part and department."""
        rows = await self._tx.fetch(_CHANGES, before, *(after or _LONG_AGO), limit)
        if not rows:
            return 0, None
        pairs = [row["department_code"] for row in rows], [row["revision"] for row in rows]
        count = _count(await self._tx.execute(_REPLACED, *pairs))
        changed_at, department_code, revision = rows[-1].values()
        return count, (changed_at, department_code, revision) if len(rows) == limit else None

    async def files_of_cases(self, after: str, limit: int) -> tuple[set[str], str | None]:
        """Return the files of some cases, in order of the ids. Raises FIELD_UNREADABLE."""
        rows = await self._tx.fetch(_CASES, after, limit)
        found = {row["file_id"] for row in rows if row["file_id"]}
        for row in rows:
            found.update(_files(open_content(self._cipher, row["content"])))
        return found, rows[-1]["case_id"] if len(rows) == limit else None

    async def unreferenced_since(self) -> dict[str, datetime]:
        """Return the files known to belong to no case, and since when."""
        rows = await self._tx.fetch("select file_id, seen_at from unreferenced_file")
        return {row["file_id"]: row["seen_at"] for row in rows}

    async def note_unreferenced(self, file_ids: Sequence[str], *, gone: Sequence[str] = ()) -> None:
        """Note files that belong to no case, from now on if they were not noted, and forget others."""
        await self._tx.execute("delete from unreferenced_file where file_id = any($1)", gone)
        await self._tx.execute(
            "insert into unreferenced_file select unnest($1::text[]), $2 on conflict do nothing",
            file_ids,
            self._tx.now(),
        )

    async def record(self, what: str, past: datetime, deleted: int) -> None:
        """Record a deletion. Raises AUDIT_UNWRITABLE."""
        values = (uuid_utils.compat.uuid7(), what, past, deleted, self._tx.now())
        with recording("retention_run"):
            await self._tx.execute(
                f"insert into retention_run ({RETENTION_RUN.names}) values ($1, $2, $3, $4, $5, $6)",  # noqa: S608
                *RETENTION_RUN.coded(self._cipher, values),
            )


class RetentionWorks:
    """Opens transactions: ``async with works() as work``."""

    def __init__(self, database: Database, cipher: FieldCipher) -> None:
        self._database, self._cipher = database, cipher

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[RetentionRows]:
        """Open a transaction; it commits at the end of the block."""
        async with self._database.transaction() as tx:
            yield RetentionRows(tx, self._cipher)


def _files(content: Content) -> Iterable[str]:
    for supplies in (content.supplies, content.staged_supplies, *content.part_supplies.values()):
        yield from (each.file_id for each in supplies.values() if each.file_id)


def _count(tag: str) -> int:
    return int(tag.rsplit(maxsplit=1)[-1])
