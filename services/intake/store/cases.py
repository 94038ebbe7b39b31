"""Cases in PostgreSQL: loaded whole, saved under the version they were loaded with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from asyncpg import Record

from chassis.db import Transaction
from chassis.errors import ETAG_MISMATCH
from chassis.fields import FieldCipher
from services.intake.domain.cases.case import Case, CaseState
from services.intake.domain.cases.deadlines import PartDeadline
from services.intake.domain.cases.plan import CasePlan
from services.intake.domain.cases.states import PartState
from services.intake.store.case_content import PlanCache, dump_plan
from services.intake.store.case_rows import (
    CASE_COLUMNS,
    PART_COLUMNS,
    SIGNATURE_COLUMNS,
    case_of,
    case_values,
    part_values,
    signature_values,
)
from services.intake.usecases.cases.ports import CaseSummary, PartSummary

_INSERT_CASE = """
insert into service_case (
  case_id, person_id, version, state, case_no, title, county_code, target_kind, target_id, plan_digest,
  terminal_id, assurance, content, digest, receipt, created_at, submitted_at, withdrawn_at, closed_at,
  archived_at, rated_at, handled_by, entrustment_id)
values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23)
"""
_PAGE = """($2::timestamptz is null or (created_at, case_id) < ($2, $3))
  order by created_at desc, case_id desc limit $4"""
_SUMMARY = "case_id, case_no, title, county_code, state, created_at, submitted_at, closed_at"
_LIST_OWN = f"select {_SUMMARY} from service_case where person_id = $1 and {_PAGE}"  # noqa: S608 - constants
_LIST_ENTRUSTED = f"""
select {_SUMMARY} from (
  (select {_SUMMARY} from service_case where person_id = $1 and {_PAGE})
  union
  (select {_SUMMARY} from service_case where entrustment_id = any($5) and {_PAGE})
) found order by created_at desc, case_id desc limit $4
"""  # noqa: S608 - constants
_UPDATE_CASE = """
update service_case set version = $3, state = $4, case_no = $5, content = $6, digest = $7, receipt = $8,
  submitted_at = $9, withdrawn_at = $10, closed_at = $11, archived_at = $12, rated_at = $13, touched_at = $14
where case_id = $1 and version = $2
"""
_WRITE_PART = """
insert into case_part as old (
  part_id, case_id, position, department_code, item_code, state, version, project_no, claimed_by,
  promised_due, promised_pending, statutory_due, statutory_pending, calendar_version, received_at,
  submitted_at, accepted_at, deemed, supplement_requested_at, decided_at, completed_at, licence_id,
  licence_identifier, licence_name, texts, changed_at)
values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22,$23,$24,$25,$26)
on conflict (part_id) do update set
  state = excluded.state, version = excluded.version, project_no = excluded.project_no,
  claimed_by = excluded.claimed_by, promised_due = excluded.promised_due,
  promised_pending = excluded.promised_pending, statutory_due = excluded.statutory_due,
  statutory_pending = excluded.statutory_pending, calendar_version = excluded.calendar_version,
  received_at = excluded.received_at, submitted_at = excluded.submitted_at,
  accepted_at = excluded.accepted_at, deemed = excluded.deemed,
  supplement_requested_at = excluded.supplement_requested_at, decided_at = excluded.decided_at,
  completed_at = excluded.completed_at, licence_id = excluded.licence_id,
  licence_identifier = excluded.licence_identifier, licence_name = excluded.licence_name,
  texts = excluded.texts,
  changed_at = excluded.changed_at
