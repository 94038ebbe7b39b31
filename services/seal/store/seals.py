"""The register of seals and their history; every row is judged when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from chassis.audit import recording
from chassis.db import Transaction
from chassis.fields import ROW_ALTERED
from services.seal.domain.companion_list import ListedCompanion
from services.seal.domain.kinds import RULES, SealKind
from services.seal.domain.letters import Particulars, open_reply
from services.seal.domain.register import ENDED, HistoryEntry, RegisteredSeal
from services.seal.domain.vouching import credential_statement, entry_statement, seal_statement
from services.seal.store.applications import PARTICULARS_FIELD
from services.seal.store.seal_rows import (
    OWN,
    READ,
    STATES,
    WITH_NAMES,
    WITHOUT_NAMES,
    entry_of,
    last_entry,
    named,
    seal_of,
)
from services.seal.store.vouched import Vouching
from services.seal.usecases.ports import SealCredential, SealMaterial


class SealTable:
    """Implements the port Seals."""

    def __init__(self, tx: Transaction, vouching: Vouching) -> None:
        self._tx, self._vouching = tx, vouching
        self._read = READ.format(**(WITHOUT_NAMES if vouching.cipher is None else WITH_NAMES))

    async def get(self, seal_id: str, *, lock: bool = False) -> RegisteredSeal | None:
        """Return a seal, locked against others' changes and uses if asked."""
        if lock:  # first of all: what is read with the lock held is the newest
            await self._tx.execute("select from seal where seal_id = $1 for update", seal_id)
        row = await self._tx.fetchrow(f"{self._read} where s.seal_id = $1", seal_id)
        return await self._seal(row) if row else None

    async def of_owner(self, owner_code: str, *, lock: bool = False) -> Sequence[RegisteredSeal]:
        """Return an authority's seals, newest first; with `lock` none changes before this transaction ends."""
        if lock:
            await self._tx.execute("select from seal where owner_code = $1 for share", owner_code)
        rows = await self._tx.fetch(
            f"{self._read} where s.owner_code = $1 order by s.valid_from desc, s.seal_id desc", owner_code
        )
        return [await self._seal(row) for row in rows]

    async def page(self, owner_code: str | None, after: str, limit: int) -> Sequence[RegisteredSeal]:
        """Return seals by id, of one owner or of all."""
        rows = await self._tx.fetch(
            f"""{self._read} where s.seal_id > $1 and ($2::text is null or s.owner_code = $2)
            order by s.seal_id limit $3""",
            after,
            owner_code,
            limit,
        )
        return [await self._seal(row) for row in rows]

    async def material(self, seal_id: str) -> SealMaterial | None:
        """Return what sealing with it takes. Raises ROW_ALTERED, SEAL_LETTER_UNREADABLE."""
        row = await self._tx.fetchrow(
            """select s.seal_id, s.kind, s.ses_seal, s.ses_sha256, s.certificate, s.key_id, k.wrapped_key,
            s.maker_signature, s.application_id from seal s join signer_key k using (key_id) where s.seal_id = $1""",
            seal_id,
        )
        if row is None:
            return None
        ses_seal = row["ses_seal"]
        if row["maker_signature"] and hashlib.sha256(ses_seal).hexdigest() != row["ses_sha256"]:
            raise ROW_ALTERED(table="seal")
        if RULES[SealKind(row["kind"])].is_person:
            ses_seal = open_reply(await self._reply_key(row["application_id"]), seal_id, ses_seal)
        return SealMaterial(
            row["seal_id"], ses_seal, row["certificate"], str(row["key_id"]), row["wrapped_key"]
        )

    async def count_in(self, division: str) -> int:
        """Return how many seals were ever made for authorities of a division; ids start with it."""
        return int(await self._tx.fetchval("select count(*) from seal where left(seal_id, 6) = $1", division))

    async def in_use(self, owner_code: str, kind: SealKind, name: str, name_index: bytes) -> bool:
        """Say whether a seal of this owner, kind and name is in use."""
        found = await self._tx.fetchval(
            """select exists (select from seal where owner_code = $1 and kind = $2 and name = $3 and name_index = $4
            and status in ('made', 'filed', 'active', 'suspended'))""",
            owner_code,
            kind,
            name,
            name_index,
        )
        return bool(found)

    async def add(self, seal: RegisteredSeal, entry: HistoryEntry, key_id: str, ses_seal: bytes) -> None:
        """Enter a fresh seal with its first state."""
        ses_sha256 = hashlib.sha256(ses_seal).hexdigest()
        values: dict[str, Any] = {name: getattr(seal, name) for name in OWN}
        values |= {
            "application_id": UUID(seal.application_id) if seal.application_id else None,
            "key_id": UUID(key_id),
            "ses_seal": ses_seal,
            "ses_sha256": ses_sha256,
            "maker_signature": self._vouching.sign(seal_statement(seal, key_id, ses_sha256)),
        }
        places = ", ".join(f"${at}" for at in range(1, len(values) + 1))
        await self._tx.execute(
            f"insert into seal ({', '.join(values)}) values ({places})",  # noqa: S608
            *values.values(),
        )
        await self._record(seal.seal_id, entry)

    async def save(self, seal: RegisteredSeal, entry: HistoryEntry) -> None:
        """Enter a seal's new state."""
        await self._tx.execute(
            "update seal set status = $2, since = $3, version = $4 where seal_id = $1",
            seal.seal_id,
            seal.status,
            seal.since,
            seal.version,
        )
        await self._record(seal.seal_id, entry)

    async def history(self, seal_id: str) -> Sequence[HistoryEntry]:
        """Return a seal's states in order. Raises ROW_ALTERED."""
        return (await self._histories("where h.seal_id = $1", seal_id)).get(seal_id, ())

    async def histories(self) -> Mapping[str, Sequence[HistoryEntry]]:
        """Return every seal's states in order. Raises ROW_ALTERED."""
        return await self._histories("")

    async def add_credential(self, credential: SealCredential) -> None:
        """Enter a seal's companion credential."""
        statement = credential_statement(
            credential.seal_id, credential.suite, credential.key_id, credential.certificate
        )
        await self._tx.execute(
            """insert into seal_credential (seal_id, suite, key_id, certificate, maker_signature)
            values ($1, $2, $3, $4, $5)""",
            credential.seal_id,
            credential.suite,
            UUID(credential.key_id),
            credential.certificate,
            self._vouching.sign(statement),
        )

    async def credential(self, seal_id: str, suite: str) -> SealCredential | None:
        """Return a seal's companion credential in a suite, with its encrypted key. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(
            """select c.*, k.wrapped_key from seal_credential c join signer_key k using (key_id)
            where c.seal_id = $1 and c.suite = $2""",
            seal_id,
            suite,
        )
        if row is None:
            return None
        found = SealCredential(
            row["seal_id"], row["suite"], str(row["key_id"]), row["certificate"], row["wrapped_key"]
        )
        statement = credential_statement(found.seal_id, found.suite, found.key_id, found.certificate)
        await self._vouching.check(self._tx, "seal_credential", row["maker_signature"], statement)
        return found

    async def companions(self) -> Mapping[str, ListedCompanion]:
        """Return of every seal with companion credentials what verifiers are told of them. Raises ROW_ALTERED."""
        seals = await self._tx.fetch(
            f"{self._read} where exists (select from seal_credential c where c.seal_id = s.seal_id)"
        )
        credentials = await self._tx.fetch("select * from seal_credential order by seal_id, suite")
        digests: dict[str, set[bytes]] = {}
        for row in credentials:
            seal_id, certificate = row["seal_id"], row["certificate"]
            statement = credential_statement(seal_id, row["suite"], str(row["key_id"]), certificate)
            await self._vouching.check(self._tx, "seal_credential", row["maker_signature"], statement)
            digests.setdefault(seal_id, set()).add(hashlib.sha256(certificate).digest())
        known = [await self._seal(row) for row in seals]
        return {
            each.seal_id: ListedCompanion(
                each.valid_from, each.valid_until, frozenset(digests.get(each.seal_id, ()))
            )
            for each in known
        }

    async def ended_certificates(self) -> Mapping[bytes, datetime]:
        """Return the certificates of seals that ended, companions too, and since when first."""
        rows = await self._tx.fetch(
            """select c.certificate, min(h.since) as since from seal_history h join (
              select seal_id, certificate from seal union all select seal_id, certificate from seal_credential
            ) c using (seal_id) where h.status = any($1) group by c.certificate""",
            sorted(ENDED),
        )
        return {row["certificate"]: row["since"] for row in rows}

    async def changed_since_list(self) -> bool:
        """Say whether a state was entered after the newest status list was signed."""
        found = await self._tx.fetchval(
            """select coalesce((select max(changed_at) from seal_history)
              > (select max(issued_at) from signed_list where kind = 'status'), false)"""
        )
        return bool(found)

    async def adopt(self, is_own: Callable[[bytes], bool]) -> int:
        """Sign the rows of seals from before rows were signed, of those whose bytes are the maker's own."""
        rows = await self._tx.fetch(f"{self._read} where s.maker_signature is null order by s.seal_id")
        adopted = 0
        for row in rows:
            ses_seal = await self._tx.fetchval("select ses_seal from seal where seal_id = $1", row["seal_id"])
            if is_own(ses_seal):
                await self._adopt(seal_of(row), row["key_id"], hashlib.sha256(ses_seal).hexdigest())
                adopted += 1
        return adopted

    async def _adopt(self, seal: RegisteredSeal, key_id: str, ses_sha256: str) -> None:
        seal_id = seal.seal_id
        history = await self._tx.fetch(
            f"""select {", ".join(STATES)} from seal_history where seal_id = $1 and maker_signature is null and row_code is null""",  # noqa: S608
            seal_id,
        )
        await self._tx.executemany(
            "update seal_history set maker_signature = $3 where seal_id = $1 and version = $2",
            [
                (seal_id, row["version"], self._vouching.sign(entry_statement(seal_id, entry_of(row))))
                for row in history
            ],
        )
        await self._tx.execute(
            "update seal set ses_sha256 = $2, maker_signature = $3 where seal_id = $1",
            seal_id,
            ses_sha256,
            self._vouching.sign(seal_statement(seal, key_id, ses_sha256)),
        )

    async def _histories(self, where: str, *values: object) -> dict[str, list[HistoryEntry]]:
        rows = await self._tx.fetch(
            f"""select h.*, s.maker_signature is null as legacy from seal_history h join seal s using (seal_id)
            {where} order by h.seal_id, h.version""",  # noqa: S608
            *values,
        )
        found: dict[str, list[HistoryEntry]] = {}
        for row in rows:
            entry = entry_of(row)
            statement = entry_statement(row["seal_id"], entry)
            await self._vouching.check_entry(self._tx, row, statement, legacy=row["legacy"])
            found.setdefault(row["seal_id"], []).append(entry)
        return found

    async def _record(self, seal_id: str, entry: HistoryEntry) -> None:
        """Enter a state into the history. Raises AUDIT_UNWRITABLE."""
        values = {"seal_id": seal_id, **{name: getattr(entry, name) for name in STATES}}
        with recording("seal_history"):
            await self._tx.execute(
                f"""insert into seal_history (seal_id, {", ".join(STATES)}, row_code, maker_signature)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",  # noqa: S608
                *values.values(),
                self._vouching.code(values),
                self._vouching.sign(entry_statement(seal_id, entry)),
            )

    async def _seal(self, row: asyncpg.Record) -> RegisteredSeal:
        """Return the seal. Raises ROW_ALTERED for a row, or a last state, that is not as it was written."""
        seal, last = seal_of(row), last_entry(row)
        if (last["version"], last["status"], last["since"]) != (seal.version, seal.status, seal.since):
            raise ROW_ALTERED(table="seal")
        signature = row["maker_signature"]
        statement = seal_statement(seal, row["key_id"], row["ses_sha256"])
        await self._vouching.check(self._tx, "seal", signature, statement, legacy=True)
        statement = entry_statement(seal.seal_id, entry_of(last))
        await self._vouching.check_entry(self._tx, last, statement, legacy=signature is None)
        return seal if row["particulars"] is None else named(seal, self._particulars(row["particulars"]).name)

    async def _reply_key(self, application_id: UUID) -> bytes:
        found = await self._tx.fetchval(
            "select particulars from seal_application where application_id = $1", application_id
        )
        return self._particulars(found).reply_key

    def _particulars(self, data: bytes) -> Particulars:
        assert self._vouching.cipher is not None, "this process reads no names"
        return Particulars.load(self._vouching.cipher.decrypt_bytes(data, field=PARTICULARS_FIELD))
