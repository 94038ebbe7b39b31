"""The time-stamped points of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from chassis.audit import recording
from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.seal.domain.checkpoints import Checkpoint
from services.seal.store.coded import LEDGER_CHECKPOINT

_ROW = LEDGER_CHECKPOINT.names
_PLACES = ", ".join(f"${at}" for at in range(1, len(LEDGER_CHECKPOINT.columns) + 2))


class CheckpointTable:
    """Implements the port Checkpoints."""

    def __init__(self, tx: Transaction, cipher: FieldCipher | None) -> None:
        self._tx = tx
        self._cipher = cipher

    async def newest(self) -> Checkpoint | None:
        """Return the last checkpoint. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(
            f"select {_ROW} from ledger_checkpoint order by number desc limit 1"  # noqa: S608
        )
        if row is None:
            return None
        if self._cipher is not None:
            LEDGER_CHECKPOINT.check(self._cipher, row)
        return _checkpoint(row)

    async def append(self, checkpoint: Checkpoint) -> bool:
        """Keep a checkpoint; say whether it was kept, or another process was faster. Raises AUDIT_UNWRITABLE."""
        assert self._cipher is not None, "this process stamps nothing"
        values = tuple(getattr(checkpoint, name) for name in LEDGER_CHECKPOINT.columns)
        with recording("ledger_checkpoint"):
            kept = await self._tx.fetchval(
                f"insert into ledger_checkpoint ({_ROW}) values ({_PLACES}) on conflict do nothing returning true",  # noqa: S608
                *LEDGER_CHECKPOINT.coded(self._cipher, values),
            )
        return bool(kept)

    async def after(self, number: int, limit: int) -> Sequence[Checkpoint]:
        """Return checkpoints in order, by what they say themselves, so that a wrong one can be named."""
        rows = await self._tx.fetch(
            f"select {_ROW} from ledger_checkpoint where number > $1 order by number limit $2",  # noqa: S608
            number,
            limit,
        )
        return [_checkpoint(row) for row in rows]

    async def oldest_use_after(self, sequence: int) -> tuple[int, datetime] | None:
        """Return number and time of the first use that lies beyond a row of the ledger."""
        row = await self._tx.fetchrow(
            "select sequence, used_at from seal_use where sequence > $1 order by sequence limit 1", sequence
        )
        return (row["sequence"], row["used_at"]) if row else None


def _checkpoint(row: asyncpg.Record) -> Checkpoint:
    return Checkpoint(**{name: row[name] for name in LEDGER_CHECKPOINT.columns})
