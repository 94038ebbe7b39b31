"""Use-codes: found by the digest of the code, consumed under the lock of their row; altered ones are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.db import Transaction
from services.certs.domain.dispute import LICENCE_IN_DISPUTE
from services.certs.domain.holder import Holder
from services.certs.domain.log import use_code_leaf
from services.certs.domain.use_code import CONSENTED, Binding, Consent, Grounds, Mode, UseCode
from services.certs.domain.use_code.entrustment import Person
from services.certs.store.coded import USE_CODE, USE_CODE_GROUNDS, USE_CODE_HOLDER
from services.certs.store.freezes import frozen_uses
from services.certs.store.log import LogQueue
from services.certs.store.sealing import Vault

_INSERT = f"insert into use_code ({USE_CODE.names}) values ({', '.join(f'${n}' for n in range(1, 18))})"  # noqa: S608
_CHANGE = "update use_code set uses_left = $2, revoked_at = $3, revoked_reason = $4, mac = $5 where use_code_id = $1"
_FORMER_HOLDERS = f"""
select {", ".join(f"c.{name.strip()}" for name in USE_CODE.names.split(","))}
from use_code c join licence l using (licence_id)
join unnest($1::uuid[], $2::bytea[]) as u (licence_id, holder_key) using (licence_id)
where l.holder_key <> u.holder_key and c.revoked_at is null and c.uses_left > 0
order by c.use_code_id for update of c
"""  # noqa: S608 - constants
_GROUNDS = f"select {USE_CODE_GROUNDS.names} from use_code_grounds where use_code_id = $1"  # noqa: S608
_ENTRUSTED = f"""
select {", ".join(f"c.{name.strip()}" for name in USE_CODE.names.split(","))}
from use_code c join use_code_grounds g using (use_code_id)
where g.entrustment_id = $1 and c.revoked_at is null and c.uses_left > 0
order by c.use_code_id for update of c
"""  # noqa: S608 - constants
FORMER_HOLDER = "持证主体已更正"


class UseCodeStore:
    """The use-codes of one open transaction; implements the port UseCodes."""

    def __init__(self, tx: Transaction, vault: Vault) -> None:
        self._tx, self._vault, self._log = tx, vault, LogQueue(tx)

    async def add(self, code: UseCode, digest: bytes, consent: Consent) -> None:
        """Store a new use-code under the digest of its code. Raises LICENCE_IN_DISPUTE where its use is frozen."""
        bound = code.binding
        frozen = await frozen_uses(self._tx, self._vault, [bound.licence_id])
        if any(each.consumer_code in {"", bound.consumer_code} for each in frozen):
            raise LICENCE_IN_DISPUTE()
        use_code_id = UUID(code.use_code_id)
        values = (
            use_code_id,
            digest,
            UUID(bound.licence_id),
            bound.item_code,
            bound.case_id,
            bound.consumer_code,
            list(bound.face_fields),
            bound.use_cause,
            consent.version,
            consent.given_at,
            self._tx.now(),
            bound.expires_at,
            bound.max_uses,
            code.uses_left,
            None,
            None,
        )
        await self._tx.execute(_INSERT, *self._vault.coded(USE_CODE, values))
        if code.grounds != CONSENTED:
            await self._add_grounds(use_code_id, code.grounds)
        now = self._tx.now()
        await self._log.append(use_code_leaf(bound.licence_id, code.use_code_id, "issue", now))

    async def find(self, digest: bytes) -> UseCode | None:
        """Return the use-code of a digest. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(
            f"select {USE_CODE.names} from use_code where code_digest = $1",  # noqa: S608
            digest,
        )
        if row is None:
            return None
        self._vault.check_row(USE_CODE, row)
        return _use_code(row, await self._grounds(row["use_code_id"]))

    async def note_holder(self, use_code_id: str, holder: Person) -> None:
        """Keep who of several holders agreed to a use-code."""
        values = (UUID(use_code_id), self._vault.holder_key(*holder))
        await self._tx.execute(
            f"insert into use_code_holder ({USE_CODE_HOLDER.names}) values ($1, $2, $3)",  # noqa: S608
            *self._vault.coded(USE_CODE_HOLDER, values),
        )

    async def holder_of(self, use_code_id: str, holders: Sequence[Holder]) -> Holder | None:
        """Return who of these holders agreed to a use-code; None if that is not on record. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(
            f"select {USE_CODE_HOLDER.names} from use_code_holder where use_code_id = $1",  # noqa: S608
            UUID(use_code_id),
        )
        if row is None:
            return None
        self._vault.check_row(USE_CODE_HOLDER, row)
        by_key = {self._vault.holder_key(each.id_type_code, each.id_number): each for each in holders}
        return by_key.get(row["holder_key"])

    async def take_one_use(self, use_code_id: str, now: datetime) -> bool:
        """Take one use; concurrent takers wait for each other and see what is left. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(
            f"select {USE_CODE.names} from use_code where use_code_id = $1 for update",  # noqa: S608
            UUID(use_code_id),
        )
        if row is None:
            return False
        self._vault.check_row(USE_CODE, row)
        if row["uses_left"] < 1 or row["revoked_at"] is not None or row["expires_at"] <= now:
            return False
        await self._change([row], {"uses_left": row["uses_left"] - 1})
        return True

    async def revoke(self, case_id: str, reason: str, now: datetime) -> int:
        """Revoke the case's codes that still have uses left. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"""
            select {USE_CODE.names} from use_code where case_id = $1 and revoked_at is null and uses_left > 0
            order by use_code_id for update
            """,  # noqa: S608 - constants
            case_id,
        )
        await self._revoke(rows, reason, now)
        return len(rows)

    async def revoke_entrusted(self, entrustment_id: str, reason: str, now: datetime) -> int:
        """Revoke the codes that were issued under an entrustment. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(_ENTRUSTED, entrustment_id)
        await self._revoke(rows, reason, now)
        return len(rows)

    async def revoke_of_former_holders(
        self, licence_ids: Sequence[UUID], holder_keys: Sequence[bytes], now: datetime
    ) -> None:
        """Revoke the codes of licences that are about to be another holder's. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(_FORMER_HOLDERS, licence_ids, holder_keys)
        await self._revoke(rows, FORMER_HOLDER, now)

    async def _add_grounds(self, use_code_id: UUID, grounds: Grounds) -> None:
        texts = (str(grounds.mode), grounds.consent_id, grounds.legal_article, grounds.entrustment_id)
        await self._tx.execute(
            f"insert into use_code_grounds ({USE_CODE_GROUNDS.names}) values ($1, $2, $3, $4, $5, $6)",  # noqa: S608
            *self._vault.coded(USE_CODE_GROUNDS, (use_code_id, *texts)),
        )

    async def _grounds(self, use_code_id: UUID) -> Grounds:
        row = await self._tx.fetchrow(_GROUNDS, use_code_id)
        if row is None:
            return CONSENTED
        self._vault.check_row(USE_CODE_GROUNDS, row)
        return Grounds(Mode(row["mode"]), row["consent_id"], row["legal_article"], row["entrustment_id"])

    async def _revoke(self, rows: Sequence[Any], reason: str, now: datetime) -> None:
        await self._change(rows, {"revoked_at": now, "revoked_reason": reason})
        ids = [(str(row["licence_id"]), str(row["use_code_id"])) for row in rows]
        await self._log.append_many([use_code_leaf(*each, "revoke", now) for each in ids])

    async def _change(self, rows: Sequence[Any], changes: dict[str, object]) -> None:
        """Store changed rows with their new codes; a row altered before does not get one."""
        changed = []
        for row in rows:
            self._vault.check_row(USE_CODE, row)
            fresh = {**dict(row), **changes}
            state = (fresh[name] for name in ("use_code_id", "uses_left", "revoked_at", "revoked_reason"))
            changed.append((*state, self._vault.row_code(USE_CODE, fresh)))
        if changed:
            await self._tx.executemany(_CHANGE, changed)


def _use_code(row: Any, grounds: Grounds) -> UseCode:
    binding = Binding(
        str(row["licence_id"]),
        row["item_code"],
        row["case_id"],
        row["consumer_code"],
        tuple(row["face_fields"]),
        row["use_cause"],
        row["expires_at"],
        row["max_uses"],
    )
    return UseCode(str(row["use_code_id"]), binding, row["uses_left"], row["revoked_at"], grounds)
