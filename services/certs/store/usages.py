"""The usage record: appended in sets, read by holder, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from asyncpg.pgproto.pgproto import UUID  # see `sealing`
from pydantic_core import to_json

from chassis.audit import recording
from chassis.db import Transaction
from services.certs.domain.dispute import FREELY, LICENCE_IN_DISPUTE, refused_uses
from services.certs.domain.holder import Holder
from services.certs.domain.log import USAGE as LEAF_KIND
from services.certs.domain.log import usage_leaf_text
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, ShownUse, Usage, UsageKind
from services.certs.domain.use_code import Grounds, Mode
from services.certs.store.coded import USAGE, USAGE_GROUNDS
from services.certs.store.freezes import frozen_uses
from services.certs.store.log import QUEUE
from services.certs.store.reliance import rely
from services.certs.store.sealing import Vault

OF_FURTHER_HOLDERS = """(licence_id, holder_key) in (
  select c.licence_id, c.holder_key from licence l join licence_co_holder c using (licence_id)
  where l.holder_key = $1)"""
"""Uses of a holder's licences that were recorded under the number of another who holds them too."""
_PAGE = f"""
select u.usage_id, u.kind, u.licence_id, u.use_code_id, u.consumer_code, u.consumer_name,
  u.consumer_is_department, u.item_code, u.case_id, u.use_cause, u.basis, u.outcome, u.used_at,
  u.holder_key, u.mac, coalesce(l.type_name, '') as type_name
from (
  (select {USAGE.names} from usage where holder_key = $1 and (used_at, usage_id) < ($2, $3)
   order by used_at desc, usage_id desc limit $4)
  union
  (select {USAGE.names} from usage
   where licence_id in (select licence_id from licence_co_holder where holder_key = $1)
     and (used_at, usage_id) < ($2, $3)
   order by used_at desc, usage_id desc limit $4)
  union
  (select {USAGE.names} from usage where {OF_FURTHER_HOLDERS} and (used_at, usage_id) < ($2, $3)
   order by used_at desc, usage_id desc limit $4)
) u left join licence l on l.licence_id = u.licence_id
order by u.used_at desc, u.usage_id desc limit $4
"""  # noqa: S608 - constants
_LINE = (*USAGE.columns[:-1], "holder_hex", "mac_hex", "leaf")
"""A line's values by name: the columns that are coded, of which the last is the holder's key, and what follows them."""
_APPEND = f"""
with line as (
  select l.*, decode(holder_hex, 'hex') as holder_key, decode(mac_hex, 'hex') as mac
  from json_to_recordset($1::json) as l (
    usage_id uuid, kind text, licence_id uuid, use_code_id uuid, consumer_code text, consumer_name text,
    consumer_is_department boolean, item_code text, case_id text, use_cause text, basis text, outcome text,
    used_at timestamptz, holder_hex text, mac_hex text, leaf text)),
queued as (
  insert into {QUEUE} (licence_id, kind, leaf, queued_at)
  select licence_id, '{LEAF_KIND}', convert_to(leaf, 'UTF8'), used_at from line)
insert into usage ({USAGE.names}) select {USAGE.names} from line
"""  # noqa: S608 - constants
# One JSON text for all lines: to hand over each value by itself took longer than all else about a line.
_ADD_GROUNDS = f"insert into usage_grounds ({USAGE_GROUNDS.names}) values ($1, $2, $3, $4, $5, $6, $7)"  # noqa: S608
_GROUNDS = f"select {USAGE_GROUNDS.names} from usage_grounds where usage_id = any($1)"  # noqa: S608 - constants
_END = (datetime.max.replace(tzinfo=UTC), UUID(b"\xff" * 16))


