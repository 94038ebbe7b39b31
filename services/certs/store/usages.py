"""The usage record: appended in sets, read by holder, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chassis.audit import recording
from chassis.db import Transaction
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, ShownUse, Usage, UsageKind
from services.certs.store.coded import USAGE
from services.certs.store.sealing import Vault

_PAGE = f"""
select u.usage_id, u.kind, u.licence_id, u.use_code_id, u.consumer_code, u.consumer_name,
  u.consumer_is_department, u.item_code, u.case_id, u.use_cause, u.basis, u.outcome, u.used_at,
  u.holder_key, u.mac, coalesce(l.type_name, '') as type_name
from (
  (select {USAGE.names} from usage where holder_key = $1 and (used_at, usage_id) < ($2, $3)
   order by used_at desc, usage_id desc limit $4)
  union
  (select {USAGE.names} from usage
   where licence_id in (select licence_id from licence_co_holder where holder_key = $1)
     and (used_at, usage_id) < ($2, $3)
   order by used_at desc, usage_id desc limit $4)
) u left join licence l on l.licence_id = u.licence_id
order by u.used_at desc, u.usage_id desc limit $4
"""  # noqa: S608 - constants
_END = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class UsageStore:
    """The usage record of one open transaction; implements the port Usages."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def add(self, usages: Sequence[Usage]) -> None:
        """Append lines in one statement. Raises AUDIT_UNWRITABLE."""
        columns = zip(*map(self._row, usages), strict=True)
        with recording("usage"):
            await self._tx.execute(
                f"""
                insert into usage ({USAGE.names})
                select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::text[],
                  $7::boolean[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                  $13::timestamptz[], $14::bytea[], $15::bytea[])
                """,  # noqa: S608 - constants
                *(list(column) for column in columns),
            )

    async def of_holder(
        self, id_type_code: str, id_number: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[ShownUse]:
        """Return the uses of a holder's licences, newest first. Raises ROW_ALTERED."""
        used_at, usage_id = (before[0], UUID(before[1])) if before else _END
        key = self._vault.holder_key(id_type_code, id_number)
        rows = await self._tx.fetch(_PAGE, key, used_at, usage_id, limit)
        for row in rows:
            self._vault.check_row(USAGE, row)
        return [ShownUse(_usage(row), row["type_name"]) for row in rows]

    def _row(self, usage: Usage) -> tuple[object, ...]:
        holder, purpose, reader = usage.holder, usage.purpose, usage.reader
        values = (
            UUID(usage.usage_id),
            usage.kind,
            UUID(usage.licence_id) if usage.licence_id else None,
            UUID(usage.use_code_id) if usage.use_code_id else None,
            reader.code,
            reader.name,
            reader.is_department,
            purpose.item_code,
            purpose.case_id,
            purpose.use_cause,
            purpose.basis or "",
            usage.outcome,
            usage.used_at,
            self._vault.holder_key(holder.id_type_code, holder.id_number) if holder else None,
        )
        return self._vault.coded(USAGE, values)


def _usage(row: Any) -> Usage:
    basis = Basis(row["basis"]) if row["basis"] else None
    return Usage(
        str(row["usage_id"]),
        UsageKind(row["kind"]),
        Reader(row["consumer_code"], row["consumer_name"], row["consumer_is_department"]),
        Purpose(row["use_cause"], basis, row["item_code"], row["case_id"]),
        row["used_at"],
        row["outcome"],
        str(row["licence_id"]) if row["licence_id"] else "",
        str(row["use_code_id"]) if row["use_code_id"] else "",
    )
