"""The ledger of uses and the sealed documents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.audit import recording
from chassis.db import Transaction
from chassis.fields import FieldCipher
from services.seal.domain.authorisation import LastUse
from services.seal.domain.ledger import SEALED, Head, SealUse
from services.seal.store.coded import SEAL_USE, SEAL_USE_DETAIL
from services.seal.store.use_rows import READ, base_values, detail_values, read_use
from services.seal.usecases.using_ports import StoredDocument, WantedUses

DOCUMENT_FIELD = "sealed_document.ofd"


def _places(columns: int, before: int = 0) -> str:
    return ", ".join(f"${before + at}" for at in range(1, columns + 1))


_USE, _DETAIL = len(SEAL_USE.columns) + 1, len(SEAL_USE_DETAIL.columns) + 1  # with their code
_INSERT = f"insert into seal_use ({SEAL_USE.names}) values ({_places(_USE)})"  # noqa: S608
_INSERT_DETAIL = f"""insert into seal_use_detail ({SEAL_USE_DETAIL.names})
values ({_places(_DETAIL, _USE)})"""  # noqa: S608
_MOVE_HEAD = "update ledger_head set sequence = ${}, row_hash = ${}"
_APPEND = f"with used as ({_INSERT}) {_MOVE_HEAD.format(_USE + 1, _USE + 2)}"
_APPEND_WITH_DETAIL = f"""with used as ({_INSERT}), told as ({_INSERT_DETAIL})
{_MOVE_HEAD.format(_USE + _DETAIL + 1, _USE + _DETAIL + 2)}"""
"""One statement, since everybody else waits for the head meanwhile."""


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
        return await self._one("u.licence_id = $1 and u.outcome = $2", licence_id, SEALED) is not None

    async def sealed_as(self, signature_id: str) -> SealUse | None:
        """Return the row of a sealing that was done, if it was."""
        return await self._one("u.signature_id = $1 and u.outcome = $2", UUID(signature_id), SEALED)

    async def of_signature(self, signature_id: str) -> Sequence[SealUse]:
        """Return every attempt at one sealing, oldest first."""
        return await self._many("u.signature_id = $1 order by u.sequence", UUID(signature_id))

    async def attempts(self, signature_id: str) -> int:
        """Return how many rows there are of one sealing."""
        return int(
            await self._tx.fetchval(
                "select count(*) from seal_use where signature_id = $1", UUID(signature_id)
            )
        )

    async def last_use(self, seal_id: str) -> LastUse | None:
        """Return a seal's newest use; exact while the head is locked. Uses of the first form count their day."""
        use = await self._one(
            "u.seal_id = $1 and u.outcome = 'sealed' order by u.sequence desc limit 1", seal_id
        )
        if use is None:
            return None
        used_at, detail = use.entry.used_at, use.entry.detail
        if detail is not None:
            return LastUse(used_at, detail.day_uses)
        count = await self._tx.fetchval(
            """select count(*) from seal_use where seal_id = $1 and outcome = 'sealed'
            and used_at >= date_trunc('day', $2::timestamptz, 'Asia/Shanghai')""",
            seal_id,
            used_at,
        )
        return LastUse(used_at, int(count))

    async def used_at(self, seal_id: str, back: int) -> datetime | None:
        """Return when the use was that lies so many back from now, the newest being 1; None if there are fewer."""
        moment: datetime | None = await self._tx.fetchval(
            """select used_at from seal_use where seal_id = $1 and outcome = 'sealed'
            order by sequence desc offset $2 limit 1""",
            seal_id,
            back - 1,
        )
        return moment

    async def append(self, use: SealUse) -> None:
        """Append a row and move the head. Raises AUDIT_UNWRITABLE."""
        assert self._cipher is not None, "this process uses no seals"
        values, detail = base_values(use, self._cipher), use.entry.detail
        if detail is not None:
            values += detail_values(use.sequence, detail, self._cipher)
        statement = _APPEND if detail is None else _APPEND_WITH_DETAIL
        with recording("seal_use"):
            await self._tx.execute(statement, *values, use.sequence, use.row_hash)

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

    async def page(self, wanted: WantedUses, before: int | None, limit: int) -> Sequence[SealUse]:
        """Return uses, newest first."""
        return await self._many(
            """($1 = '' or u.seal_id = $1) and ($2::text is null or u.issuer_code = $2)
            and ($3::bigint is null or u.sequence < $3) and ($4 = '' or d.document_type = $4)
            and ($5 = '' or u.case_id = $5) and (not $6 or u.outcome <> 'sealed')
            order by u.sequence desc limit $7""",
            wanted.seal_id,
            wanted.owner_code,
            before,
            wanted.document_type,
            wanted.case_id,
            wanted.refused_only,
            limit,
        )

    async def after(self, sequence: int, limit: int) -> Sequence[SealUse]:
        """Return rows in order, for checking the chain: by what it says itself, so that a row can be named."""
        rows = await self._tx.fetch(
            f"{READ} where u.sequence > $1 order by u.sequence limit $2",
            sequence,
            limit,
        )
        return [read_use(row, None) for row in rows]

    async def curable(
        self, outcomes: Sequence[str], at: datetime, limit: int, after: int = 0
    ) -> Sequence[SealUse]:
        """Return last refusals of licences whose issuer has a usable seal at a moment."""
        return await self._many(
            """u.outcome <> 'sealed' and u.outcome = any($1) and u.sequence > $4 and u.licence_id is not null
            and not exists (select from seal_use l where l.licence_id = u.licence_id and l.sequence > u.sequence)
            and exists (select from seal s where s.owner_code = u.issuer_code and s.status = 'active'
              and s.kind = 'official'
              and s.valid_from <= $2 and s.valid_until >= $2)
            order by u.sequence limit $3""",
            outcomes,
            at,
            limit,
            after,
        )

    async def recorded_at(self, signature_sm3: str) -> datetime | None:
        """Return when the ledger recorded a signature of this digest."""
        use = await self.sealed_with(signature_sm3)
        return use.entry.used_at if use else None

    async def sealed_with(self, signature_sm3: str) -> SealUse | None:
        """Return the row of the signature of this digest."""
        return await self._one(f"u.signature_sm3 = $1 and u.outcome = '{SEALED}'", signature_sm3)

    async def sealed_from(self, document_sha256: str, limit: int) -> Sequence[SealUse]:
        """Return the sealings that a document went into as it was, newest first."""
        return await self._many(
            f"u.unsealed_sha256 = $1 and u.outcome = '{SEALED}' order by u.sequence desc limit $2",
            document_sha256,
            limit,
        )

    async def digest_of(self, signature_id: str) -> str | None:
        """Return the hex SHA-256 of a sealed document."""
        found: str | None = await self._tx.fetchval(
            "select sha256 from sealed_document where signature_id = $1", UUID(signature_id)
        )
        return found

    async def _one(self, where: str, *values: object) -> SealUse | None:
        row = await self._tx.fetchrow(f"{READ} where {where}", *values)
        return read_use(row, self._cipher) if row else None

    async def _many(self, where: str, *values: object) -> list[SealUse]:
        rows = await self._tx.fetch(f"{READ} where {where}", *values)
        return [read_use(row, self._cipher) for row in rows]
