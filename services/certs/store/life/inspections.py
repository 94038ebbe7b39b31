"""Annual inspections, and the walk over all licences that schedules them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.life.inspection import Inspection, InspectionState
from services.certs.store.coded import LICENCE_INSPECTION
from services.certs.store.sealing import Vault
from services.certs.usecases.life.ports import Place, Walked

_READ = f"select {', '.join(f'i.{n.strip()}' for n in LICENCE_INSPECTION.names.split(','))} from licence_inspection i"  # noqa: S608
_INSERT = f"""insert into licence_inspection ({LICENCE_INSPECTION.names})
 values ({", ".join(f"${n}" for n in range(1, 12))}) on conflict do nothing"""  # noqa: S608 - constants
_SAVE = """
update licence_inspection set licence_id = $3, state = $4, settled_at = $5, order_id = $6, mac = $7
where lineage_id = $1 and cycle = $2
"""
_LOCK = f"""{_READ} where i.lineage_id = $1 and (i.cycle = $2 or ($2 = 0
 and i.state in ('scheduled', 'due', 'overdue', 'failed'))) order by i.cycle limit 1 for update"""
_MOVING = f"""
({_READ} where i.state = 'scheduled' and i.opens_at <= $1 order by i.opens_at limit $2)
union all ({_READ} where i.state in ('due', 'failed') and i.due_by <= $1 order by i.due_by limit $2)
limit $2
"""
_IN_FORCE = """
select licence_id from licence where lineage_id = $1 and status in ('valid', 'suspended')
order by serial_version desc limit 1
"""
_FIRST_DAY = "select min(coalesce(valid_from, issued_date)) from licence where lineage_id = $1"
_OPEN = f"""{_READ} where i.issuer_code = $1 and i.state in ('due', 'overdue', 'failed')
 and (i.due_by, i.lineage_id) > ($2, $3) and exists (
   select from licence l where l.lineage_id = i.lineage_id and l.status in ('valid', 'suspended'))
 order by i.due_by, i.lineage_id limit $4"""
_TAKE_WALK = """
insert into licence_walk as w (walk, after_id, walked_at) values ($1, $2, $3)
on conflict (walk) do update set walked_at = $3 returning after_id
"""
_WALK = """
select l.licence_id, l.lineage_id, l.type_code, l.issuer_code, l.status, l.created_at,
  coalesce(l.valid_from, l.issued_date) as first_day,
  exists (select from licence_link k where k.licence_id = l.licence_id and k.kind = 'copy') as is_copy
from licence l where l.licence_id > $1 order by l.licence_id limit $2
"""
_BEGINNING = (datetime.fromisoformat("1970-01-01T00:00:00+00:00"), UUID(int=0))
_STANDING = frozenset({"pending_seal", "valid", "suspended"})


class InspectionStore:
    """The inspections of one open transaction; implements the port Inspections."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def add(self, inspections: Sequence[Inspection]) -> None:
        """Store inspections that are not stored yet."""
        rows = [self._vault.coded(LICENCE_INSPECTION, _values(each)) for each in inspections]
        if rows:
            await self._tx.executemany(_INSERT, rows)

    async def save(self, inspection: Inspection) -> None:
        """Store where an inspection stands, under its new code."""
        values = self._vault.coded(LICENCE_INSPECTION, _values(inspection))
        named = dict(zip((*LICENCE_INSPECTION.columns, "mac"), values, strict=True))
        changed = ("lineage_id", "cycle", "licence_id", "state", "settled_at", "order_id", "mac")
        await self._tx.execute(_SAVE, *(named[name] for name in changed))

    async def lock(self, lineage_id: str, cycle: int) -> Inspection | None:
        """Return an inspection and hold it. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(_LOCK, UUID(lineage_id), cycle)
        return self._inspection(row) if row else None

    async def moving(self, now: datetime, limit: int) -> list[Inspection]:
        """Return inspections that time has moved on. Raises ROW_ALTERED."""
        return [self._inspection(row) for row in await self._tx.fetch(_MOVING, now, limit)]

    async def in_force(self, lineage_id: str) -> str | None:
        """Return the licence of a lineage that is in force or suspended."""
        found = await self._tx.fetchval(_IN_FORCE, UUID(lineage_id))
        return str(found) if found else None

    async def first_day(self, lineage_id: str) -> date | None:
        """Return the first day of a lineage's first version."""
        found: date | None = await self._tx.fetchval(_FIRST_DAY, UUID(lineage_id))
        return found

    async def open_of_issuer(self, issuer_code: str, after: Place | None, limit: int) -> list[Inspection]:
        """Return an issuer's open inspections, earliest first. Raises ROW_ALTERED."""
        at, lineage_id = (after[0], UUID(after[1])) if after else _BEGINNING
        rows = await self._tx.fetch(_OPEN, issuer_code, at, lineage_id, limit)
        return [self._inspection(row) for row in rows]

    async def walk(
        self, name: str, type_codes: Sequence[str], before: datetime, limit: int
    ) -> list[Walked] | None:
        """Return the next licences of a walk; another process waits for the end of this transaction."""
        after = await self._tx.fetchval(_TAKE_WALK, name, UUID(int=0), self._tx.now())
        rows = []
        for row in await self._tx.fetch(_WALK, after, limit):
            if row["created_at"] >= before:
                break
            rows.append(row)
        if not rows:
            return None
        await self._tx.execute(
            "update licence_walk set after_id = $2 where walk = $1", name, rows[-1]["licence_id"]
        )
        wanted = frozenset(type_codes)
        return [
            _walked(row)
            for row in rows
            if row["type_code"] in wanted and row["status"] in _STANDING and not row["is_copy"]
        ]

    def _inspection(self, row: Any) -> Inspection:
        self._vault.check_row(LICENCE_INSPECTION, row)
        return Inspection(
            str(row["lineage_id"]),
            row["cycle"],
            str(row["licence_id"]),
            row["type_code"],
            row["issuer_code"],
            row["opens_at"],
            row["due_by"],
            InspectionState(row["state"]),
            row["settled_at"],
            str(row["order_id"]) if row["order_id"] else "",
        )


def _walked(row: Any) -> Walked:
    return Walked(
        str(row["licence_id"]), str(row["lineage_id"]), row["type_code"], row["issuer_code"], row["first_day"]
    )


def _values(each: Inspection) -> tuple[object, ...]:
    return (
        UUID(each.lineage_id),
        each.cycle,
        UUID(each.licence_id),
        each.type_code,
        each.issuer_code,
        each.opens_at,
        each.due_by,
        each.state,
        each.settled_at,
        UUID(each.order_id) if each.order_id else None,
    )
