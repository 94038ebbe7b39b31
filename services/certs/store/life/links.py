"""Links between versions, originals and copies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.licence import Licence
from services.certs.domain.life.succession import Link, LinkKind, LinkState
from services.certs.store.coded import LICENCE_LINK
from services.certs.store.freezes import follow_link
from services.certs.store.licences import as_uuid
from services.certs.store.sealing import Vault

_READ = f"select {LICENCE_LINK.names} from licence_link"  # noqa: S608 - constants
_INSERT = f"""insert into licence_link ({LICENCE_LINK.names})
 values ({", ".join(f"${n}" for n in range(1, 10))})"""  # noqa: S608 - constants
_SAVE = "update licence_link set state = $2, settled_at = $3, mac = $4 where licence_id = $1"
_NEWEST = """
select coalesce(max(serial_version), 0) from licence where lineage_id = $1
"""
_CO_HOLDERS = """
insert into licence_co_holder (licence_id, holder_key) select $1, key from unnest($2::bytea[]) as u (key)
on conflict do nothing
"""


class LinkStore:
    """The links of one open transaction; implements the port Links."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def add(self, link: Link) -> None:
        """Store a new link; the database refuses a second successor and a second copy of a number.

        What is frozen of the parent is frozen of what hangs on it.
        """
        await self._tx.execute(_INSERT, *self._vault.coded(LICENCE_LINK, _values(link)))
        await follow_link(self._tx, self._vault, link.parent_id, link.licence_id)

    async def save(self, link: Link) -> None:
        """Store what became of a link, under its new code."""
        *values, mac = self._vault.coded(LICENCE_LINK, _values(link))
        await self._tx.execute(_SAVE, values[0], link.state, link.settled_at, mac)

    async def of(self, licence_id: str) -> Link | None:
        """Return the link of a licence. Raises ROW_ALTERED."""
        key = as_uuid(licence_id)
        row = await self._tx.fetchrow(f"{_READ} where licence_id = $1", key) if key else None
        return self._link(row) if row else None

    async def under(self, parent_id: str) -> list[Link]:
        """Return the links to a licence. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"{_READ} where parent_id = $1 order by copy_number, linked_at, licence_id", UUID(parent_id)
        )
        return [self._link(row) for row in rows]

    async def newest_version(self, lineage_id: str) -> int:
        """Return the highest version number of a lineage."""
        found: int = await self._tx.fetchval(_NEWEST, UUID(lineage_id))
        return found

    async def add_co_holders(self, licence: Licence) -> None:
        """Store the indexes of the second and further holders."""
        first, *others = [
            self._vault.holder_key(each.id_type_code, each.id_number) for each in licence.holders
        ]
        keys = sorted(set(others) - {first})
        if keys:
            await self._tx.execute(_CO_HOLDERS, UUID(licence.licence_id), keys)

    def _link(self, row: Any) -> Link:
        self._vault.check_row(LICENCE_LINK, row)
        return Link(
            str(row["licence_id"]),
            str(row["parent_id"]),
            LinkKind(row["kind"]),
            row["copy_number"],
            str(row["order_id"]),
            LinkState(row["state"]),
            row["linked_at"],
            row["settled_at"],
        )


def _values(link: Link) -> tuple[object, ...]:
    return (
        UUID(link.licence_id),
        UUID(link.parent_id),
        link.kind,
        link.copy_number,
        UUID(link.order_id),
        link.state,
        link.linked_at,
        link.settled_at,
    )
