"""The usage record as holders read it: filtered, with the fields that a use-code gave."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.domain.use_code import Grounds, Mode
from services.certs.store.coded import USAGE, USAGE_GROUNDS
from services.certs.store.licences import as_uuid
from services.certs.store.sealing import Vault
from services.certs.store.usages import OF_FURTHER_HOLDERS
from services.certs.usecases.recourse_ports import HeldUse, Person, Place, UseFilter

_WANTED = """(used_at, usage_id) < ($2, $3) and ($5::uuid is null or licence_id = $5)
  and ($6::timestamptz is null or used_at >= $6) and ($7::timestamptz is null or used_at < $7)
  order by used_at desc, usage_id desc limit $4"""
_USAGE = ", ".join(f"u.{name.strip()}" for name in USAGE.names.split(","))
_PAGE = f"""
select {_USAGE}, coalesce(l.type_name, '') as type_name, coalesce(c.face_fields, '{{}}') as face_fields
from (
  (select {USAGE.names} from usage where holder_key = $1 and {_WANTED})
  union
  (select {USAGE.names} from usage
   where licence_id in (select licence_id from licence_co_holder where holder_key = $1) and {_WANTED})
  union
  (select {USAGE.names} from usage where {OF_FURTHER_HOLDERS} and {_WANTED})
) u left join licence l on l.licence_id = u.licence_id left join use_code c on c.use_code_id = u.use_code_id
order by u.used_at desc, u.usage_id desc limit $4
"""  # noqa: S608 - constants
_GROUNDS = f"select {USAGE_GROUNDS.names} from usage_grounds where usage_id = any($1)"  # noqa: S608 - constants
_END = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class HeldUseStore:
    """The usage record of one open transaction; implements the port HeldUses."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def page(
        self, holder: Person, wanted: UseFilter, before: Place | None, limit: int
    ) -> list[HeldUse]:
        """Return the uses of a holder's licences, newest first; those of a licence id that is none are none."""
        licence = as_uuid(wanted.licence_id)
        if wanted.licence_id and licence is None:
            return []
        used_at, usage_id = (before[0], UUID(before[1])) if before else _END
        key = self._vault.holder_key(*holder)
        rows = await self._tx.fetch(
            _PAGE, key, used_at, usage_id, limit, licence, wanted.used_from, wanted.used_before
        )
        for row in rows:
            self._vault.check_row(USAGE, row)
        grounds = await self._grounds([row["usage_id"] for row in rows])
        return [
            HeldUse(_usage(row, grounds.get(row["usage_id"])), row["type_name"], tuple(row["face_fields"]))
            for row in rows
        ]

    async def _grounds(self, usage_ids: list[UUID]) -> dict[UUID, Grounds]:
        rows = await self._tx.fetch(_GROUNDS, usage_ids)
        for row in rows:
            self._vault.check_row(USAGE_GROUNDS, row)
        return {
            row["usage_id"]: Grounds(
                Mode(row["mode"]), row["consent_id"], row["legal_article"], row["entrustment_id"]
            )
            for row in rows
        }


def _usage(row: Any, grounds: Grounds | None) -> Usage:
    basis = Basis(row["basis"]) if row["basis"] else None
    return Usage(
        str(row["usage_id"]),
        UsageKind(row["kind"]),
        Reader(row["consumer_code"], row["consumer_name"], row["consumer_is_department"]),
        Purpose(row["use_cause"], basis, row["item_code"], row["case_id"]),
        row["used_at"],
        row["outcome"],
        str(row["licence_id"]) if row["licence_id"] else "",
        str(row["use_code_id"]) if row["use_code_id"] else "",
        grounds=grounds,
    )
