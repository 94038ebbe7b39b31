"""Disputes: their rows with a code, their statements encrypted, their steps append-only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chassis.audit import recording
from chassis.db import Transaction
from services.certs.domain.dispute import (
    Dispute,
    DisputeAct,
    DisputeKind,
    DisputeState,
    Grounds,
    Step,
)
from services.certs.domain.log import Leaf
from services.certs.store.coded import DISPUTE, DISPUTE_STEP
from services.certs.store.freezes import LEAF, facts_of, reach, reached, reaches
from services.certs.store.licences import as_uuid
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault
from services.certs.store.told import check_steps, steps_told

_COLUMNS = f"{DISPUTE.names}, statement"
_ADD = f"""
insert into dispute ({_COLUMNS}) values ({", ".join(f"${n}" for n in range(1, 18))})
on conflict do nothing returning dispute_id
"""  # noqa: S608 - constants
_SAVE = """
update dispute set state = $2, frozen_at = $3, settled_at = $4, reason = $5, legal_basis = $6, version = $7,
  mac = $8 where dispute_id = $1 and version = $7 - 1
"""
_ADD_STEP = f"""insert into dispute_step ({DISPUTE_STEP.names})
 values ({", ".join(f"${n}" for n in range(1, 10))})"""  # noqa: S608 - constants
_STEPS = (
    f"select {DISPUTE_STEP.names} from dispute_step where dispute_id = any($1) order by dispute_id, version"  # noqa: S608
)
_PAGE = """
 and (opened_at, dispute_id) < ($2, $3) order by opened_at desc, dispute_id desc limit $4
