"""Rows without leaf in PostgreSQL; implements the port Adoptions.

A licence is locked before its leaf is made and looked at again under the lock: an act that came in between has
written a newer leaf, which must stay the newest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from chassis.errors import Fault
from chassis.row_codes import CodedTable
from services.certs.domain.log import (
    ADOPT,
    Leaf,
    adopted_change_leaf,
    leaf_bytes,
    licence_leaf,
    usage_leaf,
    use_code_leaf,
)
from services.certs.store.coded import STATUS_CHANGE, USAGE, USE_CODE
from services.certs.store.licences import COLUMNS, LicenceStore
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault
from services.certs.store.usages import usage_of
from services.certs.usecases.adopt import BATCH_LICENCES, PAGE_ROWS, Adoption, Found, Stage

_FACTS = "convert_from({}.leaf, 'UTF8')::jsonb -> 'facts'"
_STATES = "select 1 from {} s where s.licence_id = r.licence_id and s.kind = 'licence'"
_HOLD = """
select a.*, s.began_at as log_began_at from log_adoption a, log_state s for update of a skip locked
"""
_SAVE = """
update log_adoption set stage = $1, after = $2, began_at = $3, ended_at = $4, left_rows = $5, adopted = $6,
  refused = $7
"""
_COUNT = "select (select count(*) from licence) + (select count(*) from usage where usage_id > $1)"
_LICENCE_PAGE = "select licence_id from licence where licence_id > $1 order by licence_id limit $2"
_LEAFLESS = f"""
select r.licence_id from licence r
where r.licence_id = any($1) and not exists ({_STATES.format("log_leaf")})
  and not exists ({_STATES.format("log_queue")})
union all
select r.licence_id from licence r
cross join lateral (
  select {_FACTS.format("s")} as facts from log_leaf s
  where s.licence_id = r.licence_id and s.kind = 'licence' order by s.leaf_index desc limit 1) n
where r.licence_id = any($1) and r.updated_at >= $2 and n.facts ->> 'status' <> r.status
  and (n.facts ->> 'version')::bigint < r.version and not exists ({_STATES.format("log_queue")})
order by licence_id
"""  # noqa: S608 - constants
"""Licences of which no leaf speaks, or only leaves of before an older release changed their status."""
_LOCK = """
select licence_id from licence where licence_id = any($1) order by licence_id for update
"""
_GIVE_WAY = "set local lock_timeout = '500ms'"
"""Before a deadlock would be looked for: it is never an act that is given up. The step comes again."""
_ROWS = f"select {COLUMNS} from licence l where l.licence_id = any($1) order by l.licence_id"  # noqa: S608
_LAST_CHANGES = f"""
select distinct on (licence_id) {STATUS_CHANGE.names} from licence_status_change
where licence_id = any($1) order by licence_id, version desc
"""  # noqa: S608 - constants


def _said(table: str, row: str, kinds: str, condition: str) -> str:
    facts = f"({_FACTS.format('s')})"
    where = f"s.licence_id = {row}.licence_id and s.kind in ({kinds}) and {condition.format(facts)}"
    return f"not exists (select 1 from {table} s where {where})"  # noqa: S608 - constants


_SAME_CHANGE = (
    "({0} ->> 'version')::bigint = r.version and coalesce({0} ->> 'adopted', {0} ->> 'act') = r.act"
)
_SAME_CODE = "({0} ->> 'use_code_id')::uuid = r.use_code_id and {0} ->> 'act' in ('issue', 'adopt')"
_SAME_USE = "({0} ->> 'usage_id')::uuid = r.usage_id"
_CHANGES = f"""
select {STATUS_CHANGE.names} from licence_status_change r
where r.licence_id = any($1) and r.changed_at >= $2
  and {_said("log_leaf", "r", "'licence', 'status_change'", _SAME_CHANGE)}
  and {_said("log_queue", "r", "'licence', 'status_change'", _SAME_CHANGE)}
order by r.licence_id, r.version
"""  # noqa: S608 - constants
_USE_CODES = f"""
select {USE_CODE.names} from use_code r
where r.licence_id = any($1) and r.issued_at >= $2
  and {_said("log_leaf", "r", "'use_code'", _SAME_CODE)}
  and {_said("log_queue", "r", "'use_code'", _SAME_CODE)}
order by r.use_code_id
"""  # noqa: S608 - constants
_USAGE_PAGE = "select usage_id from usage where usage_id > $1 order by usage_id limit $2"
_USAGES = f"""
select {USAGE.names} from usage r
where r.usage_id = any($1) and (r.licence_id is null or (
  {_said("log_leaf", "r", "'usage'", _SAME_USE)} and {_said("log_queue", "r", "'usage'", _SAME_USE)}))
