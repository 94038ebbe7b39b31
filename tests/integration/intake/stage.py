"""Intake's HTTP door on a real PostgreSQL, with real token and terminal keys and a clock that can be moved."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from joserfc.jwk import ECKey

from chassis.auth import (
    DocumentSigner,
    TokenSigner,
    TokenVerifier,
    new_signing_key,
    public_keys,
    sign_assertion,
)
from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from chassis.requests import EncryptedAnswers
from chassis.service import TOKEN_ISSUER
from chassis.web import web_app
from chassis.web.app import WebOptions
from services.intake.api import Doors, api_router
from services.intake.catalogue_files import load_catalogue
from services.intake.catalogue_files.terminals import load_terminals
from services.intake.clients.files import FileInspector
from services.intake.store.applicants import Applicants
from services.intake.store.files import EncryptedFiles
from services.intake.store.identity import CountedAllowances, HashedCodes, IdentityWorks, TerminalKeys
from services.intake.store.identity.terminal_keys import AUDIENCE
from services.intake.store.work import Works
from services.intake.usecases.cases.ports import FoundLicence, UseCodeOrder
from services.intake.usecases.file_verification import FileReport
from services.intake.usecases.identity.ports import BusinessLicence, LogIn
from services.intake.usecases.inbox import InboxMessage
from services.intake.usecases.licences import (
    OWN_LICENCE_NOT_FOUND,
    DocumentReport,
    OwnLicence,
    Presentation,
    Scan,
    SealCheck,
)
from standards.identifiers import build_citizen_id
from tests.integration.intake.holdings import HeldThere
from tests.stacks.postgres import PostgresServer

ROOT = Path(__file__).resolve().parents[3]
KIOSK, OTHER_KIOSK = "KIOSK-361123-01", "KIOSK-422827-01"
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@dataclass
class Handset:
    """Where short messages arrive; the real sender asks notify."""

    sent: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, request_id: str, **message: Any) -> None:
        if all(each["request_id"] != request_id for each in self.sent):
            self.sent.append({"request_id": request_id, **message})

    async def list_messages(
        self, page_size: int, page_token: str, *, unread_only: bool
    ) -> tuple[Sequence[InboxMessage], str]:
        return [], ""

    async def mark_read(self, message_id: str) -> InboxMessage:
        return InboxMessage(message_id, "t", "t", "", START, START)


@dataclass
class Registry:
    """The registry of another process, as far as these tests ask it."""

    business: dict[tuple[str, str], BusinessLicence] = field(default_factory=dict)
    held: dict[tuple[str, str], list[OwnLicence]] = field(default_factory=dict)
    orders: list[UseCodeOrder] = field(default_factory=list)

    async def business_licence(self, uscc: str, representative: str) -> BusinessLicence | None:
        return self.business.get((uscc, representative))

    async def of_holder(self, holder: tuple[str, str]) -> Sequence[OwnLicence]:
        return self.held.get(holder, [])

    async def document(self, licence_id: str, form: str = "ofd", **_: str) -> bytes:
        return b"%PDF-1.7 sealed" if form == "pdf" else b"PK\x03\x04 sealed"

    async def present(self, licence_id: str, holder: tuple[str, str], request_id: str) -> Presentation:
        return Presentation(f"code-{request_id}", "TB1.qr", START + timedelta(minutes=1))

    async def scan(self, code: str, request_id: str) -> Scan:
        for licences in self.held.values():
            return Scan(licences[0], "VALID", START)
        raise OWN_LICENCE_NOT_FOUND()

    async def verify(self, document: bytes) -> DocumentReport:
        return DocumentReport("UNSIGNED", [])

    async def verify_file(self, content: bytes) -> FileReport:
        holds = SealCheck("container", "valid", "HOLDS", "符合", "Holds", "")
        return FileReport("UNSIGNED", "UNSIGNED", "ofd", "0" * 64, START, holds, [])

    async def find(self, **asked: Any) -> Sequence[FoundLicence]:
        assert asked["use_cause"]
        return [found_licence(each) for each in asked["type_codes"]]

    async def issue_use_code(self, order: UseCodeOrder, request_id: str) -> tuple[str, datetime]:
        self.orders.append(order)
        return f"use-{request_id}", order.expires_at

    async def revoke_use_codes(self, case_id: str, reason: str, request_id: str) -> int:
        return len(self.orders)


def found_licence(type_code: str) -> FoundLicence:
    """Return a licence of another county that replaces a material."""
    return FoundLicence(
        licence_id=f"lic-{type_code}",
        type_code=type_code,
        type_name=type_code,
        number="****",
        issuer_name="来凤县某局",
        county_code="422827",
        holder_name="测**",
        issued_date="2025-01-01",
        valid_until="",
        trust_grade="A",
    )


def own_licence(licence_id: str) -> OwnLicence:
    """Return a licence as its holder's screen shows it."""
    return OwnLicence(
        licence_id=licence_id,
        identifier="",
        type_code="11100000MB0143028R901",
        type_name="食品经营许可证",
        number="JY****",
        status="valid",
        issuer_name="来凤县某局",
        county_code="422827",
        holder_name="测**",
        issued_date="2025-01-01",
        valid_from="2025-01-01",
        valid_until="2030-01-01",
        trust_grade="A",
    )


