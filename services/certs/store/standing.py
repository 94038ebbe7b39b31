"""Leaves about states, found by the version that they say."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.log import LICENCE
from services.certs.usecases.log import Entry

_OF_VERSION = """
select leaf_index, kind, licence_id, leaf, salt from log_leaf
where licence_id = $1 and kind = $2
  and ($3 = 0 or (convert_from(leaf, 'UTF8')::jsonb -> 'facts' ->> 'version')::bigint = $3)
order by case when $3 = 0 then leaf_index else -leaf_index end limit 1
"""


class StateLeafStore:
    """The log's leaves of one open transaction; implements the port StateLeaves."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def of_version(self, licence_id: str, version: int) -> Entry | None:
        """Return the leaf of a version; of several, the last one that was said of it."""
        row = await self._tx.fetchrow(_OF_VERSION, UUID(licence_id), LICENCE, version)
        if row is None:
            return None
        return Entry(
            row["leaf_index"], row["kind"], licence_id, bytes(row["leaf"]), bytes(row["salt"] or b"")
        )
