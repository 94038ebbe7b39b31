"""The parts of cases that intake told of: which department handles which item in which case."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from chassis.db import Transaction
from services.certs.domain.use_code import CasePart


class CasePartStore:
    """The case parts of one open transaction; implements the port CaseParts."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def know(self, parts: Sequence[CasePart], now: datetime) -> None:
        """Keep parts in one statement."""
        await self._tx.execute(
            """
            insert into case_part (case_id, part_id, item_code, department_code, known_at)
            select u.*, $5 from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as u
            on conflict (case_id, part_id) do nothing
            """,
            [each.case_id for each in parts],
            [each.part_id for each in parts],
            [each.item_code for each in parts],
            [each.department_code for each in parts],
            now,
        )

    async def close(self, case_id: str, now: datetime) -> None:
        """Note that a case is over; the first time counts."""
        await self._tx.execute(
            "update case_part set closed_at = $2 where case_id = $1 and closed_at is null", case_id, now
        )

    async def find(self, case_id: str, item_code: str, department_code: str) -> CasePart | None:
        """Return the part, an open one before a closed one."""
        row = await self._tx.fetchrow(
            """
            select case_id, part_id, item_code, department_code, closed_at from case_part
            where case_id = $1 and item_code = $2 and department_code = $3
            order by closed_at nulls first, part_id limit 1
            """,
            case_id,
            item_code,
            department_code,
        )
        return CasePart(**dict(row)) if row else None

    async def is_known(self, case_id: str) -> bool:
        """Say whether any part of a case is on record."""
        query = "select exists (select from case_part where case_id = $1)"
        found: bool = await self._tx.fetchval(query, case_id)
        return found

    async def is_closed(self, case_id: str) -> bool:
        """Say whether a case is known and over."""
        found: bool | None = await self._tx.fetchval(
            "select bool_and(closed_at is not null) from case_part where case_id = $1", case_id
        )
        return bool(found)
