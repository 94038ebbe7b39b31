"""Licences, one by one: whole rows, decrypted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from chassis.errors import ETAG_MISMATCH
from services.certs.domain.disclosure import public_identifier
from services.certs.domain.importing.codes import register_name
from services.certs.domain.licence import UNSEALED, Licence, Origin, Sealing
from services.certs.domain.log import licence_leaf
from services.certs.domain.status import Act, LicenceStatus, StatusChange
from services.certs.store.coded import STATUS_CHANGE
from services.certs.store.falls import note_changes
from services.certs.store.freezes import frozen_uses
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Subject, Vault
from services.certs.usecases.ports import Asked

COLUMNS = """l.licence_id, l.lineage_id, l.type_code, l.type_name, l.issuer_code, l.issuer_name, l.county_code,
 l.subject, l.face, l.issued_date, l.valid_from, l.valid_until, l.status, l.origin, l.trust_grade,
 l.quality_flags, l.version, l.serial_version, l.case_id, l.part_id, l.item_code, l.unsealed_sha256,
 l.seal_x_mm, l.seal_y_mm, l.sealed_sha256, l.signature_id, l.seal_verdict, l.seal_verified_at,
 l.seal_refusal, coalesce(l.type_version, 1) as type_version"""
ADD_CHANGE = f"""insert into licence_status_change ({STATUS_CHANGE.names})
 values ({", ".join(f"${n}" for n in range(1, 13))})"""  # noqa: S608 - constants
MOST_FOUND = 500
"""Licences returned for one holder; more is no natural case, and one answer stays below the message limit."""

_OF_TYPE = "(q.types is null or q.types ? l.type_code)"
_FROZEN = """exists (select 1 from licence_freeze f where f.licence_id = {of}.licence_id) as is_frozen"""
_EACH = f"select {COLUMNS}, {_FROZEN.format(of='l')} from licence l where l.licence_id = any($1)"  # noqa: S608
_FIND = f"""
select q.at, found.*, {_FROZEN.format(of="found")}
from unnest((select $1::bytea[]), (select $2::jsonb[])) with ordinality as q (key, types, at)
cross join lateral (
  select {COLUMNS} from licence l where l.holder_key = q.key and {_OF_TYPE}
  union all
  select {COLUMNS} from licence_co_holder c join licence l on l.licence_id = c.licence_id
  where c.holder_key = q.key and l.holder_key <> q.key and {_OF_TYPE}
  order by issued_date desc, licence_id limit {MOST_FOUND}) found
