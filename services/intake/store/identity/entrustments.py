"""Entrustments: numbers, scope and statement as one ciphertext, the agent as a blind index, a code over the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from asyncpg import Record
from pydantic import TypeAdapter

from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.intake.domain.entrustment import Entrustment, EntrustmentWish, Holder
from services.intake.store.coded import ENTRUSTMENT
from services.intake.store.identity.codes import HashedCodes
from services.intake.usecases.entrustment_ports import Place, Role

ENTRUSTMENT_FIELD = "entrustment.content"
_GET = "select * from entrustment where entrustment_id = $1"
_LOCK = f"{_GET} for update"
_INSERT = f"""
insert into entrustment ({ENTRUSTMENT.names}, content)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
on conflict (entrustment_id) do nothing returning true
"""  # noqa: S608 - constants
_WANTED = """(granted_at, entrustment_id) < ($3, $4) and ($6::timestamptz is null or (
  recorded_at is not null and revoked_at is null and valid_from <= $6 and expires_at > $6))
  order by granted_at desc, entrustment_id desc limit $5"""
_LIST = f"""
select * from (
  (select * from entrustment where $7 <> 'received' and grantor_id = $1 and {_WANTED})
  union
  (select * from entrustment where $7 <> 'given' and agent_subject = $2 and {_WANTED})
) found order by granted_at desc, entrustment_id desc limit $5
"""  # noqa: S608 - constants
_WAITING = """
select * from entrustment
where recorded_at is null and refusal = '' and expires_at > $1
  and coalesce(try_at, granted_at) <= $1
order by coalesce(try_at, granted_at), entrustment_id limit $2 for update skip locked
"""
_END = datetime.max.replace(tzinfo=UTC), str(UUID(int=2**128 - 1))


@dataclass(frozen=True, slots=True)
class Content:
    """What of an entrustment is personal, or tells what it is about."""

    grantor: Holder = field(repr=False)
    wish: EntrustmentWish
    statement: str = field(repr=False)


_content = TypeAdapter(Content)


class EntrustmentRows:
    """The port ``EntrustmentStore`` on one transaction; rows altered elsewhere are told (ROW_ALTERED)."""

    def __init__(self, tx: Transaction, cipher: FieldCipher) -> None:
        self._tx, self._cipher, self._codes = tx, cipher, HashedCodes(cipher)

    async def add(self, entrustment: Entrustment) -> Entrustment:
        """Store a new one and return it; the one that has its id already is returned instead."""
        content = Content(entrustment.grantor, entrustment.wish, entrustment.statement)
        data = self._cipher.encrypt(_content.dump_json(content).decode(), field=ENTRUSTMENT_FIELD)
        values = ENTRUSTMENT.coded(self._cipher, self._values(entrustment))
        if await self._tx.fetchval(_INSERT, *values, data):
            return entrustment
        kept = await self.load(entrustment.entrustment_id)
        assert kept is not None, "one that stands is not deleted"
        return kept

    async def load(self, entrustment_id: str) -> Entrustment | None:
        """Return one, or None; nobody else changes it until the transaction ends."""
        return await self._one(_LOCK, entrustment_id)

    async def read(self, entrustment_id: str) -> Entrustment | None:
        """Return one as it stands, or None."""
        return await self._one(_GET, entrustment_id)

    async def save(self, entrustment: Entrustment) -> None:
        """Store how it stands: known to the registry or not, tried again when, taken back since when."""
        *_, mac = ENTRUSTMENT.coded(self._cipher, self._values(entrustment))
        await self._tx.execute(
            """
            update entrustment set recorded_at = $2, revoked_at = $3, tries = $4, try_at = $5, refusal = $6, mac = $7
            where entrustment_id = $1
            """,
            UUID(entrustment.entrustment_id),
            entrustment.recorded_at,
            entrustment.revoked_at,
            entrustment.tries,
            entrustment.try_at,
            entrustment.refusal,
            mac,
        )

    async def of(
        self,
        holder: Holder,
        person_id: str,
        before: Place | None,
        limit: int,
        role: Role = "",
        in_force_at: datetime | None = None,
    ) -> list[Entrustment]:
        """Return those a person gave or got, or one of both, newest first; with a moment those in force then."""
        granted_at, name = before or _END
        subject = self._codes.subject(*holder)
        place = granted_at, UUID(name)
        rows = await self._tx.fetch(_LIST, person_id, subject, *place, limit, in_force_at, role)
        return [self._entrustment(row) for row in rows]

    async def take_waiting(self, now: datetime, limit: int) -> list[Entrustment]:
        """Return some that the registry does not know yet and whose time has come, each for one caller.

        Their next time is set before they are handed over, so that a crash in between loses none.
        """
        rows = await self._tx.fetch(_WAITING, now, limit)
        taken = [self._entrustment(row).tried(now) for row in rows]
        for each in taken:
            await self.save(each)
        return taken

    async def _one(self, statement: str, entrustment_id: str) -> Entrustment | None:
        try:
            key = UUID(entrustment_id)
        except ValueError:
            return None
        row = await self._tx.fetchrow(statement, key)
        return self._entrustment(row) if row else None

    def _values(self, given: Entrustment) -> tuple[object, ...]:
        return (
            UUID(given.entrustment_id),
            given.grantor_id,
            given.granted_by,
            self._codes.subject(*given.wish.agent),
            given.valid_from,
            given.wish.expires_at,
            given.granted_at,
            given.recorded_at,
            given.revoked_at,
            given.tries,
            given.try_at,
            given.refusal,
        )

    def _entrustment(self, row: Record) -> Entrustment:
        ENTRUSTMENT.check(self._cipher, row)
        content = _content.validate_json(self._cipher.decrypt(row["content"], field=ENTRUSTMENT_FIELD))
        return Entrustment(
            str(row["entrustment_id"]),
            row["grantor_id"],
            row["granted_by"],
            content.grantor,
            content.wish,
            content.statement,
            row["valid_from"],
            row["granted_at"],
            row["recorded_at"],
            row["revoked_at"],
            row["tries"],
            row["try_at"],
            row["refusal"],
        )
