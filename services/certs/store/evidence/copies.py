"""The record of annotated copies; the copies themselves are kept nowhere, their tickets only as digests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.evidence.annotation import Annotation
from services.certs.store.coded import ANNOTATED_COPY
from services.certs.store.sealing import Vault
from services.certs.usecases.evidence_ports import CopyRecord

_INSERT = f"""
insert into annotated_copy ({ANNOTATED_COPY.names}) values ({", ".join(f"${n}" for n in range(1, 16))})
"""  # noqa: S608 - constants
_BY_TICKET = f"select {ANNOTATED_COPY.names} from annotated_copy where ticket_digest = $1"  # noqa: S608


class CopyStore:
    """The copies of one open transaction; implements the port Copies."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def add(self, copy: CopyRecord, ticket: bytes | None, ticket_expires_at: datetime | None) -> None:
        """Keep a record."""
        note = copy.annotation
        values = (
            UUID(note.copy_id),
            UUID(copy.licence_id),
            copy.licence_version,
            UUID(copy.usage_id),
            note.consumer_code,
            note.consumer_name,
            note.use_cause,
            note.case_id,
            note.made_at,
            note.expires_at,
            copy.copy_sha256,
            note.original_sha256,
            ticket,
            ticket_expires_at,
        )
        await self._tx.execute(_INSERT, *self._vault.coded(ANNOTATED_COPY, values))

    async def take(self, ticket: bytes, consumer_code: str, now: datetime) -> CopyRecord | None:
        """Use a ticket up; of two at once one gets the copy. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(_BY_TICKET, ticket)
        if row is None:
            return None
        self._vault.check_row(ANNOTATED_COPY, row)
        if row["consumer_code"] != consumer_code or row["ticket_expires_at"] <= now:
            return None
        tag = await self._tx.execute(
            "insert into annotated_copy_fetch (copy_id, fetched_at) values ($1, $2) on conflict do nothing",
            row["copy_id"],
            now,
        )
        return _copy(row) if tag == "INSERT 0 1" else None


def _copy(row: Any) -> CopyRecord:
    note = Annotation(
        str(row["copy_id"]),
        row["use_cause"],
        row["consumer_code"],
        row["consumer_name"],
        row["case_id"],
        row["made_at"],
        row["expires_at"],
        row["original_sha256"],
    )
    return CopyRecord(
        note, str(row["licence_id"]), row["licence_version"], str(row["usage_id"]), row["copy_sha256"]
    )