order by q.at, found.issued_date desc, found.licence_id
"""  # noqa: S608 - constants
# The sub-selects hide from the planner how long the arrays are. Otherwise a plan for the few asks at hand looks
# cheaper than the one that is kept, and it plans anew each time: that took longer than the search.


class LicenceStore:
    """The licences of one open transaction; implements the port Licences."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault, self._log = tx, vault, LogQueue(tx)

    async def find(self, id_type_code: str, id_number: str, type_codes: Sequence[str]) -> list[Licence]:
        """Return the licences of a holder or co-holder, newest issue first."""
        return (await self.find_each([(id_type_code, id_number, type_codes)]))[0]

    async def find_each(self, asked: Sequence[Asked]) -> list[list[Licence]]:
        """Return for each holder what `find` returns, in one statement."""
        rows = await self._tx.fetch(
            _FIND,
            self._vault.holder_keys((id_type_code, id_number) for id_type_code, id_number, _ in asked),
            [json.dumps(list(type_codes)) if type_codes else None for _, _, type_codes in asked],
        )
        found: list[list[Licence]] = [[] for _ in asked]
        for row, licence in zip(rows, await self._with_freezes(rows), strict=True):
            found[row["at"] - 1].append(licence)
        return found

    async def get_each(self, licence_ids: Sequence[str]) -> list[Licence]:
        """Return those of these licences that there are, in their order, in one statement."""
        keys = [key for each in licence_ids if (key := as_uuid(each))]
        rows = await self._tx.fetch(_EACH, keys) if keys else []
        by_id = {each.licence_id: each for each in await self._with_freezes(rows)}
        return [by_id[str(key)] for key in keys if str(key) in by_id]

    async def _with_freezes(self, rows: Sequence[Any]) -> list[Licence]:
        """Return the licences of rows; where one is, or was, frozen a second statement reads whose uses. Raises ROW_ALTERED."""
        found = self.licences_of(rows)
        frozen = [str(row["licence_id"]) for row in rows if row["is_frozen"]]
        if not frozen:
            return found
        whose: dict[str, tuple[str, ...]] = {}
        for each in await frozen_uses(self._tx, self._vault, frozen):
            whose[each.licence_id] = (*whose.get(each.licence_id, ()), each.consumer_code)
        return [replace(each, frozen_for=whose.get(each.licence_id, ())) for each in found]

    async def get(self, licence_id: str) -> Licence | None:
        """Return a licence by id; a text that is no UUID names none."""
        key = as_uuid(licence_id)
        return await self._one("l.licence_id = $1", key) if key else None

    async def by_identifier(self, identifier: str) -> Licence | None:
        """Return a licence by its GB/T 36904 identifier."""
        return await self._one("l.identifier_key = $1", self._vault.identifier_key(identifier))

    async def by_part(self, part_id: str) -> Licence | None:
        """Return the licence of an approved part."""
        return await self._one("l.part_id = $1 and l.part_id <> ''", part_id)

    async def lock(self, licence_id: str) -> Licence | None:
        """Return a licence and hold its row until the transaction ends."""
        key = as_uuid(licence_id)
        return await self._one("l.licence_id = $1 for update", key) if key else None

    async def claim_over(self, today: date, limit: int) -> list[Licence]:
        """Lock and return licences whose term is over and that nobody else holds."""
        rows = await self._tx.fetch(
            f"""
            select {COLUMNS} from licence l
            where l.status in ('valid', 'suspended') and l.valid_until is not null and l.valid_until < $1
            order by l.valid_until, l.licence_id limit $2 for update skip locked
            """,  # noqa: S608 - constants
            today,
            limit,
        )
        return self.licences_of(rows)

    async def add(self, licence: Licence) -> Licence:
        """Store a new licence and return it with its lineage."""
        licence = replace(licence, lineage_id=str(self._vault.lineage_id(licence.identifier)))
        sealing, now = licence.sealing, self._tx.now()
        await self._tx.execute(
            """
            insert into licence (licence_id, lineage_id, identifier, identifier_key, type_code, type_name,
              issuer_code, issuer_name, county_code, holder_key, subject, face, issued_date, valid_from,
              valid_until, status, origin, trust_grade, quality_flags, version, serial_version, case_id,
              part_id, item_code, unsealed_sha256, seal_x_mm, seal_y_mm, created_at, updated_at, type_version, number_key)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
              $21, $22, $23, $24, $25, $26, $27, $28, $28, $29, $30)
            """,
            UUID(licence.licence_id),
            UUID(licence.lineage_id),
            public_identifier(licence),
            self._vault.identifier_key(licence.identifier),
            licence.type_code,
            licence.type_name,
            licence.issuer_code,
            licence.issuer_name,
            licence.county_code,
            self._vault.holder_key(licence.holders[0].id_type_code, licence.holders[0].id_number),
            self._vault.seal_subject(licence),
            self._vault.seal_face(licence.face),
            licence.issued_date,
            licence.valid_from,
            licence.valid_until,
            licence.status,
            licence.origin,
            licence.trust_grade,
            list(licence.quality_flags),
            licence.version,
            licence.serial_version,
            licence.case_id,
            licence.part_id,
            licence.item_code,
            sealing.unsealed_sha256,
            sealing.seal_x_mm,
            sealing.seal_y_mm,
            now,
            licence.type_version,
            self._vault.number_key(licence.number),
        )
        await self._log.append(licence_leaf(licence, Act.MAKE, now))
        return licence

    async def save_state(self, licence: Licence) -> None:
        """Store status and sealing under the new version. Raises ETAG_MISMATCH if another came first."""
        sealing = licence.sealing
        tag = await self._tx.execute(
            """
            update licence set status = $2, version = $3, sealed_sha256 = $4, signature_id = $5,
              seal_verdict = $6, seal_verified_at = $7, seal_refusal = $8, updated_at = $9
            where licence_id = $1 and version = $3 - 1
            """,
            UUID(licence.licence_id),
            licence.status,
            licence.version,
            sealing.sealed_sha256,
            sealing.signature_id,
            sealing.verdict,
            sealing.verified_at,
            sealing.refusal,
            self._tx.now(),
        )
        if tag != "UPDATE 1":
            raise ETAG_MISMATCH()

    async def save_refusal(self, licence: Licence) -> None:
        """Store why the seal was refused."""
        await self._tx.execute(
            "update licence set seal_refusal = $2, updated_at = $3 where licence_id = $1",
            UUID(licence.licence_id),
            licence.sealing.refusal,
            self._tx.now(),
        )

    async def add_change(self, licence: Licence, change: StatusChange, changed_by: str) -> None:
        """Append a line to the status history."""
        values = (
            UUID(licence.licence_id),
            licence.version,
            change.previous,
            change.status,
            change.act,
            change.reason,
            change.basis_document,
            change.operator,
            change.effective_at,
            self._tx.now(),
            changed_by,
        )
        await self._tx.execute(ADD_CHANGE, *self._vault.coded(STATUS_CHANGE, values))
        told = (licence.licence_id, licence.version, change.previous, change.status, change.effective_at)
        await note_changes(self._tx, [told])
        await self._log.append(licence_leaf(licence, change.act, self._tx.now(), change.effective_at))

    async def next_serial(self, issuer_code: str, type_code: str, year: int) -> int:
        """Return the next sequence; the counter's row is locked until the transaction ends."""
        found: int = await self._tx.fetchval(
            """
            insert into serial_counter as c (issuer_code, type_code, year, last_sequence)
            values ($1, $2, $3, 1)
            on conflict (issuer_code, type_code, year) do update set last_sequence = c.last_sequence + 1
            returning last_sequence
            """,
            issuer_code,
            type_code,
            year,
        )
        return found

    async def is_begun(self, licence: Licence) -> bool:
        """Say whether any version of a licence is registered; imports into its register wait from here on."""
        register = register_name(licence.type_code, licence.issuer_code)
        await self._tx.execute("select pg_advisory_xact_lock($1)", hold_key(register))
        lineage = self._vault.lineage_id(licence.identifier)
        query = "select exists (select from licence where lineage_id = $1)"
        return bool(await self._tx.fetchval(query, lineage))

    async def _one(self, condition: str, value: object) -> Licence | None:
        row = await self._tx.fetchrow(f"select {COLUMNS} from licence l where {condition}", value)  # noqa: S608
        return self.licence_of(row) if row else None

    def licence_of(self, row: Any) -> Licence:
        """Return the licence of a row of `COLUMNS`, in clear. Raises FIELD_UNREADABLE."""
        return self.licences_of((row,))[0]

    def licences_of(self, rows: Sequence[Any]) -> list[Licence]:
        """Return the licences of rows of `COLUMNS`, in clear. Raises FIELD_UNREADABLE."""
        subjects = self._vault.open_subjects([row["subject"] for row in rows])
        faces = self._vault.open_faces([row["face"] for row in rows])
        return list(map(_licence, rows, subjects, faces))