"""
_END = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
Person = tuple[str, str]
Place = tuple[datetime, str]


class DisputeStore:
    """The disputes of one open transaction; implements the port Disputes."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault, self._log = tx, vault, LogQueue(tx)

    async def add(self, dispute: Dispute, holder: Person, step: Step) -> bool:
        """Store a dispute and its first step."""
        values = self._coded(dispute, self._vault.holder_key(*holder))
        statement = self._vault.seal_statement(dispute.statement)
        added = await self._tx.fetchval(_ADD, *values, statement)
        if added:
            await self._add_step(dispute, step, [UUID(dispute.licence_id)])
        return bool(added)

    async def save(self, dispute: Dispute, step: Step) -> None:
        """Store a dispute after an act, and the act; a freeze reaches all that hangs together with the licence."""
        key = UUID(dispute.dispute_id)
        row = await self._tx.fetchrow(
            f"select {DISPUTE.names} from dispute where dispute_id = $1",  # noqa: S608 - constants
            key,
        )
        self._vault.check_row(DISPUTE, row)
        assert row is not None
        await self._tx.execute(
            _SAVE,
            key,
            dispute.state,
            dispute.frozen_at,
            dispute.settled_at,
            dispute.reason,
            dispute.legal_basis,
            dispute.version,
            self._coded(dispute, row["holder_key"])[-1],
        )
        about = [UUID(dispute.licence_id)]
        if step.act is DisputeAct.FREEZE:
            await reach(self._tx, self._vault, key, about[0])
        was, now = row["frozen_at"] is not None, dispute.frozen_at is not None
        if reaches(step.act, was_frozen=was, is_frozen=now):
            about = sorted({*about, *await reached(self._tx, key)})
        await self._add_step(dispute, step, about)

    async def lock(self, dispute_id: str) -> Dispute | None:
        """Return a dispute and hold its row."""
        key = as_uuid(dispute_id)
        row = key and await self._tx.fetchrow(
            f"select {_COLUMNS} from dispute where dispute_id = $1 for update",  # noqa: S608 - constants
            key,
        )
        return self._dispute(row) if row else None

    async def held_by(self, dispute_id: str, holder: Person) -> bool:
        """Say whether a dispute is this holder's."""
        key = as_uuid(dispute_id)
        query = "select exists (select from dispute where dispute_id = $1 and holder_key = $2)"
        return bool(key and await self._tx.fetchval(query, key, self._vault.holder_key(*holder)))

    async def steps(self, dispute_id: str) -> list[Step]:
        """Return the steps of a dispute, oldest first."""
        return [self._step(row) for row in await self._tx.fetch(_STEPS, [UUID(dispute_id)])]

    async def of_issuer(
        self, issuer_code: str, licence_id: str, before: Place | None, limit: int, *, open_only: bool
    ) -> list[Dispute]:
        """Return an issuer's disputes, newest first."""
        key = as_uuid(licence_id)
        if licence_id and key is None:
            return []
        where = "issuer_code = $1 and ($5::uuid is null or licence_id = $5) and (frozen_at is not null or state in ('opened', 'checking') or not $6)"
        rows = await self._page(where, issuer_code, before, limit, key, open_only)
        return [self._dispute(row, told=False) for row in rows]

    async def of_holder(self, holder: Person, before: Place | None, limit: int) -> list[Dispute]:
        """Return a holder's disputes, newest first."""
        rows = await self._page("holder_key = $1", self._vault.holder_key(*holder), before, limit)
        return [self._dispute(row) for row in rows]

    async def use_of(self, usage_id: str, licence_id: str) -> str | None:
        """Return the consumer of a use of a licence."""
        keys = as_uuid(usage_id), as_uuid(licence_id)
        query = "select consumer_code from usage where usage_id = $1 and licence_id = $2"
        found: str | None = await self._tx.fetchval(query, *keys) if all(keys) else None
        return found

    async def used_when_held(self, usage_id: str, licence_id: str, holder: Person) -> bool:
        """Say whether a use of a licence is on record as of this holder's."""
        keys = as_uuid(usage_id), as_uuid(licence_id)
        query = (
            "select exists (select from usage where usage_id = $1 and licence_id = $2 and holder_key = $3)"
        )
        key = self._vault.holder_key(*holder)
        return bool(all(keys) and await self._tx.fetchval(query, *keys, key))

    async def open_about(self, usage_ids: Sequence[str]) -> dict[str, str]:
        """Return the open disputes about uses."""
        rows = await self._tx.fetch(
            "select usage_id, dispute_id from dispute where usage_id = any($1) and state in ('opened', 'checking')",
            [UUID(each) for each in usage_ids],
        )
        return {str(row["usage_id"]): str(row["dispute_id"]) for row in rows}

    async def everybodys_steps(self, licence_id: str) -> list[list[Step]]:
        """Return the steps of the disputes that ever froze a licence, or what it hangs together with, for everybody."""
        told = await steps_told(self._tx, licence_id)
        rows = await self._tx.fetch(
            """
            select dispute_id from licence_freeze join dispute d using (dispute_id)
            where licence_freeze.licence_id = $1 and consumer_code = ''
            """,
            UUID(licence_id),
        )
        found: dict[UUID, list[Step]] = {row["dispute_id"]: [] for row in rows}
        for row in await self._tx.fetch(_STEPS, list(found)):
            found[row["dispute_id"]].append(self._step(row))
        held = {str(key): [step.version for step in steps] for key, steps in found.items()}
        check_steps(told, held)
        return list(found.values())

    async def _page(
        self, where: str, of: object, before: Place | None, limit: int, *further: object
    ) -> list[Any]:
        opened_at, dispute_id = (before[0], UUID(before[1])) if before else _END
        query = f"select {_COLUMNS} from dispute where {where} {_PAGE}"  # noqa: S608 - constants
        return await self._tx.fetch(query, of, opened_at, dispute_id, limit, *further)

    async def _add_step(self, dispute: Dispute, step: Step, about: Sequence[UUID]) -> None:
        """Append a step, and a leaf for each licence that it is about."""
        said = step.grounds
        values = (
            UUID(dispute.dispute_id),
            step.version,
            step.act.value,
            step.at,
            step.done_by,
            said.operator,
            said.reason,
            said.legal_basis,
        )
        facts = facts_of(
            step.act.value,
            dispute.consumer_code,
            dispute.dispute_id,
            dispute.state.value,
            dispute.version,
        )
        with recording("dispute_step"):
            await self._tx.execute(_ADD_STEP, *self._vault.coded(DISPUTE_STEP, values))
        await self._log.append_many([Leaf(LEAF, str(each), step.at, facts) for each in about])

    def _coded(self, dispute: Dispute, holder_key: bytes) -> tuple[object, ...]:
        values = (
            UUID(dispute.dispute_id),
            UUID(dispute.licence_id),
            dispute.kind.value,
            UUID(dispute.usage_id) if dispute.usage_id else None,
            dispute.consumer_code,
            dispute.issuer_code,
            holder_key,
            dispute.state.value,
            dispute.opened_at,
            dispute.due_on,
            dispute.frozen_at,
            dispute.settled_at,
            dispute.reason,
            dispute.legal_basis,
            dispute.version,
        )
        return self._vault.coded(DISPUTE, values)

    def _dispute(self, row: Any, *, told: bool = True) -> Dispute:
        self._vault.check_row(DISPUTE, row)
        return Dispute(
            str(row["dispute_id"]),
            str(row["licence_id"]),
            DisputeKind(row["kind"]),
            str(row["usage_id"]) if row["usage_id"] else "",
            row["consumer_code"],
            row["issuer_code"],
            row["opened_at"],
            row["due_on"],
            self._vault.open_statement(row["statement"]) if told else "",
            DisputeState(row["state"]),
            row["frozen_at"],
            row["settled_at"],
            row["reason"],
            row["legal_basis"],
            row["version"],
        )

    def _step(self, row: Any) -> Step:
        self._vault.check_row(DISPUTE_STEP, row)
        said = Grounds(row["operator"], row["reason"], row["legal_basis"])
        return Step(row["version"], DisputeAct(row["act"]), row["at"], row["done_by"], said)