@dataclass
class Stage:
    """Everything a test needs to act as terminals and persons."""

    app: FastAPI
    web: httpx.AsyncClient
    database: Database
    dsn: str
    handset: Handset
    registry: Registry
    terminal_keys: Mapping[str, ECKey]
    key_folder: Path
    holdings: HeldThere
    log_in: LogIn
    token_key: ECKey
    cipher: FieldCipher
    doors: Doors
    moment: datetime = START

    def now(self) -> datetime:
        return self.moment

    def pass_time(self, **length: float) -> None:
        self.moment += timedelta(**length)

    def assertion(self, reading: Mapping[str, str], terminal: str = KIOSK, **changed: Any) -> str:
        given = {"audience": AUDIENCE, "now": self.moment, "bound_to": reading, **changed}
        key = given.pop("key", None) or self.terminal_keys[terminal]
        return sign_assertion(key, terminal, **given)

    async def open(
        self, reading: Mapping[str, str], phone: str | None = None, terminal: str = KIOSK
    ) -> httpx.Response:
        body = {"assertion": self.assertion(reading, terminal), "reading": dict(reading)}
        return await self.web.post("/v1/sessions", json=body | ({"phone": phone} if phone else {}))

    async def verify(self, session_id: str, code: str, terminal: str = KIOSK) -> httpx.Response:
        return await self.web.post(
            f"/v1/sessions/{session_id}/verify", json={"code": code}, headers={"x-terminal-id": terminal}
        )

    async def enter(
        self, reading: Mapping[str, str], phone: str | None = None, terminal: str = KIOSK
    ) -> dict[str, str]:
        """Log in and return the headers of the session."""
        opened = await self.open(reading, phone, terminal)
        assert opened.status_code == 202, opened.text
        answer = await self.verify(opened.json()["session_id"], self.handset.sent[-1]["code"], terminal)
        assert answer.status_code == 200, answer.text
        return headers(answer.json()["access_token"], terminal)


def headers(token: str, terminal: str = KIOSK) -> dict[str, str]:
    return {"authorization": f"Bearer {token}", "x-terminal-id": terminal}


def key() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


def card(sequence: int = 12, name: str = "测试甲某") -> dict[str, str]:
    return {
        "id_number": build_citizen_id("361123", date(1956, 5, 4), sequence),
        "name": name,
        "reader": "simulator",
    }


@asynccontextmanager
async def open_stage(
    server: PostgresServer, folder: Path, token_key: ECKey | None = None, **peers: Any
) -> AsyncIterator[Stage]:
    """Build the door over a migrated database; closed and dropped at the end. Peers replace those stood in for."""
    dsn = await server.create_database()
    await migrate("intake", dsn)
    stage: Stage

    def clock() -> datetime:
        return stage.moment

    database = await Database.open(dsn, now=clock, write_events=outbox_writer("//tongban/intake", shards=1))
    cipher = FieldCipher(parse_keyring(new_keyring(START)), service="intake")
    token_key, handset, registry = token_key or new_signing_key(), Handset(), Registry()
    holdings = HeldThere(registry)
    keys = {each: new_signing_key() for each in (KIOSK, OTHER_KIOSK)}
    for terminal_id, terminal_key in keys.items():
        (folder / f"{terminal_id}.pem").write_bytes(terminal_key.as_pem(private=False))
    catalogue, terminals = load_catalogue(ROOT / "catalogue"), load_terminals(ROOT / "catalogue")
    limits = CountedAllowances(database, cipher)
    signer = DocumentSigner(token_key)
    log_in = LogIn(
        now=clock,
        open_work=IdentityWorks(database, cipher),
        codes=HashedCodes(cipher),
        sender=handset,
        terminals=TerminalKeys(folder, terminals),
        tokens=TokenSigner(token_key, TOKEN_ISSUER, now=clock),
        limits=limits,
    )
    doors = Doors(
        cases=Works(database, cipher, lambda tx: Applicants(tx, cipher)),
        catalogue=lambda: catalogue,
        terminals=terminals,
        licences=registry,
        files=EncryptedFiles(DirectoryStore(folder / "files"), cipher),
        sign=lambda document, kind: signer.sign_document(document, kind=kind),
        log_in=log_in,
        registry=registry,
        verifier=TokenVerifier(public_keys([token_key]), TOKEN_ISSUER, now=clock),
        limits=limits,
        answers=EncryptedAnswers(cipher),
        wallet=registry,
        holdings=holdings,
        open_entrustments=IdentityWorks(database, cipher),
        entrustments=holdings,
        seals=registry,
        inbox=handset,
        inspector=FileInspector(),
        receipt_keys=public_keys([token_key]),
    )
    doors = replace(doors, **peers)
    app = web_app("intake", options=WebOptions(behind_tls=False, show_documentation=True))
    app.include_router(api_router(doors))
    transport = httpx.ASGITransport(app=app)
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://intake.test") as web:
            stage = Stage(
                app,
                web,
                database,
                dsn,
                handset,
                registry,
                keys,
                folder,
                holdings,
                log_in,
                token_key,
                cipher,
                doors,
            )
            yield stage
    finally:
        await database.close()
        await server.drop_database(dsn)
