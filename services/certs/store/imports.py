"""Imports, set by set: every call is one statement over arrays, however many rows it carries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from chassis.errors import Violation, declared
from services.certs.domain.importing import Outcome, RowAnswer
from services.certs.store.coded import STATUS_CHANGE
from services.certs.store.licences import ADD_CHANGE
from services.certs.store.sealing import Vault
from services.certs.store.use_codes import UseCodeStore
from services.certs.usecases.ports import Entry, Held, Replaced

_INSERT = """
insert into licence (licence_id, lineage_id, identifier, identifier_key, type_code, type_name, issuer_code,
  issuer_name, county_code, holder_key, subject, face, content_key, issued_date, valid_from, valid_until,
  status, origin, trust_grade, quality_flags, version, serial_version, case_id, part_id, item_code,
  created_at, updated_at)
select u.licence_id, u.lineage_id, u.identifier, u.identifier_key, u.type_code, u.type_name, u.issuer_code,
  u.issuer_name, u.county_code, u.holder_key, u.subject, u.face, u.content_key, u.issued_date, u.valid_from,
  u.valid_until, u.status, 'imported', u.trust_grade, string_to_array(u.flags, ' '), u.version,
  u.serial_version, '', '', '', $21, $21
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::text[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[], $14::date[], $15::date[], $16::date[],
  $17::text[], $18::text[], $19::text[], $20::smallint[], $22::bigint[])
  as u (licence_id, lineage_id, identifier, identifier_key, type_code, type_name, issuer_code, issuer_name,
  county_code, holder_key, subject, face, content_key, issued_date, valid_from, valid_until, status,
  trust_grade, flags, serial_version, version)
order by u.identifier_key
on conflict (identifier_key) do nothing
returning licence_id
"""
_KEEP_PAST = """
insert into licence_past (licence_id, version, type_name, issuer_name, subject, face, issued_date, valid_from,
  valid_until, status, quality_flags, replaced_at)
select licence_id, version, type_name, issuer_name, subject, face, issued_date, valid_from, valid_until,
  status, quality_flags, $2 from licence where licence_id = any($1)
"""
_REPLACE = """
update licence l set type_code = u.type_code, type_name = u.type_name, issuer_code = u.issuer_code,
  issuer_name = u.issuer_name, holder_key = u.holder_key, subject = u.subject, face = u.face,
  content_key = u.content_key, issued_date = u.issued_date, valid_from = u.valid_from,
  valid_until = u.valid_until, status = u.status, trust_grade = u.trust_grade,
  quality_flags = string_to_array(u.flags, ' '), identifier = u.identifier, version = u.version,
  updated_at = $21
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[],
  $9::text[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[], $14::date[], $15::date[], $16::date[],
  $17::text[], $18::text[], $19::text[], $20::smallint[], $22::bigint[])
  as u (licence_id, lineage_id, identifier, identifier_key, type_code, type_name, issuer_code, issuer_name,
  county_code, holder_key, subject, face, content_key, issued_date, valid_from, valid_until, status,
  trust_grade, flags, serial_version, version)
where l.licence_id = u.licence_id
"""
_REPLACE_OLDER = """
with newest as (
  select lineage_id, county_code, max(serial_version) as serial_version from licence
  where lineage_id in (select lineage_id from licence where licence_id = any($1))
  group by lineage_id, county_code),
older as (
  select l.licence_id, l.status as previous from licence l join newest n using (lineage_id, county_code)
  where l.serial_version < n.serial_version and l.status in ('valid', 'suspended', 'expired')
    and l.origin = 'imported'
  order by l.licence_id for update of l)
update licence l set status = 'replaced', version = l.version + 1, updated_at = $2
from older where l.licence_id = older.licence_id
returning l.licence_id, l.identifier, older.previous, l.version
"""
_REMEMBER = """
insert into import_answer (caller, batch_id, row_number, content_key, outcome, licence_id, quality_flags,
  problems, answered_at)
select $1, $2, u.row_number, u.content_key, u.outcome, u.licence_id, string_to_array(u.flags, ' '),
  u.problems, $9
from unnest($3::integer[], $4::bytea[], $5::text[], $6::uuid[], $7::text[], $8::jsonb[])
  as u (row_number, content_key, outcome, licence_id, flags, problems)
