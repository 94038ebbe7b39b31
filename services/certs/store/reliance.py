"""Who relied on licences, their falls, and the flags of departments."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chassis.audit import recording
from chassis.db import Transaction
from services.certs.domain.reliance import (
    Acknowledgement,
    Fall,
    FallCause,
    Flag,
    RelianceOutcome,
    Relied,
    relies,
)
from services.certs.domain.usage import Usage
from services.certs.store.coded import RELIANCE_FLAG
from services.certs.store.licences import as_uuid
from services.certs.store.sealing import Vault
from services.certs.usecases.recourse_ports import DepartmentReliance

_RELY = """
with held as (
  select licence_id, version, content_key, sealed_sha256 from licence where licence_id = any($2::uuid[])
  order by licence_id for share),
relied as (
  insert into reliance (usage_id, licence_id, licence_version, content_digest, consumer_code, consumer_name,
    case_id, item_code, used_at)
  select u.usage_id, h.licence_id, coalesce(nullif(u.version, 0), h.version),
    coalesce(h.content_key, decode(h.sealed_sha256, 'hex')), u.consumer_code, u.consumer_name, u.case_id,
    u.item_code, u.used_at
  from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::timestamptz[]) as u (usage_id, licence_id, version, consumer_code, consumer_name, case_id, item_code, used_at)
  join held h using (licence_id)
  returning licence_id, licence_version)
update licence_fall f set spread_at = null from relied r
where f.licence_id = r.licence_id and f.version > r.licence_version and f.spread_at is not null
"""
_UNRELIED = """
update licence_fall f set spread_at = $1
where (f.licence_id, f.version) in (
    select licence_id, version from licence_fall where spread_at is null order by fell_at limit $2
    for update skip locked)
  and not exists (
    select from reliance r where r.licence_id = f.licence_id and r.licence_version < f.version)
"""
_CLAIM = """
select licence_id, version, cause, effective_at, fell_at from licence_fall where spread_at is null
order by fell_at, licence_id, version limit $1 for update skip locked
"""
_RELIED = """
with pairs as (
  select distinct r.consumer_code, r.case_id from reliance r
  where r.licence_id = $1 and r.licence_version < $2
    and not exists (
      select from reliance_flag f where f.licence_id = r.licence_id and f.fall_version = $2
        and f.consumer_code = r.consumer_code and f.case_id = r.case_id)
    and not exists (
      select from reliance_flag f where f.licence_id = r.licence_id and f.outcome = 'reopened'
        and f.relied_version >= r.licence_version
        and f.consumer_code = r.consumer_code and f.case_id = r.case_id)
  order by 1, 2 limit $3)
select r.licence_id, r.licence_version, r.consumer_code, r.case_id, r.item_code, r.used_at
from reliance r join pairs using (consumer_code, case_id)
where r.licence_id = $1 and r.licence_version < $2
"""
_ADD_FLAG = f"""
insert into reliance_flag ({RELIANCE_FLAG.names}) values ({", ".join(f"${n}" for n in range(1, 19))})
on conflict on constraint reliance_flag_once do nothing returning flag_id
"""  # noqa: S608 - constants
_COUNTS = """
select r.consumer_code, max(r.consumer_name) as consumer_name, count(distinct r.case_id) as cases,
  (select count(*) from reliance_flag f where f.licence_id = $1 and f.consumer_code = r.consumer_code
     and f.outcome is null) as unanswered
