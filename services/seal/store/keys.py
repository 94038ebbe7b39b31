"""The signing side's key pairs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.db import Transaction
from services.seal.usecases.application_ports import KeyRequest

_BEFORE_ALL = str(UUID(int=0))


class KeyTable:
    """Implements the port Keys."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def of_application(self, application_id: str) -> Sequence[KeyRequest]:
        """Return the keys made for an application, one per suite."""
        rows = await self._tx.fetch(
            """select key_id, owner_code, public_key, proof, suite, request from signer_key where application_id = $1
            order by suite""",
            UUID(application_id),
        )
        return [
            KeyRequest(
                str(row["key_id"]),
                row["owner_code"],
                row["public_key"],
                row["proof"],
                row["suite"],
                application_id,
                row["request"],
            )
            for row in rows
        ]

    async def wrapped(self, after: str, limit: int) -> Sequence[tuple[str, bytes]]:
        """Return key ids and wrapped keys in order of the ids."""
        rows = await self._tx.fetch(
            "select key_id, wrapped_key from signer_key where key_id > $1 order by key_id limit $2",
            UUID(after or _BEFORE_ALL),
            limit,
        )
        return [(str(row["key_id"]), row["wrapped_key"]) for row in rows]

    async def rewrap(self, key_id: str, before: bytes, after: bytes) -> None:
        """Keep a key under another secret, if it is still as it was read."""
        await self._tx.execute(
            "update signer_key set wrapped_key = $3 where key_id = $1 and wrapped_key = $2",
            UUID(key_id),
            before,
            after,
        )

    async def add(self, request: KeyRequest, wrapped_key: bytes, created_at: datetime) -> None:
        """Keep a key; its private half comes encrypted."""
        await self._tx.execute(
            """insert into signer_key
            (key_id, owner_code, public_key, proof, wrapped_key, created_at, suite, application_id, request)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            UUID(request.key_id),
            request.owner_code,
            request.public_key,
            request.proof,
            wrapped_key,
            created_at,
            request.suite,
            UUID(request.application_id) if request.application_id else None,
            request.request,
        )
