"""Erasing what a fallen licence says and whose it was; the proof of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from chassis.errors import ETAG_MISMATCH
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.licence import Licence
from services.certs.domain.life.retention import Erasure, Term
from services.certs.store.coded import LICENCE_ERASURE
from services.certs.store.licences import COLUMNS, LicenceStore
from services.certs.store.log import forget_salts
from services.certs.store.sealing import Vault

_FALLEN = (
    "l.status in ('expired', 'replaced', 'cancelled', 'revoked', 'forfeited') and l.holder_key <> ''::bytea"
)
_CLAIM = f"""
select {COLUMNS}, l.updated_at from licence l
where {_FALLEN} and l.updated_at < $1 and {{types}}
order by l.updated_at limit $3 for update skip locked
"""  # noqa: S608 - constants
_ERASE = """
update licence set identifier_key = $3, holder_key = ''::bytea, number_key = ''::bytea, subject = $4, face = $5,
  content_key = null, unsealed_sha256 = '', sealed_sha256 = '', version = $2, updated_at = $6
where licence_id = $1 and version = $2 - 1
"""
_INSERT = f"""insert into licence_erasure ({LICENCE_ERASURE.names})
 values ($1, $2, $3, $4, $5, $6, $7)"""  # noqa: S608 - constants
_DOCUMENTS = f"""select {LICENCE_ERASURE.names} from licence_erasure where documents_removed_at is null
 order by erased_at limit $1 for update skip locked"""  # noqa: S608 - constants


class ErasureStore:
    """The erasures of one open transaction; implements the port Erasures."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault
        self._licences = LicenceStore(tx, vault)

    async def claim(self, term: Term, others: Sequence[str], limit: int) -> list[tuple[Licence, datetime]]:
        """Lock and return fallen licences of a term, those that fell first at first."""
        codes = list(term.type_codes or others)
        types = "l.type_code = any($2)" if term.type_codes else "l.type_code <> all($2)"
        rows = await self._tx.fetch(_CLAIM.format(types=types), term.fell_before, codes, limit)
        return [(self._licences.licence_of(row), row["updated_at"]) for row in rows]

    async def erase(self, skeleton: Licence, erasure: Erasure) -> None:
        """Overwrite what is personal, what holders said in disputes too; delete earlier contents and indexes; store the proof.

        A public identifier stays findable; one that held an identity number does not. Raises ETAG_MISMATCH.
        """
        key = UUID(skeleton.licence_id)
        held = await self._licences.get(skeleton.licence_id)
        assert held is not None, "the row is held"
        identifier = public_identifier(held)
        unfindable = hashlib.sha256(b"erased" + key.bytes).digest()
        tag = await self._tx.execute(
            _ERASE,
            key,
            skeleton.version,
            self._vault.identifier_key(identifier) if identifier else unfindable,
            self._vault.seal_subject(replace(skeleton, identifier=identifier)),
            self._vault.seal_face({}),
            self._tx.now(),
        )
        if tag != "UPDATE 1":
            raise ETAG_MISMATCH()
        await self._tx.execute(_INSERT, *self._vault.coded(LICENCE_ERASURE, _values(erasure)))
        await self._tx.execute("delete from licence_co_holder where licence_id = $1", key)
        await self._tx.execute("delete from licence_past where licence_id = $1", key)
        nothing = self._vault.seal_statement("")
        await self._tx.execute("update dispute set statement = $2 where licence_id = $1", key, nothing)
        await forget_salts(self._tx, [skeleton.licence_id])

    async def claim_documents(self, limit: int) -> list[Erasure]:
        """Lock and return erasures with documents to remove. Raises ROW_ALTERED."""
        return [self._erasure(row) for row in await self._tx.fetch(_DOCUMENTS, limit)]

    async def save(self, erasure: Erasure) -> None:
        """Store that the documents are gone, under a new code."""
        *_, mac = self._vault.coded(LICENCE_ERASURE, _values(erasure))
        await self._tx.execute(
            "update licence_erasure set documents_removed_at = $2, mac = $3 where licence_id = $1",
            UUID(erasure.licence_id),
            erasure.documents_removed_at,
            mac,
        )

    def _erasure(self, row: Any) -> Erasure:
        self._vault.check_row(LICENCE_ERASURE, row)
        return Erasure(
            str(row["licence_id"]),
            row["fell_at"],
            row["keep_years"],
            row["erased_at"],
            tuple(row["documents"]),
            row["documents_removed_at"],
        )


def _values(erasure: Erasure) -> tuple[object, ...]:
    return (
        UUID(erasure.licence_id),
        erasure.fell_at,
        erasure.keep_years,
        erasure.erased_at,
        list(erasure.documents),
        erasure.documents_removed_at,
    )
