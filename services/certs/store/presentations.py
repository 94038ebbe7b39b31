"""Presentations: found by the digest of their code, scanned by one guarded update."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.presentation import Summary


class PresentationStore:
    """The presentations of one open transaction; implements the port Presentations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, presentation_id: str, digest: bytes, summary: Summary) -> None:
        """Store a new presentation under the digest of its code."""
        await self._tx.execute(
            """
            insert into presentation (presentation_id, code_digest, handle, licence_id, issued_at, expires_at)
            values ($1, $2, $3, $4, $5, $6)
            """,
            UUID(presentation_id),
            digest,
            summary.handle,
            UUID(summary.licence_id),
            summary.issued_at,
            summary.expires_at,
        )

    async def scan(self, digest: bytes, scanned_by: str, now: datetime) -> str | None:
        """Mark as scanned; of two scans at once one finds it taken."""
        licence_id = await self._tx.fetchval(
            """
            update presentation set scanned_at = $3, scanned_by = $2
            where code_digest = $1 and scanned_at is null and expires_at > $3
            returning licence_id
            """,
            digest,
            scanned_by,
            now,
        )
        return str(licence_id) if licence_id else None

    async def digest_of(self, handle: str) -> bytes | None:
        """Return the digest of the code that a QR summary names."""
        found: bytes | None = await self._tx.fetchval(
            "select code_digest from presentation where handle = $1", handle
        )
        return found

    async def supersede(self, licence_id: str, until: datetime) -> None:
        """Have no unscanned code of a licence outlive ``until``."""
        await self._tx.execute(
            "update presentation set expires_at = $2 where licence_id = $1 and scanned_at is null and expires_at > $2",
            UUID(licence_id),
            until,
        )

    async def look(self, digest: bytes) -> tuple[str, datetime, datetime | None] | None:
        """Return licence, expiry and time of the scan."""
        row = await self._tx.fetchrow(
            "select licence_id, expires_at, scanned_at from presentation where code_digest = $1", digest
        )
        return (str(row["licence_id"]), row["expires_at"], row["scanned_at"]) if row else None