"""
REPLACED = ("replaced", "replace", "换发", "新版本证照已入库", "certs")
CHANGED_BY = "service/certs"


class ImportStore:
    """The set-based side of one open transaction; implements the port Imports."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def answered(
        self, caller: str, batch_id: str, row_numbers: Sequence[int]
    ) -> dict[int, tuple[bytes, RowAnswer]]:
        """Return the stored answers of rows with the content keys they answered."""
        rows = await self._tx.fetch(
            """
            select row_number, content_key, outcome, licence_id, quality_flags, problems from import_answer
            where caller = $1 and batch_id = $2 and row_number = any($3::integer[])
            """,
            caller,
            batch_id,
            list(row_numbers),
        )
        return {row["row_number"]: (row["content_key"], _answer(row)) for row in rows}

    async def lock_held(self, identifier_keys: Sequence[bytes]) -> dict[bytes, Held]:
        """Lock and return what is held; rows are locked in the order of their keys, so imports never deadlock."""
        rows = await self._tx.fetch(
            """
            select licence_id, identifier_key, origin, status, county_code, version, content_key from licence
            where identifier_key = any($1::bytea[]) order by identifier_key for update
            """,
            sorted(identifier_keys),
        )
        return {
            bytes(row["identifier_key"]): Held(
                str(row["licence_id"]),
                row["origin"],
                row["status"],
                row["county_code"],
                row["version"],
                row["content_key"] or b"",
            )
            for row in rows
        }

    async def insert(self, entries: Sequence[Entry]) -> set[str]:
        """Insert licences; return the ids of those that nobody inserted meanwhile."""
        if not entries:
            return set()
        rows = await self._tx.fetch(_INSERT, *self._columns(entries))
        inserted = {str(row["licence_id"]) for row in rows}
        await self._add_co_holders([each for each in entries if each[0].licence_id in inserted])
        return inserted

    async def replace(self, entries: Sequence[Entry]) -> None:
        """Replace the content of locked licences; what was there goes to ``licence_past``.

        Where the holder becomes another, the use-codes the former one gave are revoked: nobody agrees
        for somebody else.
        """
        if not entries:
            return
        ids = [UUID(licence.licence_id) for licence, _, _ in entries]
        holders = [sealed.holder_keys[0] for _, sealed, _ in entries]
        codes = UseCodeStore(self._tx, self._vault)
        await codes.revoke_of_former_holders(ids, holders, self._tx.now())
        await self._tx.execute(_KEEP_PAST, ids, self._tx.now())
        await self._tx.execute(_REPLACE, *self._columns(entries))
        await self._tx.execute("delete from licence_co_holder where licence_id = any($1)", ids)
        await self._add_co_holders(entries)

    async def replace_older_versions(self, licence_ids: Sequence[str]) -> list[Replaced]:
        """Mark older imported versions of the licences' lineages as replaced."""
        now = self._tx.now()
        rows = await self._tx.fetch(_REPLACE_OLDER, [UUID(each) for each in licence_ids], now)
        if rows:
            changes = [
                (
                    *(row[name] for name in ("licence_id", "version", "previous")),
                    *REPLACED,
                    now,
                    now,
                    CHANGED_BY,
                )
                for row in rows
            ]
            await self._tx.executemany(
                ADD_CHANGE, [self._vault.coded(STATUS_CHANGE, each) for each in changes]
            )
        return [
            Replaced(str(row["licence_id"]), row["identifier"], row["previous"], row["version"])
            for row in rows
        ]

    async def remember(self, caller: str, batch_id: str, answers: Sequence[tuple[bytes, RowAnswer]]) -> None:
        """Store the answers of rows."""
        if not answers:
            return
        await self._tx.execute(
            _REMEMBER,
            caller,
            batch_id,
            [answer.row_number for _, answer in answers],
            [key for key, _ in answers],
            [answer.outcome for _, answer in answers],
            [UUID(answer.licence_id) if answer.licence_id else None for _, answer in answers],
            [" ".join(answer.quality_flags) for _, answer in answers],
            [json.dumps([_problem(each) for each in answer.problems]) for _, answer in answers],
            self._tx.now(),
        )

    async def _add_co_holders(self, entries: Sequence[Entry]) -> None:
        pairs = {
            (licence.licence_id, key) for licence, sealed, _ in entries for key in sealed.holder_keys[1:]
        }
        if pairs:
            ids, keys = zip(*sorted(pairs), strict=True)
            await self._tx.execute(
                "insert into licence_co_holder (licence_id, holder_key)"
                " select u.licence_id, u.holder_key from unnest($1::uuid[], $2::bytea[])"
                " as u (licence_id, holder_key)",
                [UUID(each) for each in ids],
                list(keys),
            )

    def _columns(self, entries: Sequence[Entry]) -> list[object]:
        """Return the parameters of `_INSERT` and `_REPLACE`: one array per column, the time in between."""
        columns = [list(column) for column in zip(*map(_row, entries), strict=True)]
        return [*columns[:20], self._tx.now(), columns[20]]


def _row(entry: Entry) -> tuple[object, ...]:
    licence, sealed, content_key = entry
    return (
        UUID(licence.licence_id),
        sealed.lineage_id,
        sealed.public_identifier,
        sealed.identifier_key,
        licence.type_code,
        licence.type_name,
        licence.issuer_code,
        licence.issuer_name,
        licence.county_code,
        sealed.holder_keys[0],
        sealed.subject,
        sealed.face,
        content_key,
        licence.issued_date,
        licence.valid_from,
        licence.valid_until,
        licence.status,
        licence.trust_grade,
        " ".join(licence.quality_flags),
        licence.serial_version,
        licence.version,
    )


def _problem(problem: Violation) -> dict[str, Any]:
    return {"field": problem.field_path, "reason": problem.reason.code, "metadata": problem.metadata}


def _answer(row: Any) -> RowAnswer:
    reasons = {each.code: each for each in declared()}
    problems = tuple(
        Violation(each["field"], reasons[each["reason"]], each["metadata"])
        for each in json.loads(row["problems"])
        if each["reason"] in reasons
    )
    licence_id = str(row["licence_id"]) if row["licence_id"] else ""
    return RowAnswer(
        row["row_number"], Outcome(row["outcome"]), licence_id, tuple(row["quality_flags"]), problems
    )
