"""Seal in memory: register, ledger and documents; the cryptography is stood in for, its own tests prove it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from chassis.db import Database, Transaction
from services.seal.domain.authorisation import LastUse, SealRules
from services.seal.domain.ledger import SEALED, Head, SealUse
from services.seal.domain.register import RegisteredSeal, SealStatus
from services.seal.domain.sealing import SealedDocument
from services.seal.usecases.ports import Work
from services.seal.usecases.using_ports import StoredDocument
from tests.simulator.services.stores import Store
from tests.simulator.world import START


def digest(data: bytes) -> bytes:
    """Return the digest that chains the ledger."""
    return hashlib.sha256(data).digest()


class Seals(Store):
    """Implements the port Seals: every authority has one seal in use."""

    async def of_owner(self, owner_code: str, *, lock: bool = False) -> Sequence[RegisteredSeal]:
        seal_id = f"seal-of-{owner_code}"
        if lock:
            await self.step(lambda session: session.lock("seal", seal_id), "lock seal", seal_id)
        long, born = timedelta(days=900), START - timedelta(days=90)
        return [
            RegisteredSeal(
                seal_id, owner_code, "测试印章", b"", born, START + long, SealStatus.ACTIVE, born, 3
            )
        ]


class Ledger(Store):
    """Implements the port Ledger."""

    async def head(self, *, lock: bool = False) -> Head:
        if lock:
            await self.step(lambda session: session.lock("ledger_head", 0), "lock head")
        return await self.kept("ledger_head", 0) or Head()

    async def sealed(self, licence_id: str) -> bool:
        rows = await self.everything("seal_use")
        return any((use.entry.licence_id, use.entry.outcome) == (licence_id, SEALED) for _, use in rows)

    async def attempts(self, signature_id: str) -> int:
        return sum(use.entry.signature_id == signature_id for _, use in await self.everything("seal_use"))

    async def last_use(self, seal_id: str) -> LastUse | None:
        mine = [use for _, use in await self.everything("seal_use") if _is_of(use, seal_id)]
        last = max(mine, key=lambda use: use.sequence, default=None)
        return LastUse(last.entry.used_at, last.entry.detail.day_uses) if last else None

    async def append(self, use: SealUse) -> None:
        if not await self.keep_new("seal_use", use.sequence, use):
            raise ValueError("duplicate key value: seal_use")
        await self.keep("ledger_head", 0, Head(use.sequence, use.row_hash))

    async def keep_document(self, document: StoredDocument) -> None:
        if not await self.keep_new("sealed_document", document.signature_id, document):
            raise ValueError("duplicate key value: sealed_document")

    async def document(self, signature_id: str) -> StoredDocument | None:
        return await self.kept("sealed_document", signature_id)  # type: ignore[no-any-return]


def _is_of(use: SealUse, seal_id: str) -> bool:
    return (use.entry.seal_id, use.entry.outcome) == (seal_id, SEALED)


class Permissions:
    """Implements the port Permissions as a fresh seal has it: the implicit grant and no rule."""

    async def grants(self, seal_id: str) -> tuple[list[Any], dict[str, Any]]:
        del seal_id
        return [], {}

    async def rules(self, seal_id: str) -> SealRules:
        return SealRules(seal_id)


class Checkpoints:
    """Implements the port Checkpoints: time stamping keeps up."""

    async def newest(self) -> None:
        return None

    async def oldest_use_after(self, sequence: int) -> None:
        del sequence


def work_of(tx: Transaction) -> Work:
    """Return the stores of a transaction; keys and trust play no part here."""
    nobody: Any = None
    stores: dict[str, Any] = {
        "seals": Seals(tx),
        "ledger": Ledger(tx),
        "permissions": Permissions(),
        "checkpoints": Checkpoints(),
        "publish": tx.publish,
    }
    return Work(**{each.name: stores.get(each.name, nobody) for each in fields(Work)})


def unit_of(db: Database) -> Any:
    """Return what opens one transaction."""

    @asynccontextmanager
    async def unit() -> AsyncIterator[Work]:
        async with db.transaction() as tx:
            yield work_of(tx)

    return unit


class Drawer:
    """Stands in for the cabinet: a seal ready for use is its id."""

    suite = SimpleNamespace(digest=digest)
    timekeeping = SimpleNamespace(lag_limit=timedelta(minutes=10), stamp=None)

    async def take(self, seals: Any, seal_id: str) -> str:
        del seals
        return seal_id


def stamped(ofd: bytes, in_use: Any, wishes: Any, now: datetime, *how: Any) -> SealedDocument:
    """Stand in for signing: another document each time, as a signature with a fresh random number is."""
    del wishes, how
    data = b"SEALED " + str(now).encode() + b" " + ofd
    return SealedDocument(data, digest(ofd), digest(data), digest(b"s" + data), "Signs/Sign_0", in_use, now)