where old.version < excluded.version
"""
_WRITE_SIGNATURE = """
insert into part_signature (part_id, position, staff_id, decision, opinion, signed_at, mac)
values ($1,$2,$3,$4,$5,$6,$7) on conflict (part_id, position) do nothing
"""


class CaseRows:
    """The cases, within one transaction."""

    def __init__(self, tx: Transaction, cipher: FieldCipher, plans: PlanCache) -> None:
        self._tx, self._cipher, self._plans = tx, cipher, plans

    async def add(self, case: Case) -> None:
        """Store a new draft; its plan is stored once for all cases that share it."""
        digest, text = dump_plan(case.plan)
        await self._tx.execute(
            "insert into case_plan (plan_digest, plan) values ($1, $2::text::jsonb) on conflict do nothing",
            digest,
            text,
        )
        await self._tx.execute(_INSERT_CASE, *case_values(self._cipher, case, digest))
        await self._write_parts(case)

    async def load(self, case_id: str, *, lock: bool = False) -> Case | None:
        """Return a case with everything in it, or None; ``lock`` holds its row until the commit.

        Without the lock the case's own row is read last: a part may then be older than the content
        beside it, never newer, and whoever acts on its etag is told that it changed meanwhile.
        """
        if lock:
            row = await self._case_row(case_id, "for update")
            parts, signatures = await self._part_rows(case_id)
        else:
            parts, signatures = await self._part_rows(case_id)
            row = await self._case_row(case_id)
        if row is None:
            return None
        return case_of(self._cipher, row, await self._plan(row["plan_digest"]), parts, signatures)

    async def load_by_part(self, part_id: str, *, lock: bool = False) -> Case | None:
        """Return the case a part belongs to, or None."""
        case_id = await self._tx.fetchval("select case_id from case_part where part_id = $1", part_id)
        return await self.load(case_id, lock=lock) if case_id else None

    async def save(self, case: Case) -> None:
        """Store the case and its changed parts. Raises ETAG_MISMATCH if its version moved on meanwhile."""
        values = case_values(self._cipher, case, "")
        done = await self._tx.execute(
            _UPDATE_CASE,
            case.case_id,
            case.version - len(case.happened),
            *values[2:5],
            *values[12:15],
            *values[16:21],
            self._tx.now(),
        )
        if done != "UPDATE 1":
            raise ETAG_MISMATCH()
        await self._write_parts(case)

    async def list_of_person(
        self,
        person_id: str,
        *,
        before: tuple[datetime, str] | None,
        limit: int,
        entrustment_ids: Sequence[str] = (),
    ) -> Sequence[CaseSummary]:
        """Return the person's cases and those begun under some entrustments, newest first."""
        rows = await self._tx.fetch(
            _LIST_ENTRUSTED if entrustment_ids else _LIST_OWN,
            person_id,
            *(before or (None, None)),
            limit,
            *([[UUID(each) for each in entrustment_ids]] if entrustment_ids else ()),
        )
        return [
            CaseSummary(
                row["case_id"],
                row["case_no"],
                row["title"],
                row["county_code"],
                CaseState(row["state"]),
                row["created_at"],
                row["submitted_at"],
                row["closed_at"],
            )
            for row in rows
        ]

    async def list_of_department(
        self,
        department_code: str,
        states: Sequence[PartState],
        *,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[PartSummary]:
        """Return the department's submitted parts, newest change first."""
        rows = await self._tx.fetch(
            """
            select p.part_id, p.case_id, c.case_no, c.plan_digest, p.position, p.item_code, p.state,
              p.claimed_by, p.promised_due, p.promised_pending, p.calendar_version, p.submitted_at, p.changed_at
            from case_part p join service_case c using (case_id)
            where p.department_code = $1 and p.state <> 'draft'
              and (cardinality($2::text[]) = 0 or p.state = any($2))
              and ($3::timestamptz is null or (p.changed_at, p.part_id) < ($3, $4))
            order by p.changed_at desc, p.part_id desc limit $5
            """,
            department_code,
            [state.value for state in states],
            *(before or (None, None)),
            limit,
        )
        found = []
        for row in rows:
            item = (await self._plan(row["plan_digest"])).items[row["position"]]
            found.append(
                PartSummary(
                    row["part_id"],
                    row["case_id"],
                    row["case_no"],
                    row["item_code"],
                    item.item_name,
                    PartState(row["state"]),
                    row["claimed_by"],
                    PartDeadline(
                        item.promised, row["promised_due"], row["promised_pending"], row["calendar_version"]
                    ),
                    row["submitted_at"],
                    row["changed_at"],
                )
            )
        return found

    async def next_sequence(self, prefix: str, day: date) -> int:
        """Return the next number of a prefix and day; the counter is locked until the commit."""
        number = await self._tx.fetchval(
            """
            insert into case_sequence as old (prefix, day, last_number) values ($1, $2, 1)
            on conflict (prefix, day) do update set last_number = old.last_number + 1
            returning last_number
            """,
            prefix,
            day,
        )
        return int(number)

    async def silent_parts(self, received_before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """Return (case_id, part_id) of submitted parts received before a moment, oldest first."""
        rows = await self._tx.fetch(
            """
            select case_id, part_id from case_part
            where state = 'submitted' and received_at < $1 order by received_at limit $2
            """,
            received_before,
            limit,
        )
        return [(row["case_id"], row["part_id"]) for row in rows]

    async def pending_deadlines(self, limit: int, *, after: str = "") -> Sequence[tuple[str, str]]:
        """Return (case_id, part_id) of undecided parts whose deadline waits for a calendar year."""
        rows = await self._tx.fetch(
            """
            select case_id, part_id from case_part
            where (promised_pending or statutory_pending) and state in ('accepted', 'reviewed')
              and part_id > $1
            order by part_id limit $2
            """,
            after,
            limit,
        )
        return [(row["case_id"], row["part_id"]) for row in rows]

    async def _case_row(self, case_id: str, locking: str = "") -> Record | None:
        return await self._tx.fetchrow(
            f"select {CASE_COLUMNS} from service_case where case_id = $1 {locking}",  # noqa: S608
            case_id,
        )

    async def _part_rows(self, case_id: str) -> tuple[list[Record], list[Record]]:
        parts = await self._tx.fetch(f"select {PART_COLUMNS} from case_part where case_id = $1", case_id)  # noqa: S608
        signatures = await self._tx.fetch(
            f"select {SIGNATURE_COLUMNS} from part_signature where part_id = any($1) order by part_id, position",  # noqa: S608
            [part["part_id"] for part in parts],
        )
        return parts, signatures

    async def _write_parts(self, case: Case) -> None:
        now = self._tx.now()
        await self._tx.executemany(
            _WRITE_PART,
            [part_values(self._cipher, case, at, part, now) for at, part in enumerate(case.parts)],
        )
        signatures = [row for part in case.parts for row in signature_values(self._cipher, part)]
        if signatures:
            await self._tx.executemany(_WRITE_SIGNATURE, signatures)

    async def _plan(self, digest: str) -> CasePlan:
        known = self._plans.get(digest)
        if known is not None:
            return known
        text = await self._tx.fetchval("select plan::text from case_plan where plan_digest = $1", digest)
        return self._plans.read(digest, text)
