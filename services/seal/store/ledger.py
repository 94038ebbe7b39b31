"""The ledger of uses and the sealed documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.audit import recording
from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.seal.domain.ledger import SEALED, Head, SealUse, UseEntry
from services.seal.store.coded import SEAL_USE
from services.seal.usecases.ports import StoredDocument

_ROW = SEAL_USE.names
_PLACES = ", ".join(f"${at}" for at in range(1, len(SEAL_USE.columns) + 2))
DOCUMENT_FIELD = "sealed_document.ofd"


class LedgerTable:
    """Implements the port Ledger."""

    def __init__(self, tx: Transaction, cipher: FieldCipher | None) -> None:
        self._tx = tx
        self._cipher = cipher

    async def head(self, *, lock: bool = False) -> Head:
        """Return the end of the chain; with `lock` nobody else appends before this transaction ends."""
        suffix = "for update" if lock else ""
        row = await self._tx.fetchrow(f"select sequence, row_hash from ledger_head {suffix}")  # noqa: S608
        assert row is not None, "the migration wrote it"
        return Head(row["sequence"], row["row_hash"])

    async def sealed(self, licence_id: str) -> bool:
        """Say whether the licence's document carries its seal already."""
        row = await self._tx.fetchrow(
            f"select {_ROW} from seal_use where licence_id = $1 and outcome = $2",  # noqa: S608
            licence_id,
            SEALED,
        )
        return row is not None and self._use(row) is not None

    async def attempts(self, signature_id: str) -> int:
        """Return how many rows there are of one sealing."""
        return int(
            await self._tx.fetchval(
                "select count(*) from seal_use where signature_id = $1", UUID(signature_id)
            )
        )

    async def append(self, use: SealUse) -> None:
        """Append a row and move the head. Raises AUDIT_UNWRITABLE."""
        assert self._cipher is not None, "this process uses no seals"
        entry = use.entry
        values = (
            use.sequence,
            UUID(entry.signature_id),
            entry.seal_id,
            entry.licence_id,
            entry.case_id,
            entry.issuer_code,
            entry.outcome,
            entry.unsealed_sha256,
            entry.document_sm3,
            entry.signature_sm3,
            entry.used_at,
            use.previous_hash,
            use.row_hash,
        )
        with recording("seal_use"):
            await self._tx.execute(
                f"insert into seal_use ({_ROW}) values ({_PLACES})",  # noqa: S608
                *SEAL_USE.coded(self._cipher, values),
            )
            await self._tx.execute(
                "update ledger_head set sequence = $1, row_hash = $2", use.sequence, use.row_hash
            )

    async def keep_document(self, document: StoredDocument) -> None:
        """Keep the sealed bytes, encrypted: a licence names its holder."""
        assert self._cipher is not None, "this process keeps no documents"
        await self._tx.execute(
            "insert into sealed_document (signature_id, seal_id, ofd, sha256, signed_at) values ($1, $2, $3, $4, $5)",
            UUID(document.signature_id),
            document.seal_id,
            self._cipher.encrypt_bytes(document.ofd, field=DOCUMENT_FIELD),
            document.sha256,
            document.signed_at,
        )

    async def document(self, signature_id: str) -> StoredDocument | None:
        """Return a sealed document."""
        row = await self._tx.fetchrow(
            "select signature_id, seal_id, ofd, sha256, signed_at from sealed_document where signature_id = $1",
            UUID(signature_id),
        )
        if row is None:
            return None
        assert self._cipher is not None, "this process reads no documents"
        ofd = self._cipher.decrypt_bytes(row["ofd"], field=DOCUMENT_FIELD)
        return StoredDocument(str(row["signature_id"]), row["seal_id"], ofd, row["sha256"], row["signed_at"])

    async def page(
        self, seal_id: str, owner_code: str | None, before: int | None, limit: int
    ) -> Sequence[SealUse]:
        """Return uses, newest first: of one seal or, with an empty id, of all of one owner or of everybody."""
        rows = await self._tx.fetch(
            f"""select {_ROW} from seal_use where ($1 = '' or seal_id = $1)
            and ($2::text is null or issuer_code = $2) and ($3::bigint is null or sequence < $3)
            order by sequence desc limit $4""",  # noqa: S608
            seal_id,
            owner_code,
            before,
            limit,
        )
        return [self._use(row) for row in rows]

    async def after(self, sequence: int, limit: int) -> Sequence[SealUse]:
        """Return rows in order, for checking the chain: by what it says itself, so that a row can be named."""
        rows = await self._tx.fetch(
            f"select {_ROW} from seal_use where sequence > $1 order by sequence limit $2",  # noqa: S608
            sequence,
            limit,
        )
        return [_use(row) for row in rows]

    async def curable(self, outcomes: Sequence[str], at: datetime, limit: int) -> Sequence[UseEntry]:
        """Return last refusals with one of these outcomes whose issuer has a usable seal at a moment."""
        rows = await self._tx.fetch(
            f"""select {_ROW} from seal_use u where outcome <> 'sealed' and outcome = any($1)
            and not exists (select from seal_use l where l.licence_id = u.licence_id and l.sequence > u.sequence)
            and exists (select from seal s where s.owner_code = u.issuer_code and s.status = 'active'
              and s.valid_from <= $2 and s.valid_until >= $2)
            order by sequence limit $3""",  # noqa: S608
            outcomes,
            at,
            limit,
        )
        return [self._use(row).entry for row in rows]

    async def recorded_at(self, signature_sm3: str) -> datetime | None:
        """Return when the ledger recorded a signature of this digest."""
        row = await self._tx.fetchrow(
            f"select {_ROW} from seal_use where signature_sm3 = $1 and outcome = '{SEALED}'",  # noqa: S608
            signature_sm3,
        )
        return self._use(row).entry.used_at if row else None

    def _use(self, row: asyncpg.Record) -> SealUse:
        """Return the row, checked. Raises ROW_ALTERED; a job without a cipher checks the chain instead."""
        if self._cipher is not None:
            SEAL_USE.check(self._cipher, row)
        return _use(row)


def _use(row: asyncpg.Record) -> SealUse:
    values = {name: row[name] for name in SEAL_USE.columns}
    sequence, previous, row_hash = (values.pop(name) for name in ("sequence", "previous_hash", "row_hash"))
    values["signature_id"] = str(values["signature_id"])
    return SealUse(sequence, UseEntry(**values), previous, row_hash)
