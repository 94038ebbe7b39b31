"""Presentations: found by the digest of their code, scanned by one guarded update."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.presentation import Showing, Summary

_SHOWING = "licence_id, expires_at, scanned_at, entrustment_id"


class PresentationStore:
    """The presentations of one open transaction; implements the port Presentations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(
        self, presentation_id: str, digest: bytes, summary: Summary, entrustment_id: str = ""
    ) -> None:
        """Store a new presentation under the digest of its code."""
        await self._tx.execute(
            """
            insert into presentation
              (presentation_id, code_digest, handle, licence_id, issued_at, expires_at, entrustment_id)
            values ($1, $2, $3, $4, $5, $6, $7)
            """,
            UUID(presentation_id),
            digest,
            summary.handle,
            UUID(summary.licence_id),
            summary.issued_at,
            summary.expires_at,
            entrustment_id or None,
        )

    async def scan(self, digest: bytes, scanned_by: str, now: datetime) -> Showing | None:
        """Mark as scanned; of two scans at once one finds it taken."""
        row = await self._tx.fetchrow(
            f"""
            update presentation set scanned_at = $3, scanned_by = $2
            where code_digest = $1 and scanned_at is null and expires_at > $3
            returning {_SHOWING}
            """,  # noqa: S608 - a constant
            digest,
            scanned_by,
            now,
        )
        return _showing(row) if row else None

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

    async def look(self, digest: bytes) -> Showing | None:
        """Return a presentation."""
        row = await self._tx.fetchrow(
            f"select {_SHOWING} from presentation where code_digest = $1",  # noqa: S608 - a constant
            digest,
        )
        return _showing(row) if row else None


def _showing(row: Any) -> Showing:
    return Showing(str(row["licence_id"]), row["expires_at"], row["scanned_at"], row["entrustment_id"] or "")
