"""The register of seals and their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.audit import recording
from chassis.db import Transaction
from chassis.fields import ROW_ALTERED
from services.seal.domain.register import ENDED, HistoryEntry, RegisteredSeal, SealStatus
from services.seal.usecases.ports import SealMaterial

_SEAL = "seal_id, owner_code, name, certificate, valid_from, valid_until, status, since, version"
_READ = f"""{_SEAL}, exists (
  select from seal_history h where h.seal_id = seal.seal_id and h.version = seal.version
  and h.status = seal.status and h.since = seal.since
  and not exists (select from seal_history l where l.seal_id = h.seal_id and l.version > h.version)) as recorded"""  # noqa: S608 - constants
"""A seal, and whether its state is the last one that its history records."""
_HISTORY = "version, status, since, changed_at, reason, operator, second_person, account"


class SealTable:
    """Implements the port Seals."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def get(self, seal_id: str, *, lock: bool = False) -> RegisteredSeal | None:
        """Return a seal, locked against others' changes and uses if asked."""
        suffix = "for update" if lock else ""
        row = await self._tx.fetchrow(f"select {_READ} from seal where seal_id = $1 {suffix}", seal_id)  # noqa: S608
        return _seal(row) if row else None

    async def of_owner(self, owner_code: str, *, lock: bool = False) -> Sequence[RegisteredSeal]:
        """Return an authority's seals, newest first; with `lock` none changes before this transaction ends."""
        suffix = "for share" if lock else ""
        rows = await self._tx.fetch(
            f"select {_READ} from seal where owner_code = $1 order by valid_from desc, seal_id desc {suffix}",  # noqa: S608
            owner_code,
        )
        return [_seal(row) for row in rows]

    async def page(self, owner_code: str | None, after: str, limit: int) -> Sequence[RegisteredSeal]:
        """Return seals by id, of one owner or of all."""
        rows = await self._tx.fetch(
            f"""select {_READ} from seal where seal_id > $1 and ($2::text is null or owner_code = $2)
            order by seal_id limit $3""",  # noqa: S608
            after,
            owner_code,
            limit,
        )
        return [_seal(row) for row in rows]

    async def material(self, seal_id: str) -> SealMaterial | None:
        """Return what sealing with it takes."""
        row = await self._tx.fetchrow(
            """select seal_id, ses_seal, certificate, key_id, wrapped_key
            from seal join signer_key using (key_id) where seal_id = $1""",
            seal_id,
        )
        if row is None:
            return None
        return SealMaterial(
            row["seal_id"], row["ses_seal"], row["certificate"], str(row["key_id"]), row["wrapped_key"]
        )

    async def count_in(self, division: str) -> int:
        """Return how many seals were ever made for authorities of a division; ids start with it."""
        return int(await self._tx.fetchval("select count(*) from seal where left(seal_id, 6) = $1", division))

    async def add(self, seal: RegisteredSeal, entry: HistoryEntry, key_id: str, ses_seal: bytes) -> None:
        """Enter a fresh seal with its first state."""
        await self._tx.execute(
            f"insert into seal ({_SEAL}, key_id, ses_seal) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",  # noqa: S608
            seal.seal_id,
            seal.owner_code,
            seal.name,
            seal.certificate,
            seal.valid_from,
            seal.valid_until,
            seal.status,
            seal.since,
            seal.version,
            UUID(key_id),
            ses_seal,
        )
        await self._record(seal.seal_id, entry)

    async def save(self, seal: RegisteredSeal, entry: HistoryEntry) -> None:
        """Enter a seal's new state."""
        await self._tx.execute(
            "update seal set status = $2, since = $3, version = $4 where seal_id = $1",
            seal.seal_id,
            seal.status,
            seal.since,
            seal.version,
        )
        await self._record(seal.seal_id, entry)

    async def history(self, seal_id: str) -> Sequence[HistoryEntry]:
        """Return a seal's states in order."""
        rows = await self._tx.fetch(
            f"select {_HISTORY} from seal_history where seal_id = $1 order by version",  # noqa: S608
            seal_id,
        )
        return [_entry(row) for row in rows]

    async def histories(self) -> Mapping[str, Sequence[HistoryEntry]]:
        """Return every seal's states in order."""
        rows = await self._tx.fetch(
            f"select seal_id, {_HISTORY} from seal_history order by seal_id, version"  # noqa: S608
        )
        found: dict[str, list[HistoryEntry]] = {}
        for row in rows:
            found.setdefault(row["seal_id"], []).append(_entry(row))
        return found

    async def ended_certificates(self) -> Mapping[bytes, datetime]:
        """Return the certificates of seals that ended, and since when first."""
        rows = await self._tx.fetch(
            """select s.certificate, min(h.since) as since from seal s join seal_history h using (seal_id)
            where h.status = any($1) group by s.certificate""",
            sorted(ENDED),
        )
        return {row["certificate"]: row["since"] for row in rows}

    async def _record(self, seal_id: str, entry: HistoryEntry) -> None:
        """Enter a state into the history. Raises AUDIT_UNWRITABLE."""
        with recording("seal_history"):
            await self._tx.execute(
                f"insert into seal_history (seal_id, {_HISTORY}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",  # noqa: S608
                seal_id,
                entry.version,
                entry.status,
                entry.since,
                entry.changed_at,
                entry.reason,
                entry.operator,
                entry.second_person,
                entry.account,
            )


def _seal(row: asyncpg.Record) -> RegisteredSeal:
    """Return the seal. Raises ROW_ALTERED for a state that its append-only history does not end with."""
    values = dict(row)
    if not values.pop("recorded"):
        raise ROW_ALTERED(table="seal")
    values["status"] = SealStatus(values["status"])
    return RegisteredSeal(**values)


def _entry(row: asyncpg.Record) -> HistoryEntry:
    values = dict(row)
    values.pop("seal_id", None)
    values["status"] = SealStatus(values["status"])
    return HistoryEntry(**values)
