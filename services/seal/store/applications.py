"""Applications for seals, the certificates imported for them, and the maker's keys for letters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg

from chassis.audit import recording
from chassis.db import Transaction
from services.seal.domain import der
from services.seal.domain.application import Application, ApplicationStatus, Verdict, Wish
from services.seal.domain.kinds import PERSON_LABEL, RULES, SealKind
from services.seal.domain.letters import Particulars, letter_key_statement
from services.seal.store.coded import APPLICATION_CERTIFICATE, SEAL_APPLICATION
from services.seal.store.vouched import Vouching
from services.seal.usecases.application_ports import ImportedCertificate

PARTICULARS_FIELD = "seal_application.particulars"
NAME_FIELD = "seal_application.name"
_MADE = "coalesce((select s.seal_id from seal s where s.application_id = seal_application.application_id), '') as seal_id"
_PLAIN = ", ".join(SEAL_APPLICATION.columns)


class ApplicationTable:
    """Implements the port Applications; without a cipher (the maker) codes and names are not read."""

    def __init__(self, tx: Transaction, vouching: Vouching) -> None:
        self._tx, self._vouching, self._cipher = tx, vouching, vouching.cipher
        private = "particulars, mac" if self._cipher else "null::bytea as particulars"
        self._read = f"select {_PLAIN}, {private}, {_MADE} from seal_application"  # noqa: S608

    async def get(self, application_id: str, *, lock: bool = False) -> Application | None:
        """Return an application, locked against others' changes if asked. Raises ROW_ALTERED."""
        if lock:
            await self._tx.execute(
                "select from seal_application where application_id = $1 for update", UUID(application_id)
            )
        row = await self._tx.fetchrow(f"{self._read} where application_id = $1", UUID(application_id))
        return self._application(row) if row else None

    async def page(self, owner_code: str | None, after: str, limit: int) -> Sequence[Application]:
        """Return applications in order of their ids, of one owner or of all. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"""{self._read} where application_id > $1 and ($2::text is null or owner_code = $2)
            order by application_id limit $3""",
            UUID(after or str(UUID(int=0))),
            owner_code,
            limit,
        )
        return [self._application(row) for row in rows]

    async def has_open(self, application: Application) -> bool:
        """Say whether another application for the same seal waits, or was approved and not made yet."""
        wish = application.wish
        found = await self._tx.fetchval(
            """select exists (select from seal_application a where owner_code = $1 and kind = $2 and name = $3
            and name_index = $4 and status in ('applied', 'approved')
            and not exists (select from seal s where s.application_id = a.application_id))""",
            wish.owner_code,
            wish.kind,
            _stored_name(wish),
            application.name_index,
        )
        return bool(found)

    async def add(self, application: Application, particulars: Particulars | None) -> None:
        """Enter a fresh application; a person's name is kept in its particulars alone. Raises AUDIT_UNWRITABLE."""
        assert self._cipher is not None, "this process takes no applications"
        hidden = (
            self._cipher.encrypt_bytes(particulars.dump(), field=PARTICULARS_FIELD) if particulars else None
        )
        values = SEAL_APPLICATION.coded(self._cipher, _values(application))
        places = ", ".join(f"${at}" for at in range(1, len(values) + 2))
        with recording("seal_application"):
            await self._tx.execute(
                f"insert into seal_application ({SEAL_APPLICATION.names}, particulars) values ({places})",  # noqa: S608
                *values,
                hidden,
            )

    async def save(self, application: Application) -> None:
        """Enter what was decided. Raises AUDIT_UNWRITABLE."""
        assert self._cipher is not None, "this process decides on no applications"
        values = dict(zip(SEAL_APPLICATION.columns, _values(application), strict=True))
        decided = ("status", "decided_by", "decided_reason", "decided_account", "decided_at", "version")
        changes = ", ".join(f"{name} = ${at}" for at, name in enumerate(decided, 3))
        with recording("seal_application"):
            await self._tx.execute(
                f"update seal_application set mac = $2, {changes} where application_id = $1",  # noqa: S608
                values["application_id"],
                SEAL_APPLICATION.code(self._cipher, values),
                *(values[name] for name in decided),
            )

    async def approved(self) -> Sequence[Application]:
        """Return the approved applications whose seals are not made yet, oldest first."""
        rows = await self._tx.fetch(
            f"""{self._read} where status = 'approved'
            and not exists (select from seal s where s.application_id = seal_application.application_id)
            order by application_id"""
        )
        return [self._application(row) for row in rows]

    async def certificates(self, application_id: str) -> Mapping[str, ImportedCertificate]:
        """Return the imported certificates by suite. Raises ROW_ALTERED."""
        rows = await self._tx.fetch(
            f"select {APPLICATION_CERTIFICATE.names} from application_certificate where application_id = $1",  # noqa: S608
            UUID(application_id),
        )
        return {row["suite"]: self._imported(row) for row in rows}

    async def keep_certificate(self, application_id: str, imported: ImportedCertificate) -> None:
        """Keep an imported certificate. Raises AUDIT_UNWRITABLE."""
        assert self._cipher is not None, "this process imports no certificates"
        values = (
            UUID(application_id),
            imported.suite,
            imported.certificate,
            der.sequence(*imported.chain),
            imported.imported_by,
            imported.account,
            imported.imported_at,
        )
        places = ", ".join(f"${at}" for at in range(1, len(values) + 2))
        with recording("application_certificate"):
            await self._tx.execute(
                f"insert into application_certificate ({APPLICATION_CERTIFICATE.names}) values ({places})",  # noqa: S608
                *APPLICATION_CERTIFICATE.coded(self._cipher, values),
            )

    async def letter_key(self) -> bytes | None:
        """Return the newest key that letters to the maker are written for. Raises ROW_ALTERED."""
        row = await self._tx.fetchrow(
            "select public_key, signature from maker_letter_key order by made_at desc, fingerprint limit 1"
        )
        if row is None:
            return None
        statement = letter_key_statement(row["public_key"])
        await self._vouching.check(self._tx, "maker_letter_key", row["signature"], statement)
        return bytes(row["public_key"])

    async def keep_letter_key(self, public_key: bytes, signature: bytes) -> None:
        """Keep a key of the maker; again changes nothing."""
        await self._tx.execute(
            """insert into maker_letter_key (fingerprint, public_key, signature, made_at) values ($1, $2, $3, $4)
            on conflict (fingerprint) do nothing""",
            hashlib.sha256(public_key).hexdigest(),
            public_key,
            signature,
            self._tx.now(),
        )

    def name_index(self, kind: SealKind, name: str) -> bytes:
        """Return what stands for a person's name where equal ones are looked for; empty for other kinds."""
        if not RULES[kind].is_person:
            return b""
        assert self._cipher is not None, "this process reads no names"
        return self._cipher.blind_index(name.strip(), field=NAME_FIELD)

    def _application(self, row: asyncpg.Record) -> Application:
        found = _application(row)
        if self._cipher is None:
            return found
        SEAL_APPLICATION.check(self._cipher, row)
        if row["particulars"] is None:
            return found
        hidden = Particulars.load(self._cipher.decrypt_bytes(row["particulars"], field=PARTICULARS_FIELD))
        return replace(found, wish=replace(found.wish, name=hidden.name, picture=hidden.picture))

    def _imported(self, row: asyncpg.Record) -> ImportedCertificate:
        if self._cipher is not None:
            APPLICATION_CERTIFICATE.check(self._cipher, row)
        chain = tuple(each.raw for each in der.children(der.read(row["chain"])))
        return ImportedCertificate(
            row["suite"], row["certificate"], chain, row["imported_by"], row["account"], row["imported_at"]
        )


