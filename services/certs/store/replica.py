"""The replica of other registries' licences: encrypted with our own keys, found by our own blind indexes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.federation import LicenceMessage, Refusal, ReplicaLicence, ReplicaState
from services.certs.domain.licence import Licence
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader
from services.certs.store.coded import REPLICA_LICENCE, REPLICA_STATE
from services.certs.store.replica_content import open_content, open_told, seal_content, seal_told
from services.certs.store.replica_proofs import ReplicaProofs
from services.certs.store.sealing import Vault
from services.certs.usecases.federation.ports import OwedUse

_LOCK_STATE = f"select {REPLICA_STATE.names} from replica_state where registry_id = $1 for update"  # noqa: S608
_STATE = f"select {REPLICA_STATE.names} from replica_state where registry_id = $1"  # noqa: S608 - constants
_SAVE_STATE = f"""
insert into replica_state ({REPLICA_STATE.names}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
on conflict (registry_id) do update set ({", ".join(REPLICA_STATE.names.split(", ")[1:])}) =
 ({", ".join(f"excluded.{each}" for each in REPLICA_STATE.names.split(", ")[1:])})
"""  # noqa: S608 - constants
_PUT = f"""
insert into replica_licence ({REPLICA_LICENCE.names}, content)
values ({", ".join(f"${n}" for n in range(1, len(REPLICA_LICENCE.columns) + 3))})
on conflict (licence_id) do update set ({", ".join(REPLICA_LICENCE.columns[1:])}, mac, content) =
 ({", ".join(f"excluded.{each}" for each in REPLICA_LICENCE.columns[1:])}, excluded.mac, excluded.content)
"""  # noqa: S608 - constants
_ROW = ", ".join(f"r.{each}" for each in (*REPLICA_LICENCE.columns, "mac", "content"))
_FIND = f"""
select {_ROW}, (r.prior_ordinal = 0 or r.prior_ordinal <= s.through or exists (
  select 1 from replica_ordinal o where o.registry_id = r.registry_id and o.ordinal = r.prior_ordinal))
  as complete
from replica_licence r join replica_state s on s.registry_id = r.registry_id
where r.registry_id = $1 and r.type_code = any($3) and (r.holder_key = $2 or r.licence_id in (
  select licence_id from replica_co_holder where holder_key = $2))
order by r.recorded_at desc, r.licence_id limit 500
"""  # noqa: S608 - constants
_CONTIGUOUS = """
with recursive run (at) as (
  select $2::bigint + 1 where exists (select 1 from replica_ordinal where registry_id = $1 and ordinal = $2 + 1)
  union all
  select at + 1 from run where exists (select 1 from replica_ordinal where registry_id = $1 and ordinal = at + 1))
select coalesce(max(at), $2::bigint) from run
"""
_REFUSE = """
insert into replica_refusal as r (registry_id, licence_id, reason, message_sha256, first_at, last_at)
values ($1, $2, $3, $4, $5, $5)
on conflict (registry_id, licence_id, reason) do update
set times = r.times + 1, last_at = excluded.last_at, message_sha256 = excluded.message_sha256
"""
_OWE = """
insert into replica_use (usage_id, registry_id, licence_id, told, used_at) values ($1, $2, $3, $4, $5)
"""
_OWED = """
select usage_id, registry_id, licence_id, told, used_at from replica_use
where registry_id = $1 and delivered_at is null order by used_at, usage_id limit $2
"""
_FORGET = """
with looked as (
  select usage_id, used_at from replica_use where usage_id > $1 order by usage_id limit $3),
gone as (
  delete from replica_use u using looked l where u.usage_id = l.usage_id and u.delivered_at < $2)
select (array_agg(usage_id order by usage_id desc))[1] as last, count(*) = $3 and min(used_at) < $2 as more
from looked
"""


class ReplicaStore:
    """The replica in one open transaction; implements the port Replica."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault
        self.proofs = ReplicaProofs(tx, vault)

    async def lock_state(self, registry_id: str) -> ReplicaState:
        """Return how far the replica is and hold it; the row is made at the first call. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(_LOCK_STATE, registry_id)
        if row is None:
            await self._tx.execute(
                "select pg_advisory_xact_lock(hashtextextended('replica_state|' || $1, 0))", registry_id
            )
            row = await self._tx.fetchrow(_LOCK_STATE, registry_id)
        if row is None:
            await self.save_state(ReplicaState(registry_id))
            row = await self._tx.fetchrow(_LOCK_STATE, registry_id)
        return self._state(row)

    async def state(self, registry_id: str) -> ReplicaState | None:
        """Return how far the replica is, None before anything came. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(_STATE, registry_id)
        return self._state(row) if row else None

    async def save_state(self, state: ReplicaState) -> None:
        """Store how far the replica is."""
        values = tuple(getattr(state, each) for each in REPLICA_STATE.columns)
        await self._tx.execute(_SAVE_STATE, *self._vault.coded(REPLICA_STATE, values))

    async def take_ordinal(self, registry_id: str, through: int, ordinal: int) -> int | None:
        """Note that a message arrived; ordinals up to which all have are not kept one by one."""
        if ordinal <= through:
            return None
        if ordinal == through + 1:
            await self._tx.execute(
                "delete from replica_ordinal where registry_id = $1 and ordinal = $2", registry_id, ordinal
            )
            through = ordinal
        else:
            added = await self._tx.fetchval(
                """insert into replica_ordinal (registry_id, ordinal) values ($1, $2)
                on conflict do nothing returning 1""",
                registry_id,
                ordinal,
            )
            return through if added else None
        reached: int = await self._tx.fetchval(_CONTIGUOUS, registry_id, through)
        if reached > through:
            await self._tx.execute(
                "delete from replica_ordinal where registry_id = $1 and ordinal <= $2", registry_id, reached
            )
        return reached

    async def is_ours(self, licence_id: str, identifier: str) -> bool:
        """Say whether this registry itself holds a licence of this id or identifier."""
        found = await self._tx.fetchval(
            """select exists (select 1 from licence where licence_id = $1)
              or exists (select 1 from licence where identifier_key = $2)""",
            UUID(licence_id),
            self._vault.identifier_key(identifier) if identifier else None,
        )
        return bool(found)

    async def authority_of(self, licence_id: str, identifier: str) -> set[str]:
        """Return the registries that told of a licence of this id or identifier."""
        rows = await self._tx.fetch(
            """select registry_id from replica_licence where licence_id = $1
            union select registry_id from replica_licence where identifier_key = $2""",
            UUID(licence_id),
            self._vault.identifier_key(identifier) if identifier else None,
        )
        return {row["registry_id"] for row in rows}

    async def ordinal_of(self, licence_id: str) -> int:
        """Return the ordinal of the newest message about a licence, 0 for none."""
        found = await self._tx.fetchval(
            "select ordinal from replica_licence where licence_id = $1", UUID(licence_id)
        )
        return int(found or 0)

    async def put(self, message: LicenceMessage, licence: Licence, sha256: bytes, now: datetime) -> None:
        """Store what a message says in the place of what earlier ones said."""
        keys = [self._vault.holder_key(each.id_type_code, each.id_number) for each in licence.holders]
        identifier_key = self._vault.identifier_key(licence.identifier)
        content = seal_content(self._vault, licence)
        await self._write(message, licence, identifier_key, keys[0], content, sha256, now)
        await self._tx.executemany(
            "insert into replica_co_holder (licence_id, holder_key) values ($1, $2)",
            [(UUID(message.licence_id), key) for key in sorted(set(keys[1:]) - {keys[0]})],
        )

    async def erase(self, message: LicenceMessage, sha256: bytes, now: datetime) -> None:
        """Forget what the licence says and whose it was."""
        await self._write(message, None, b"", b"", None, sha256, now)

    async def find(
        self, registry_id: str, id_type_code: str, id_number: str, type_codes: Sequence[str]
    ) -> list[ReplicaLicence]:
        """Return a holder's licences of a registry, newest act first. Raises ROW_ALTERED."""
        key = self._vault.holder_key(id_type_code, id_number)
        rows = await self._tx.fetch(_FIND, registry_id, key, list(type_codes))
        proofs = await self.proofs.unproved_since([row["licence_id"] for row in rows])
        return [self._licence(row, proofs.get(row["licence_id"])) for row in rows]

    async def refuse(
        self, digest: bytes, issuer: str, licence_id: str, reason: Refusal, now: datetime
    ) -> None:
        """Record that a message was not taken; the same again only counts."""
        await self._tx.execute(_REFUSE, issuer, licence_id, reason.value, digest, now)

    async def forget(self, registry_id: str) -> None:
        """Forget everything a registry told."""
        await self._tx.execute("delete from replica_licence where registry_id = $1", registry_id)
        await self._tx.execute("delete from replica_ordinal where registry_id = $1", registry_id)
        await self._tx.execute("delete from replica_root where registry_id = $1", registry_id)

    async def owe(self, uses: Sequence[OwedUse]) -> None:
        """Have uses told to the registry whose licences were used."""
        rows = [
            (
                UUID(each.usage_id),
                each.registry_id,
                UUID(each.licence_id),
                _told(self._vault, each),
                each.used_at,
            )
            for each in uses
        ]
        await self._tx.executemany(_OWE, rows)

    async def owed(self, registry_id: str, limit: int) -> list[OwedUse]:
        """Return uses that a registry was not told of yet, oldest first."""
        return [_owed(self._vault, row) for row in await self._tx.fetch(_OWED, registry_id, limit)]

    async def owed_count(self, registry_id: str) -> int:
        """Return how many uses a registry was not told of yet."""
        found: int = await self._tx.fetchval(
            "select count(*) from replica_use where registry_id = $1 and delivered_at is null", registry_id
        )
        return found

    async def owed_since(self, registry_id: str) -> datetime | None:
        """Return when the oldest use was made that a registry was not told of yet, None without any."""
        query = "select min(used_at) from replica_use where registry_id = $1 and delivered_at is null"
        found: datetime | None = await self._tx.fetchval(query, registry_id)
        return found

    async def paid(self, usage_ids: Sequence[str], now: datetime) -> None:
        """Note that uses were told; what they said is not needed any more."""
        await self._tx.execute(
            "update replica_use set delivered_at = $2 where usage_id = any($1)",
            [UUID(each) for each in usage_ids],
            now,
        )

    async def forget_paid(self, after: UUID, before: datetime, rows: int) -> UUID | None:
        """Forget, of the next uses, those told before a time; ids begin with their time, so the walk ends early."""
        found = await self._tx.fetchrow(_FORGET, after, before, rows)
        assert found is not None
        return UUID(str(found["last"])) if found["more"] else None

    async def _write(
        self,
        message: LicenceMessage,
        licence: Licence | None,
        identifier_key: bytes,
        holder_key: bytes,
        content: bytes | None,
        sha256: bytes,
        now: datetime,
    ) -> None:
        values = (
            *(UUID(message.licence_id), message.issuer, message.sequence, message.ordinal),
            *(message.prior_ordinal, message.version, message.type_code),
            *((licence.issuer_code, licence.county_code) if licence else ("", "")),
            *(message.status.value, message.act, message.use_frozen),
            licence.valid_until if licence else None,
            *(message.effective_at, message.recorded_at, now, sha256, message.leaf_index, message.leaf_hash),
            *(identifier_key, holder_key),
        )
        await self._tx.execute(_PUT, *self._vault.coded(REPLICA_LICENCE, values), content)
        await self._tx.execute(
            "delete from replica_co_holder where licence_id = $1", UUID(message.licence_id)
        )

    def _state(self, row: Any) -> ReplicaState:
        self._vault.check_row(REPLICA_STATE, row)
        return ReplicaState(**{each: row[each] for each in REPLICA_STATE.columns})

    def _licence(self, row: Any, proof: tuple[int, datetime | None] | None) -> ReplicaLicence:
        """Return a licence; one from before there were proofs counts as proved, another message's proof does not."""
        self._vault.check_row(REPLICA_LICENCE, row)
        of, unproved_since = proof or (row["ordinal"], None)
        return ReplicaLicence(
            row["registry_id"],
            open_content(self._vault, row),
            row["act"],
            row["use_frozen"],
            row["effective_at"],
            row["recorded_at"],
            row["received_at"],
            row["complete"],
            unproved_since if of == row["ordinal"] else row["received_at"],
        )


def _told(vault: Vault, use: OwedUse) -> bytes:
    reader, purpose = use.reader, use.purpose
    said = [
        *(use.kind, reader.code, reader.name, reader.is_department, purpose.use_cause),
        *(str(purpose.basis or ""), purpose.item_code, purpose.case_id),
    ]
    return seal_told(vault, said)


def _owed(vault: Vault, row: Any) -> OwedUse:
    kind, code, name, is_department, cause, basis, item_code, case_id = open_told(vault, row["told"])
    return OwedUse(
        str(row["usage_id"]),
        row["registry_id"],
        str(row["licence_id"]),
        kind,
        Reader(code, name, is_department),
        Purpose(cause, Basis(basis) if basis else None, item_code, case_id),
        row["used_at"],
    )
