"""Use-codes: found by the digest of the code, consumed by one guarded update."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.use_code import Binding, Consent, UseCode


class UseCodeStore:
    """The use-codes of one open transaction; implements the port UseCodes."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, code: UseCode, digest: bytes, consent: Consent) -> None:
        """Store a new use-code under the digest of its code."""
        bound = code.binding
        await self._tx.execute(
            """
            insert into use_code (use_code_id, code_digest, licence_id, item_code, case_id, consumer_code,
              face_fields, use_cause, consent_version, consented_at, issued_at, expires_at, max_uses, uses_left)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """,
            UUID(code.use_code_id),
            digest,
            UUID(bound.licence_id),
            bound.item_code,
            bound.case_id,
            bound.consumer_code,
            list(bound.face_fields),
            bound.use_cause,
            consent.version,
            consent.given_at,
            self._tx.now(),
            bound.expires_at,
            bound.max_uses,
            code.uses_left,
        )

    async def find(self, digest: bytes) -> UseCode | None:
        """Return the use-code of a digest."""
        row = await self._tx.fetchrow(
            """
            select use_code_id, licence_id, item_code, case_id, consumer_code, face_fields, use_cause,
              expires_at, max_uses, uses_left, revoked_at
            from use_code where code_digest = $1
            """,
            digest,
        )
        return _use_code(row) if row else None

    async def take_one_use(self, use_code_id: str, now: datetime) -> bool:
        """Take one use; concurrent takers wait for each other and see what is left."""
        tag = await self._tx.execute(
            """
            update use_code set uses_left = uses_left - 1
            where use_code_id = $1 and uses_left > 0 and revoked_at is null and expires_at > $2
            """,
            UUID(use_code_id),
            now,
        )
        return tag == "UPDATE 1"

    async def revoke(self, case_id: str, reason: str, now: datetime) -> int:
        """Revoke the case's codes that still have uses left."""
        tag = await self._tx.execute(
            """
            update use_code set revoked_at = $3, revoked_reason = $2
            where case_id = $1 and revoked_at is null and uses_left > 0
            """,
            case_id,
            reason,
            now,
        )
        return int(tag.split()[-1])


def _use_code(row: Any) -> UseCode:
    binding = Binding(
        str(row["licence_id"]),
        row["item_code"],
        row["case_id"],
        row["consumer_code"],
        tuple(row["face_fields"]),
        row["use_cause"],
        row["expires_at"],
        row["max_uses"],
    )
    return UseCode(str(row["use_code_id"]), binding, row["uses_left"], row["revoked_at"])
