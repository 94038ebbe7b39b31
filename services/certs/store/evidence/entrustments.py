"""Entrustments: the persons as blind indexes, the scope in clear, a code over the whole row."""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Any

from chassis.db import Transaction
from services.certs.domain.log import entrustment_leaf
from services.certs.domain.use_code import Entrustment
from services.certs.domain.use_code.entrustment import Person, Standing
from services.certs.store.coded import ENTRUSTMENT
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault

_GET = f"select {ENTRUSTMENT.names} from entrustment where entrustment_id = $1"  # noqa: S608 - constants
_INSERT = f"""
insert into entrustment ({ENTRUSTMENT.names}) values ({", ".join(f"${n}" for n in range(1, 14))})
on conflict (entrustment_id) do nothing
"""  # noqa: S608 - constants


class EntrustmentStore:
    """The entrustments of one open transaction; implements the port Entrustments."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault, self._log = tx, vault, LogQueue(tx)

    async def record(self, entrustment: Entrustment, statement_sha256: bytes) -> bool:
        """Keep an entrustment; the same scope again is no change. Raises ROW_ALTERED."""
        scope = (
            self._vault.holder_key(*entrustment.grantor),
            self._vault.holder_key(*entrustment.agent),
            list(entrustment.type_codes),
            list(entrustment.item_codes),
            [str(each) for each in entrustment.powers],
            entrustment.valid_from,
            entrustment.expires_at,
        )
        values = (entrustment.entrustment_id, *scope, statement_sha256, self._tx.now(), None, None)
        coded = self._vault.coded(ENTRUSTMENT, values)
        tag = await self._tx.execute(_INSERT, *coded)
        if tag == "INSERT 0 1":
            await self._say(entrustment.entrustment_id, "record", coded[-1])
            return True
        row = await self._row(entrustment.entrustment_id)
        assert row is not None
        return tuple(row[name] for name in ENTRUSTMENT.columns[1:8]) == scope

    async def standing(self, entrustment_id: str, grantor: Person, agent: Person) -> Standing | None:
        """Return an entrustment as it stands towards two persons. Raises ROW_ALTERED."""
        row = await self._row(entrustment_id)
        if row is None:
            return None
        return Standing(
            entrustment_id,
            hmac.compare_digest(row["grantor_key"], self._vault.holder_key(*grantor)),
            hmac.compare_digest(row["agent_key"], self._vault.holder_key(*agent)),
            tuple(row["type_codes"]),
            tuple(row["item_codes"]),
            tuple(row["powers"]),
            row["valid_from"],
            row["expires_at"],
            row["revoked_at"],
        )

    async def end_of(self, entrustment_id: str) -> tuple[datetime, datetime | None] | None:
        """Return when an entrustment ends by its term and when it was taken back. Raises ROW_ALTERED."""
        row = await self._row(entrustment_id)
        return (row["expires_at"], row["revoked_at"]) if row else None

    async def revoke(self, entrustment_id: str, grantor: Person, reason: str, now: datetime) -> bool:
        """Take a grantor's entrustment back; again is no change. Raises ROW_ALTERED."""
        row = await self._row(entrustment_id, lock=True)
        if row is None or not hmac.compare_digest(row["grantor_key"], self._vault.holder_key(*grantor)):
            return False
        if row["revoked_at"] is None:
            changed = {**dict(row), "revoked_at": now, "revoked_reason": reason}
            mac = self._vault.row_code(ENTRUSTMENT, changed)
            await self._tx.execute(
                "update entrustment set revoked_at = $2, revoked_reason = $3, mac = $4 where entrustment_id = $1",
                entrustment_id,
                now,
                reason,
                mac,
            )
            await self._say(entrustment_id, "revoke", mac)
        return True

    async def _say(self, entrustment_id: str, act: str, mac: object) -> None:
        assert isinstance(mac, bytes)
        await self._log.append(entrustment_leaf(entrustment_id, act, mac, self._tx.now()))

    async def _row(self, entrustment_id: str, *, lock: bool = False) -> Any:
        row = await self._tx.fetchrow(_GET + (" for update" if lock else ""), entrustment_id)
        if row is not None:
            self._vault.check_row(ENTRUSTMENT, row)
        return row