def _licence(row: Any, subject: Subject, face: Mapping[str, str]) -> Licence:
    identifier, number, holders = subject
    return Licence(
        licence_id=str(row["licence_id"]),
        lineage_id=str(row["lineage_id"]),
        identifier=identifier,
        number=number,
        holders=holders,
        face=face,
        status=LicenceStatus(row["status"]),
        origin=Origin(row["origin"]),
        quality_flags=tuple(row["quality_flags"]),
        sealing=_sealing(row) if row["unsealed_sha256"] or row["sealed_sha256"] else UNSEALED,
        type_code=row["type_code"],
        type_name=row["type_name"],
        issuer_code=row["issuer_code"],
        issuer_name=row["issuer_name"],
        county_code=row["county_code"],
        issued_date=row["issued_date"],
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        trust_grade=row["trust_grade"],
        version=row["version"],
        serial_version=row["serial_version"],
        case_id=row["case_id"],
        part_id=row["part_id"],
        item_code=row["item_code"],
        type_version=row["type_version"],
    )


def hold_key(name: str) -> int:
    """Return the key of the advisory lock under which a name is held."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def as_uuid(text: str) -> UUID | None:
    """Return the UUID of an id from outside, None for any other text."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _sealing(row: Any) -> Sealing:
    return Sealing(
        row["unsealed_sha256"],
        row["seal_x_mm"],
        row["seal_y_mm"],
        row["sealed_sha256"],
        row["signature_id"],
        row["seal_verdict"],
        row["seal_verified_at"],
        row["seal_refusal"],
    )
