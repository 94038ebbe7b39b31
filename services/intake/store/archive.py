"""Where the packages of closed cases are."""

from __future__ import annotations

from chassis.db import Transaction
from services.intake.usecases.cases.ports import ArchiveRecord


class ArchiveRows:
    """Archive records, within one transaction."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, record: ArchiveRecord) -> None:
        """Store where a package is; the first one stays."""
        await self._tx.execute(
            """
            insert into case_archive (case_id, file_id, sha256, sm3, size_bytes, manifest, archived_at)
            values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing
            """,
            record.case_id,
            record.file_id,
            record.sha256,
            record.sm3,
            record.size_bytes,
            record.manifest,
            record.archived_at,
        )

    async def of_case(self, case_id: str) -> ArchiveRecord | None:
        """Return the package of a case, or None."""
        row = await self._tx.fetchrow(
            """
            select case_id, file_id, sha256, sm3, size_bytes, manifest, archived_at
            from case_archive where case_id = $1
            """,
            case_id,
        )
        return ArchiveRecord(**dict(row)) if row else None
