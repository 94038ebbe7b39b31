"""Ways to a licence beside the two of the look-up, in pages; and the history that answers about the past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from chassis.errors import Fault
from services.certs.domain.status import Act, LicenceStatus, StatusChange
from services.certs.domain.use_code.entrustment import Person
from services.certs.store.coded import STATUS_CHANGE
from services.certs.store.sealing import Vault
from services.certs.usecases.evidence_ports import Place, Sees

_HOLDERS = """select licence_id from licence where holder_key = $1
 union select licence_id from licence_co_holder where holder_key = $1"""
_NUMBERS = "select licence_id from licence where number_key = $1"
_PAGE = """
select l.created_at, l.licence_id from licence l
where l.licence_id in ({ids})
  and (cardinality($2::text[]) = 0 or l.type_code = any($2))
  and ($3 or l.issuer_code = $4 or ($5 and l.status not in ('draft', 'pending_seal')))
  and (l.created_at, l.licence_id) < ($6, $7)
order by l.created_at desc, l.licence_id desc limit $8
"""
_END = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
_CHANGES = f"""
select {STATUS_CHANGE.names} from licence_status_change where licence_id = $1
order by effective_at, version
"""  # noqa: S608 - constants
_UNNUMBERED = """
select licence_id, subject from licence where number_key is null and licence_id > $1
order by licence_id limit $2 for update skip locked
"""
_NUMBER = """
update licence l set number_key = u.number_key from unnest($1::uuid[], $2::bytea[]) as u (licence_id, number_key)
where l.licence_id = u.licence_id
"""


class SearchStore:
    """The searches of one open transaction; implements the port Searches."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def of_holder(
        self, holder: Person, type_codes: Sequence[str], sees: Sees, before: Place | None, limit: int
    ) -> list[Place]:
        """Return the licences of a holder or co-holder."""
        return await self._page(_HOLDERS, self._vault.holder_key(*holder), type_codes, sees, before, limit)

    async def of_number(
        self, number: str, type_codes: Sequence[str], sees: Sees, before: Place | None, limit: int
    ) -> list[Place]:
        """Return the licences of a number."""
        return await self._page(_NUMBERS, self._vault.number_key(number), type_codes, sees, before, limit)

    async def changes(self, licence_id: str) -> list[StatusChange]:
        """Return the status history in the order of effect. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(_CHANGES, UUID(licence_id))
        for row in rows:
            self._vault.check_row(STATUS_CHANGE, row)
        return [_change(row) for row in rows]

    async def index_numbers(self, after: str, limit: int) -> tuple[str, int]:
        """Index the numbers of licences of earlier releases after an id, up to ``limit`` that nobody else holds."""
        rows = await self._tx.fetch(_UNNUMBERED, UUID(after) if after else UUID(int=0), limit)
        keys = [self._number_key(row["subject"]) for row in rows]
        indexed = [(row["licence_id"], key) for row, key in zip(rows, keys, strict=True) if key]
        if indexed:
            await self._tx.execute(_NUMBER, *(list(column) for column in zip(*indexed, strict=True)))
        return (str(rows[-1]["licence_id"]) if len(rows) == limit else ""), len(rows) - len(indexed)

    def _number_key(self, subject: bytes) -> bytes | None:
        try:
            return self._vault.number_key(self._vault.open_subject(subject)[1])
        except Fault:  # that no key opens it is told by the walk over what is encrypted
            return None

    async def _page(
        self,
        ids: str,
        key: bytes,
        type_codes: Sequence[str],
        sees: Sees,
        before: Place | None,
        limit: int,
    ) -> list[Place]:
        at, licence_id = (before[0], UUID(before[1])) if before else _END
        rows = await self._tx.fetch(
            _PAGE.format(ids=ids),
            key,
            list(type_codes),
            sees.everything,
            sees.issuer_code,
            sees.published,
            at,
            licence_id,
            limit,
        )
        return [(row["created_at"], str(row["licence_id"])) for row in rows]


def _change(row: Any) -> StatusChange:
    return StatusChange(
        LicenceStatus(row["previous"]),
        LicenceStatus(row["status"]),
        Act(row["act"]),
        row["reason"],
        row["basis_document"],
        row["operator"],
        row["effective_at"],
    )
