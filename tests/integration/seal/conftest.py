"""Seal on a real PostgreSQL: keys requested, seals made, a clock that tests move; certs is stood in for."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from chassis.db import Database
from chassis.event import Envelope, new_event_id
from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from events.certs import LicenceMade
from services.seal.app.pdf_judge import PadesJudge
from services.seal.consumers import handlers
from services.seal.domain.ledger import signature_id_of
from services.seal.domain.letters import new_letter_key
from services.seal.domain.pki import make_companion_pki, make_development_pki
from services.seal.domain.register import Change, RegisteredSeal, SealStatus
from services.seal.keystore import SoftwareKeystore
from services.seal.signer import LocalSigner, SoftwareVault
from services.seal.store import StoreUnit
from services.seal.usecases.cabinet import Cabinet
from services.seal.usecases.change_status import change_status
from services.seal.usecases.ledger_time import Timekeeping
from services.seal.usecases.make_seals import Companion, Letters, Workshop, issue_lists, make_seals
from services.seal.usecases.ports import Authority, UnsealedDocument
from services.seal.usecases.request_keys import request_keys
from services.seal.usecases.verify import Verifier
from tests.unit.seal.sealing_room import ofd_files, p256, pack, sm2, suites
from tests.unit.seal.stamping_room import Switch, stamping_authority, timestamper

NOW = datetime(2026, 11, 22, 8, 0, 0, 700_000, tzinfo=UTC)
GUANGFENG = Authority(
    "11361103TB1000011X", "361103", "上饶市广丰区市场监督管理局", "上饶市广丰区市场监督管理局行政审批专用章"
)
YUSHAN = Authority("11361123TB20000214", "361123", "玉山县消防救援大队", "玉山县消防救援大队行政审批专用章")
AUTHORITIES = [GUANGFENG, YUSHAN]
UNSEALED = pack(ofd_files())
FIELD_KEYS = new_keyring(NOW)
SECRET = "integration-test-secret-of-the-signing-side"


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Documents:
    """Certs as seal sees it: hands out the same unsealed document and counts how often."""

    issuer_code: str = GUANGFENG.code
    asked: list[str] = field(default_factory=list)

    async def unsealed(self, licence_id: str) -> UnsealedDocument:
        self.asked.append(licence_id)
        return UnsealedDocument(UNSEALED, self.issuer_code, "case-1", 130.0, 220.0)


@dataclass
class SealWorld:
    """The service's parts over one database."""

    dsn: str
    database: Database
    clock: Clock
    cipher: FieldCipher
    keystore: SoftwareKeystore
    workshop: Workshop
    documents: Documents = field(default_factory=Documents)

    def __post_init__(self) -> None:
        self.unit = StoreUnit(self.database, self.cipher, suites())
        self.maker_unit = StoreUnit(self.database, None, suites(), self.workshop.maker_key)
        self.signer = LocalSigner(SoftwareVault(suites(), self.keystore))
        self.stamping = Switch(stamping_authority(self.clock, self.workshop.pki))
        self.timekeeping = Timekeeping(timestamper(self.stamping, self.clock, self.workshop.pki))
        self.cabinet = Cabinet(sm2(), self.signer, self.timekeeping)
        self.handler = handlers(self.unit, self.unit.work, self.cabinet, self.documents)[0]

    async def make(self, authorities: list[Authority] = AUTHORITIES) -> tuple[str, ...]:
        await request_keys(self.unit, sm2(), self.signer, authorities, self.clock(), p256())
        made = (await make_seals(self.maker_unit, self.workshop, authorities, self.clock())).made
        await issue_lists(self.maker_unit, self.workshop, self.clock())
        return made

    async def deliver(
        self, licence_id: str = "licence-1", issuer_code: str = GUANGFENG.code, **changed: object
    ) -> None:
        """One delivery of LicenceMade under a fresh event id: the inbox alone would not stop a repeat."""
        event = LicenceMade(
            licence_id=licence_id, identifier="x", type_code="t", county_code="361103", issuer_code=issuer_code,
            case_id="case-1", part_id="p", item_code="i", document_sha256=hashlib.sha256(UNSEALED).hexdigest(),
            made_at=self.clock(),
        ).model_copy(update=changed)  # fmt: skip
        envelope = Envelope(new_event_id(), event.TYPE, "//tongban/certs", licence_id, 1, self.clock())
        prepared = await self.handler.prepare(event)
        async with self.database.transaction() as tx:
            await self.handler.apply(tx, event, envelope, prepared)

    async def change(self, seal_id: str, status: SealStatus, **said: str) -> RegisteredSeal:
        async with self.unit() as work:
            seal = await work.seals.get(seal_id)
            assert seal is not None
            change = Change(status, said.pop("reason", "test"), said.pop("operator", "张三"), **said)
            return await change_status(work, seal_id, seal.etag, change, self.clock)

    async def seal_of(self, authority: Authority) -> RegisteredSeal:
        async with self.unit() as work:
            return (await work.seals.of_owner(authority.code))[0]

    async def sealed(self, licence_id: str = "licence-1") -> bytes:
        async with self.unit() as work:
            document = await work.ledger.document(signature_id_of(licence_id))
        assert document is not None
        return document.ofd

    async def events(self, aggregate_type: str = "signature") -> list[tuple[str, int]]:
        rows = await self.rows(
            "select type, version from event_log where aggregate_type = $1 order by seq", aggregate_type
        )
        return [(row["type"], row["version"]) for row in rows]

    async def rows(self, query: str, *values: object):
        async with self.database.transaction() as tx:
            return await tx.fetch(query, *values)

    async def verify(self, document: bytes, as_of: datetime | None = None):
        return await Verifier(self.unit, suites(), PadesJudge()).document(document, self.clock(), as_of)


@pytest.fixture
async def world(fresh_database) -> AsyncIterator[SealWorld]:
    dsn = await fresh_database()
    await migrate("seal", dsn)
    clock = Clock()
    database = await Database.open(dsn, now=clock, write_events=outbox_writer("//tongban/seal"))
    yield SealWorld(
        dsn=dsn,
        database=database,
        clock=clock,
        cipher=FieldCipher(parse_keyring(FIELD_KEYS), service="seal"),
        keystore=SoftwareKeystore(SECRET, purpose="seal"),
        workshop=Workshop(
            suite=sm2(),
            pki=make_development_pki(sm2(), (), NOW),
            operator="seal-maker",
            seal_lifetime=timedelta(days=1_825),
            list_lifetime=timedelta(days=7),
            companion=Companion(p256(), make_companion_pki(p256(), NOW)),
            letters=Letters(*reversed(new_letter_key())),
        ),
    )
    await database.close()


@pytest.fixture
async def stocked(world: SealWorld) -> SealWorld:
    """The world with a seal for every authority, some minutes later."""
    await world.make()
    world.clock.at += timedelta(minutes=10)
    return world
