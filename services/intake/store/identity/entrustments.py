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
from services.intake.usecases.entrusting import Place

ENTRUSTMENT_FIELD = "entrustment.content"
_INSERT = f"""
insert into entrustment ({ENTRUSTMENT.names}, content) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (entrustment_id) do nothing returning true
"""  # noqa: S608 - constants
_LIST = """
select * from (
  (select * from entrustment where grantor_id = $1 and (granted_at, entrustment_id) < ($3, $4)
   order by granted_at desc, entrustment_id desc limit $5)
  union
  (select * from entrustment where agent_subject = $2 and (granted_at, entrustment_id) < ($3, $4)
   order by granted_at desc, entrustment_id desc limit $5)
) found order by granted_at desc, entrustment_id desc limit $5
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
        assert kept is not None, "nothing deletes an entrustment"
        return kept

    async def load(self, entrustment_id: str) -> Entrustment | None:
        """Return one, or None; nobody else changes it until the transaction ends."""
        try:
            key = UUID(entrustment_id)
        except ValueError:
            return None
        row = await self._tx.fetchrow("select * from entrustment where entrustment_id = $1 for update", key)
        return self._entrustment(row) if row else None

    async def save(self, entrustment: Entrustment) -> None:
        """Store since when the registry knows it and since when it is taken back."""
        *_, mac = ENTRUSTMENT.coded(self._cipher, self._values(entrustment))
        await self._tx.execute(
            "update entrustment set recorded_at = $2, revoked_at = $3, mac = $4 where entrustment_id = $1",
            UUID(entrustment.entrustment_id),
            entrustment.recorded_at,
            entrustment.revoked_at,
            mac,
        )

    async def of(self, holder: Holder, person_id: str, before: Place | None, limit: int) -> list[Entrustment]:
        """Return those a person gave or got, newest first."""
        granted_at, name = before or _END
        subject = self._codes.subject(*holder)
        rows = await self._tx.fetch(_LIST, person_id, subject, granted_at, UUID(name), limit)
        return [self._entrustment(row) for row in rows]

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
        )
