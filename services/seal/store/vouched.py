"""Whether rows of the register are as they were written: by the maker, under its signature, or by this side's code.

A process without the field keys (the maker's) judges what makers signed and passes over what carries a code; one
without suites judges nothing. Rows of the release that signed nothing are held to be sound only until the keyring
says that no row may be without its code; the maker signs them at its first run.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from chassis.db import Transaction
from chassis.fields import ROW_ALTERED, FieldCipher
from chassis.row_codes import stable
from services.seal.domain.suite import SigningKey, Suites
from services.seal.domain.vouching import Makers

HISTORY_COLUMNS = (
    *(
        "seal_id",
        "version",
        "status",
        "since",
        "changed_at",
        "reason",
        "operator",
        "second_person",
        "account",
    ),
)
_TABLE = "seal_history"


class Vouching:
    """Shared by the transactions of one process: who the makers are, and the codes of this side."""

    def __init__(
        self, cipher: FieldCipher | None = None, suites: Suites | None = None, key: SigningKey | None = None
    ) -> None:
        self.cipher, self._suites, self._key = cipher, suites, key
        self._makers = Makers.of(suites, ()) if suites else None

    def sign(self, statement: bytes) -> bytes | None:
        """Return the maker's signature for a row that the maker writes, None elsewhere."""
        return self._key.sign(statement) if self._key else None

    def code(self, values: dict[str, Any]) -> bytes | None:
        """Return this side's code of a row of the history, None in the maker's process."""
        if self._key is not None or self.cipher is None:
            return None
        return self.cipher.row_mac(*(stable(values[name]) for name in HISTORY_COLUMNS), field=_TABLE)

    async def check(
        self, tx: Transaction, table: str, signature: bytes | None, statement: bytes, *, legacy: bool = False
    ) -> None:
        """Return if a maker signed the row. Raises ROW_ALTERED."""
        if self._makers is None or self._suites is None:
            return
        if signature is None and legacy and not self._all_are_coded():
            return
        if self._makers.vouched(signature, statement):
            return
        rows = await tx.fetch("select certificate from trust_certificate where role = 'maker'")
        self._makers = Makers.of(self._suites, (row["certificate"] for row in rows))
        if not self._makers.vouched(signature, statement):
            raise ROW_ALTERED(table=table)

    async def check_entry(
        self, tx: Transaction, row: asyncpg.Record | dict[str, Any], statement: bytes, *, legacy: bool
    ) -> None:
        """Return if an entry of the history is as it was written. Raises ROW_ALTERED."""
        if row["row_code"] is None:
            await self.check(tx, _TABLE, row["maker_signature"], statement, legacy=legacy)
        elif self.cipher is not None:
            values = (stable(row[name]) for name in HISTORY_COLUMNS)
            self.cipher.check_row(row["row_code"], *values, field=_TABLE)

    def _all_are_coded(self) -> bool:
        return self.cipher is not None and self.cipher.keyring.row_codes_since is not None