class UsageStore:
    """The usage record of one open transaction; implements the port Usages."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault = tx, vault

    async def add(self, usages: Sequence[Usage]) -> None:
        """Append lines, and their leaves to the log, in one statement; then who relied on what.

        Raises AUDIT_UNWRITABLE, and LICENCE_IN_DISPUTE for a use of a frozen licence, which is recorded
        as refused when the transaction has ended.
        """
        await self._refuse_frozen(usages)
        await self._append(usages)
        with recording("usage"):
            await self._add_grounds([each for each in usages if each.grounds is not None])
        await rely(self._tx, usages)

    def record_if_refused(self, usages: Sequence[Usage]) -> None:
        """Have lines appended, in a transaction of their own, if this one ends with a refusal."""
        lines = list(usages)

        async def record(tx: Transaction) -> None:
            await UsageStore(tx, self._vault).add(lines)

        self._tx.if_refused(record)

    async def add_finds(self, usages: Sequence[Usage]) -> None:
        """Append lines of look-ups, and their leaves to the log: one statement, which needs no transaction.

        Who finds a licence is given nothing that a freeze holds back or a case could rely on: see `as_found`.
        Raises AUDIT_UNWRITABLE.
        """
        if any(each.kind is not UsageKind.FIND or each.grounds is not None for each in usages):
            message = "no line of a look-up; `add` knows what else belongs to it"
            raise ValueError(message)
        await self._append(usages)

    async def of_holder(
        self, id_type_code: str, id_number: str, before: tuple[datetime, str] | None, limit: int
    ) -> list[ShownUse]:
        """Return the uses of a holder's licences, newest first. Raises ROW_ALTERED."""
        used_at, usage_id = (before[0], UUID(before[1])) if before else _END
        key = self._vault.holder_key(id_type_code, id_number)
        rows = await self._tx.fetch(_PAGE, key, used_at, usage_id, limit)
        for row in rows:
            self._vault.check_row(USAGE, row)
        grounds = await self._grounds([row["usage_id"] for row in rows])
        return [ShownUse(usage_of(row, grounds.get(row["usage_id"])), row["type_name"]) for row in rows]

    async def _append(self, usages: Sequence[Usage]) -> None:
        keys = self._keys_of(usages)
        values = [_values(each, keys[each.holder]) for each in usages]
        coded = self._vault.coded_each(USAGE, values)
        lines = to_json(list(map(_line, usages, coded)), bytes_mode="hex")
        with recording("usage"):
            await self._tx.execute(_APPEND, lines.decode())

    async def _refuse_frozen(self, usages: Sequence[Usage]) -> None:
        using = [each.licence_id for each in usages if each.licence_id and each.kind not in FREELY]
        if not using:
            return
        refused = refused_uses(usages, await frozen_uses(self._tx, self._vault, using))
        if not refused:
            return
        lines = [replace(each, outcome=LICENCE_IN_DISPUTE.code) for each in refused]

        self.record_if_refused(lines)
        raise LICENCE_IN_DISPUTE()

    async def _add_grounds(self, usages: Sequence[Usage]) -> None:
        for usage in usages:
            assert usage.grounds is not None
            told = usage.grounds
            texts = (str(told.mode), told.consent_id, told.legal_article, told.entrustment_id)
            values = (UUID(usage.usage_id), *texts, told.licence_version)
            await self._tx.execute(_ADD_GROUNDS, *self._vault.coded(USAGE_GROUNDS, values))

    async def _grounds(self, usage_ids: Sequence[UUID]) -> dict[UUID, Grounds]:
        rows = await self._tx.fetch(_GROUNDS, list(usage_ids))
        for row in rows:
            self._vault.check_row(USAGE_GROUNDS, row)
        return {row["usage_id"]: _grounds(row) for row in rows}

    def _keys_of(self, usages: Sequence[Usage]) -> dict[Holder | None, bytes | None]:
        holders = [each for each in {usage.holder: None for usage in usages} if each]
        keys = self._vault.holder_keys((each.id_type_code, each.id_number) for each in holders)
        return {None: None, **dict(zip(holders, keys, strict=True))}


def _values(usage: Usage, holder_key: bytes | None) -> tuple[object, ...]:
    """Return a line's values in the order of the coded columns."""
    purpose, reader = usage.purpose, usage.reader
    return (
        _id(usage.usage_id),
        usage.kind.value,
        _id(usage.licence_id) if usage.licence_id else None,
        _id(usage.use_code_id) if usage.use_code_id else None,
        reader.code,
        reader.name,
        reader.is_department,
        purpose.item_code,
        purpose.case_id,
        purpose.use_cause,
        purpose.basis.value if purpose.basis else "",
        usage.outcome,
        usage.used_at,
        holder_key,
    )


def _line(usage: Usage, coded: Sequence[object]) -> dict[str, object]:
    """Return a line as `_APPEND` takes it, with its leaf."""
    mac = coded[-1]
    assert isinstance(mac, bytes)
    return dict(zip(_LINE, (*coded, usage_leaf_text(usage, mac)), strict=True))


def _id(text: str) -> str:
    """Return an id in the form in which it is read back, by which the row's code is reckoned. Raises ValueError."""
    return str(UUID(text))


def usage_of(row: Any, grounds: Grounds | None = None) -> Usage:
    """Return a line of the usage record from its row."""
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


def _grounds(row: Any) -> Grounds:
    return Grounds(
        Mode(row["mode"]),
        row["consent_id"],
        row["legal_article"],
        row["entrustment_id"],
        row["licence_version"],
    )