from reliance r where r.licence_id = $1 group by r.consumer_code order by r.consumer_code
"""
_END = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


async def rely(tx: Transaction, usages: Sequence[Usage]) -> None:
    """Store who relied on what by these uses, if anybody did, in one statement.

    The licences' rows are held: a fall at the same time sees the reliance, or the reliance that comes
    after it has the fall told once more, to those who were not told.
    """
    relying = [each for each in usages if relies(each)]
    if not relying:
        return
    with recording("reliance"):
        await tx.execute(
            _RELY,
            [UUID(each.usage_id) for each in relying],
            [UUID(each.licence_id) for each in relying],
            [each.version_given for each in relying],
            [each.reader.code for each in relying],
            [each.reader.name for each in relying],
            [each.purpose.case_id for each in relying],
            [each.purpose.item_code for each in relying],
            [each.used_at for each in relying],
        )


class RelianceStore:
    """Reliances of one open transaction; implements the port Reliances."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def claim_falls(self, limit: int) -> list[Fall]:
        """Settle falls that touch nobody, lock and return the next others."""
        await self._tx.execute(_UNRELIED, self._tx.now(), limit)
        return [_fall(row, row["version"]) for row in await self._tx.fetch(_CLAIM, limit)]

    async def relied_on(self, fall: Fall, limit: int) -> list[Relied]:
        """Return the uses of the next pairs of department and case that were not told."""
        rows = await self._tx.fetch(_RELIED, UUID(fall.licence_id), fall.version, limit)
        return [Relied(str(row["licence_id"]), *list(row)[1:]) for row in rows]

    async def add_flags(self, flags: Sequence[Flag]) -> set[str]:
        """Store flags; one of a department, case and fall that has one stays out."""
        added = set()
        for flag in flags:
            found = await self._tx.fetchval(_ADD_FLAG, *self._coded(flag))
            added |= {str(found)} if found else set()
        return added

    async def end_fall(self, fall: Fall, now: datetime) -> None:
        """Note that everybody has been told."""
        await self._tx.execute(
            "update licence_fall set spread_at = $3 where licence_id = $1 and version = $2",
            UUID(fall.licence_id),
            fall.version,
            now,
        )

    async def lock_flag(self, flag_id: str) -> Flag | None:
        """Return a flag and hold its row."""
        key = as_uuid(flag_id)
        row = key and await self._tx.fetchrow(
            f"select {RELIANCE_FLAG.names} from reliance_flag where flag_id = $1 for update",  # noqa: S608
            key,
        )
        return self._flag(row) if row else None

    async def save_answer(self, flag: Flag) -> None:
        """Store a flag's answer with the row's new code."""
        answer = flag.answer
        assert answer is not None
        await self._tx.execute(
            """
            update reliance_flag set outcome = $2, reason = $3, operator = $4, acknowledged_at = $5, version = $6,
              mac = $7 where flag_id = $1
            """,
            UUID(flag.flag_id),
            answer.outcome,
            answer.reason,
            answer.operator,
            answer.acknowledged_at,
            flag.version,
            self._coded(flag)[-1],
        )

    async def flags_of(
        self,
        consumer_code: str,
        case_id: str,
        before: tuple[datetime, str] | None,
        limit: int,
        *,
        open_only: bool,
    ) -> list[Flag]:
        """Return a department's flags, newest first."""
        flagged_at, flag_id = (before[0], UUID(before[1])) if before else _END
        rows = await self._tx.fetch(
            f"""
            select {RELIANCE_FLAG.names} from reliance_flag
            where consumer_code = $1 and (flagged_at, flag_id) < ($2, $3) and ($4 = '' or case_id = $4)
              and (outcome is null or not $5)
            order by flagged_at desc, flag_id desc limit $6
            """,  # noqa: S608 - constants
            consumer_code,
            flagged_at,
            flag_id,
            case_id,
            open_only,
            limit,
        )
        return [self._flag(row) for row in rows]

    async def counts(self, licence_id: str) -> list[DepartmentReliance]:
        """Return who relied on a licence."""
        key = as_uuid(licence_id)
        rows = await self._tx.fetch(_COUNTS, key) if key else []
        return [DepartmentReliance(*list(row)) for row in rows]

    def _coded(self, flag: Flag) -> tuple[object, ...]:
        fall, answer = flag.fall, flag.answer
        values = (
            UUID(flag.flag_id),
            UUID(fall.licence_id),
            fall.version,
            fall.cause.value,
            fall.effective_at,
            fall.fell_at,
            flag.consumer_code,
            flag.case_id,
            list(flag.item_codes),
            flag.relied_version,
            flag.last_used_at,
            flag.flagged_at,
            answer.outcome.value if answer and answer.outcome else None,
            answer.reason if answer else "",
            answer.operator if answer else "",
            answer.acknowledged_at if answer else None,
            flag.version,
        )
        return self._vault.coded(RELIANCE_FLAG, values)

    def _flag(self, row: Any) -> Flag:
        self._vault.check_row(RELIANCE_FLAG, row)
        answer = None
        if row["outcome"]:
            outcome = RelianceOutcome(row["outcome"])
            answer = Acknowledgement(outcome, row["reason"], row["operator"], row["acknowledged_at"])
        return Flag(
            str(row["flag_id"]),
            _fall(row, row["fall_version"]),
            row["consumer_code"],
            row["case_id"],
            tuple(row["item_codes"]),
            row["relied_version"],
            row["last_used_at"],
            row["flagged_at"],
            answer,
            row["version"],
        )


def _fall(row: Any, version: int) -> Fall:
    return Fall(str(row["licence_id"]), version, FallCause(row["cause"]), row["effective_at"], row["fell_at"])
