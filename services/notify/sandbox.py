"""The sandbox short-message provider: takes messages over for real, sends nothing, shows what it took.

It keeps its own table and its own transactions, as a provider outside would, so that a crash between
its answer and ours is a real crash. Magic numbers force outcomes, as sandboxes of the trade have them.
"""

from __future__ import annotations

import json
from datetime import datetime
from uuid import UUID

from chassis.clock import Clock
from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.rewrap import EncryptedTable
from services.notify.domain.message import Outcome
from services.notify.usecases.ports import Contents, TakenMessage

BUSY = "19900000001"
REFUSES = "19900000002"
SILENT = "19900000003"
"""Takes the message over, but the answer is lost."""

_FIELD = "sandbox.sms"
ENCRYPTED = EncryptedTable("sandbox_sms", ("message_id",), {"contents": _FIELD})
"""What the sandbox keeps encrypted."""


class SandboxProvider:
    """Implements the port Provider over a table of its own."""

    name = "sandbox"

    def __init__(self, database: Database, cipher: FieldCipher, clock: Clock) -> None:
        self._database = database
        self._cipher = cipher
        self._clock = clock

    async def send(self, message_id: UUID, contents: Contents) -> Outcome:
        """Take a message over once; magic numbers answer as their names say."""
        phone, text = contents.address or "", contents.text
        if phone == BUSY:
            return Outcome.REFUSED_FOR_NOW
        if phone == REFUSES:
            return Outcome.REFUSED
        sealed = self._cipher.encrypt(json.dumps([phone, text], ensure_ascii=False), field=_FIELD)
        async with self._database.transaction() as tx:
            await tx.execute(
                """insert into sandbox_sms (message_id, contents, phone_index, taken_at)
                values ($1, $2, $3, $4)""",
                message_id,
                sealed,
                self._cipher.blind_index(phone, field=_FIELD),
                self._clock(),
            )
        return Outcome.UNKNOWN if phone == SILENT else Outcome.TAKEN

    async def find(self, message_id: UUID) -> Outcome:
        """Say whether a message was taken over before."""
        async with self._database.transaction() as tx:
            taken = await tx.fetchval("select 1 from sandbox_sms where message_id = $1", message_id)
        return Outcome.TAKEN if taken else Outcome.NEVER_ARRIVED

    async def newest(self, limit: int, phone: str | None = None) -> list[TakenMessage]:
        """Return what was taken over, newest first; only for one number if given."""
        index = self._cipher.blind_index(phone, field=_FIELD) if phone else None
        async with self._database.transaction() as tx:
            rows = await tx.fetch(
                """select message_id, contents, taken_at from sandbox_sms
                where $2::bytea is null or phone_index = $2 order by taken_at desc, message_id desc limit $1""",
                limit,
                index,
            )
        return [self._taken(row["message_id"], row["contents"], row["taken_at"]) for row in rows]

    def _taken(self, message_id: UUID, sealed: bytes, taken_at: datetime) -> TakenMessage:
        phone, text = json.loads(self._cipher.decrypt(sealed, field=_FIELD))
        return TakenMessage(message_id, phone, text, taken_at)