order by r.usage_id
"""  # noqa: S608 - constants
_UNPLACED = """
select leaf from log_leaf where licence_id is null and leaf = any($1)
union all select leaf from log_queue where licence_id is null and leaf = any($1)
"""


class AdoptionStore:
    """The rows without leaf within one open transaction; implements the port Adoptions."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault
        self._licences, self._log = LicenceStore(tx, vault), LogQueue(tx)

    async def hold(self) -> Adoption | None:
        """Return how far it has come and hold it; None while another transaction does."""
        row = await self._tx.fetchrow(_HOLD)
        if row is None:
            return None
        values = {name: row[name] for name in _FIELDS}
        return Adoption(stage=Stage(row["stage"]), log_began_at=row["log_began_at"], **values)

    async def save(self, adoption: Adoption) -> None:
        """Note how far it has come."""
        values = (getattr(adoption, name) for name in ("after", "began_at", "ended_at", *_COUNTS))
        await self._tx.execute(_SAVE, adoption.stage, *values)

    async def count(self, usages_after: UUID) -> int:
        """Return how many rows a pass looks at; once a pass, so it may take longer than an answer."""
        await self._tx.execute("set local statement_timeout = '10min'")
        found: int = await self._tx.connection.fetchval(_COUNT, usages_after, timeout=600)
        return found

    async def licences(self, after: UUID, since: datetime) -> Found:
        """Return the leaves that a page of licences needs; it ends early where many do."""
        ids = [row["licence_id"] for row in await self._tx.fetch(_LICENCE_PAGE, after, PAGE_ROWS)]
        if not ids:
            return Found(None)
        leafless = [row["licence_id"] for row in await self._tx.fetch(_LEAFLESS, ids, since)]
        if len(leafless) > BATCH_LICENCES:
            del leafless[BATCH_LICENCES:]
            ids = [each for each in ids if each <= leafless[-1]]
        leaves, refused = await self._states(leafless, since)
        for query, table, leaf_of in (
            (_CHANGES, STATUS_CHANGE, _change_leaf),
            (_USE_CODES, USE_CODE, _use_code_leaf),
        ):
            rows = await self._tx.fetch(query, ids, since)
            whole = self._whole(table, rows)
            leaves += [leaf_of(row) for row in whole]
            refused += len(rows) - len(whole)
        return Found(ids[-1], len(ids), leaves, refused)

    async def usages(self, after: UUID) -> Found:
        """Return the leaves that a page of the usage record needs."""
        ids = [row["usage_id"] for row in await self._tx.fetch(_USAGE_PAGE, after, PAGE_ROWS)]
        if not ids:
            return Found(None)
        rows = await self._tx.fetch(_USAGES, ids)
        coded = [row for row in self._whole(USAGE, rows) if row["mac"] is not None]
        refused = len(rows) - len(coded)
        pairs = [
            (leaf, replace(leaf, facts={**leaf.facts, "act": ADOPT})) for leaf in map(_usage_leaf, coded)
        ]
        said = await self._unplaced([leaf for pair in pairs for leaf in pair if not leaf.licence_id])
        needed = [late for first, late in pairs if said.isdisjoint({leaf_bytes(first), leaf_bytes(late)})]
        return Found(ids[-1], len(ids), needed, refused)

    async def append(self, leaves: Sequence[Leaf]) -> None:
        """Queue leaves. Raises AUDIT_UNWRITABLE."""
        await self._log.append_many(leaves)

    async def _states(self, leafless: Sequence[UUID], since: datetime) -> tuple[list[Leaf], int]:
        """Return the leaves of licences as they stand, and how many stand as no change has put them."""
        if not leafless:
            return [], 0
        await self._tx.execute(_GIVE_WAY)
        locked = [row["licence_id"] for row in await self._tx.fetch(_LOCK, leafless)]
        still = [row["licence_id"] for row in await self._tx.fetch(_LEAFLESS, locked, since)]
        changes = {row["licence_id"]: row for row in await self._tx.fetch(_LAST_CHANGES, still)}
        whole = {row["licence_id"] for row in self._whole(STATUS_CHANGE, changes.values())}
        leaves = []
        for row in await self._tx.fetch(_ROWS, still):
            change = changes.get(row["licence_id"])
            if change is None or (row["licence_id"] in whole and change["status"] == row["status"]):
                leaves.append(licence_leaf(self._licences.licence_of(row), ADOPT, self._tx.now()))
        return leaves, len(still) - len(leaves)

    async def _unplaced(self, leaves: Sequence[Leaf]) -> set[bytes]:
        contents = [leaf_bytes(each) for each in leaves]
        return (
            {bytes(row["leaf"]) for row in await self._tx.fetch(_UNPLACED, contents)} if contents else set()
        )

    def _whole(self, table: CodedTable, rows: Iterable[Any]) -> list[Any]:
        return [row for row in rows if self._is_whole(table, row)]

    def _is_whole(self, table: CodedTable, row: Mapping[str, object]) -> bool:
        try:
            self._vault.check_row(table, row)
        except Fault:
            return False
        return True


async def adoption_left(tx: Transaction) -> tuple[bool, int, int]:
    """Return whether the adoption is over, how many rows the pass has still to look at, and how many it refused."""
    row = await tx.fetchrow("select stage, left_rows, refused from log_adoption")
    assert row is not None
    return row["stage"] == Stage.FINISHED, row["left_rows"], row["refused"]


_COUNTS = ("left_rows", "adopted", "refused")
_FIELDS = ("after", "began_at", "ended_at", *_COUNTS)


def _change_leaf(row: Any) -> Leaf:
    licence_id = str(row["licence_id"])
    return adopted_change_leaf(licence_id, row["version"], row["status"], row["act"], row["changed_at"])


def _use_code_leaf(row: Any) -> Leaf:
    return use_code_leaf(str(row["licence_id"]), str(row["use_code_id"]), ADOPT, row["issued_at"])


def _usage_leaf(row: Any) -> Leaf:
    return usage_leaf(usage_of(row), row["mac"])