def _stored_name(wish: Wish) -> str:
    return PERSON_LABEL if RULES[wish.kind].is_person else wish.name


def _values(application: Application) -> tuple[object, ...]:
    """Return the values of the columns in the order of SEAL_APPLICATION; nothing of a person."""
    wish, decided = application.wish, application.decided
    is_person = RULES[wish.kind].is_person
    return (
        UUID(application.application_id),
        wish.kind.value,
        wish.owner_code,
        wish.owner_name,
        wish.division,
        _stored_name(wish),
        wish.line,
        wish.number,
        b"" if is_person else wish.picture,
        wish.width_mm,
        wish.height_mm,
        application.name_index,
        application.letter,
        wish.replaces,
        wish.external,
        wish.reason,
        wish.operator,
        wish.account,
        application.applied_at,
        application.status.value,
        decided.operator if decided else "",
        decided.reason if decided else "",
        decided.account if decided else "",
        application.decided_at,
        application.version,
    )


def _application(row: asyncpg.Record) -> Application:
    values: dict[str, Any] = dict(row)
    status = ApplicationStatus(values["status"])
    shared = ("owner_code", "owner_name", "division", "name", "reason", "account", "line", "number")
    further = ("picture", "width_mm", "height_mm", "replaces", "external")
    return Application(
        application_id=str(values["application_id"]),
        wish=Wish(
            kind=SealKind(values["kind"]),
            operator=values["applied_by"],
            **{name: values[name] for name in (*shared, *further)},
        ),
        applied_at=values["applied_at"],
        status=status,
        decided=(
            Verdict(status, values["decided_reason"], values["decided_by"], values["decided_account"])
            if values["decided_by"]
            else None
        ),
        decided_at=values["decided_at"],
        version=values["version"],
        seal_id=values["seal_id"],
        name_index=values["name_index"],
        letter=values["letter"],
    )
