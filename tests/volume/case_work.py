"""The main job's hot steps, in process on real databases: intake's cases and messaging, the registry of certs."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from chassis.auth import ActingPerson, DocumentSigner, new_signing_key, public_keys
from chassis.bus import BusConfig, Record, open_bus
from chassis.bus.port import Bus
from chassis.db import Database
from chassis.delivery import Handler
from chassis.event import Envelope, Event
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.inbox import Consumer
from chassis.keyring import new_keyring, parse_keyring
from chassis.outbox import outbox_writer
from chassis.relay import Relay
from chassis.requests import EncryptedAnswers
from events.intake import CaseSubmitted
from services.certs.app import read_catalogue
from services.certs.rpc import Desk, IntakeStatements, JwsSigner
from services.certs.rpc.imports import LicenceImportServicer
from services.certs.rpc.licences import LicenceServicer
from services.certs.rpc.presentations import PresentationServicer
from services.certs.rpc.use_codes import UseCodeServicer
from services.certs.store import TypeTable, Vault, open_registry
from services.intake.catalogue_files import load_catalogue
from services.intake.domain.cases.applicant import Applicant
from services.intake.store.work import Works
from services.intake.usecases.cases import drafting
from standards.identifiers import build_citizen_id
from tests.integration.certs.conftest import CATALOGUE, World, purpose
from tests.integration.certs.conftest import MovingClock as CertsClock
from tests.integration.intake.conftest import NOW, Intake, KnownPersons, MemoryFiles, MovingClock, Registry
from tongban.certs.v1 import licence_pb2 as pb

ITEM = "open-restaurant"


@dataclass(frozen=True)
class Secrets:
    """What both sides share: who applies, and the keys that rows are encrypted with."""

    folder: Path
    person_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    keyring: str = field(default_factory=lambda: new_keyring(NOW))

    def cipher(self, service: str) -> FieldCipher:
        """Return the cipher of a service."""
        return FieldCipher(parse_keyring(self.keyring), service=service)


@dataclass
class Side:
    """One set of databases and what works on it."""

    intake: Intake
    world: World
    intake_db: Database
    outbox: asyncpg.Connection
    relay: Relay
    bus: Bus
    producer: Any
    consumer: Consumer
    took: dict[str, float] = field(default_factory=dict)
    numbers: Any = field(default_factory=itertools.count)
    holder: str = ""

    async def timed(self, step: str, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return what the work returns; its seconds are added to the step's."""
        began = time.perf_counter()
        result = await work()
        self.took[step] = self.took.get(step, 0.0) + time.perf_counter() - began
        return result

    async def one_case(self) -> None:
        """Carry one case from its draft to the decision on a part, with all that goes along with it."""
        intake = self.intake
        case = await self.timed("hand in", lambda: intake.submitted(ITEM))
        first = next(part for part in case.parts if part.state.value == "submitted")
        await self.timed("decide", lambda: intake.approve(first.part_id))
        await self.timed("look up a case", lambda: self._read(case.case_id))
        await self.timed("timeline", lambda: self._timeline(case.case_id))
        await self.timed("find licences", self._find)
        records = await self.timed("outbox", self.drain)
        await self.timed("inbox", lambda: self.consumer.receive(records))

    async def _read(self, case_id: str) -> None:
        for _ in range(5):
            async with self.intake.works() as work:
                await drafting.get_case(work, self.intake.actor, case_id)
                await drafting.list_cases(work, self.intake.actor)

    async def _timeline(self, case_id: str) -> None:
        for _ in range(10):
            async with self.intake.works() as work:
                assert await drafting.list_timeline(work, self.intake.actor, case_id)

    async def _find(self) -> None:
        request = pb.FindLicencesRequest(
            holder_id_type_code="111", holder_id_number=self.holder, purpose=purpose()
        )
        for _ in range(5):
            with self.world.as_department():
                assert (await self.world.licences.FindLicences(request, None)).licences

    async def drain(self) -> list[Record]:
        """Publish what the outbox holds through the relay's own code; return it as a consumer gets it."""
        found: list[Record] = []
        while rows := await self.relay._pending(self.outbox, 0):
            await self.relay._publish(self.outbox, self.producer, rows)
            found += [_record(row, next(self.numbers)) for row in rows]
        return found


def _record(row: Any, offset: int) -> Record:
    headers = tuple((name, value.encode()) for name, value in json.loads(row["headers"]).items())
    return Record(row["topic"], 0, offset, row["aggregate_id"].encode(), headers, row["payload"], NOW)


async def _nothing(_tx: Any, _event: Event, _envelope: Envelope, _context: object) -> None:
    """Apply nothing: the inbox itself is measured."""


@asynccontextmanager
async def open_side(dsns: dict[str, str], secrets: Secrets) -> AsyncIterator[Side]:
    """Open services on the databases ``intake``, ``certs`` and ``bus``."""
    intake_db = await Database.open(
        dsns["intake"], now=lambda: NOW, write_events=outbox_writer("//tongban/intake"), max_size=4
    )
    certs_db = await Database.open(dsns["certs"], write_events=outbox_writer("//tongban/certs"), max_size=4)
    bus = await open_bus(BusConfig("postgres", "volume", postgres_dsn=dsns["bus"]))
    outbox = await asyncpg.connect(dsns["intake"])
    world = _world(certs_db, secrets)
    try:
        yield Side(
            _intake(intake_db, secrets),
            world,
            intake_db,
            outbox,
            Relay("intake", dsns["intake"], bus),
            bus,
            bus.producer(),
            Consumer("intake", intake_db, [Handler(CaseSubmitted, _nothing)], bus),
        )
    finally:
        await outbox.close()
        await bus.close()
        await certs_db.close()
        await intake_db.close()


def _intake(database: Database, secrets: Secrets) -> Intake:
    number = build_citizen_id("361103", NOW.date() - timedelta(days=12000), 7)
    persons = {
        secrets.person_id: Applicant(secrets.person_id, "natural", "测试人甲", "111", number, "19900000001")
    }
    key = new_signing_key()
    return Intake(
        Works(database, secrets.cipher("intake"), lambda _tx: KnownPersons(persons)),
        load_catalogue(CATALOGUE),
        MovingClock(),
        Registry(),
        MemoryFiles(),
        ActingPerson(secrets.person_id, assurance=3, terminal_id="K-361123-0001"),
        DocumentSigner(key),
        key,
        persons,
    )


def _world(database: Database, secrets: Secrets) -> World:
    cipher, clock = secrets.cipher("certs"), CertsClock()
    vault = Vault(cipher)
    types, departments = read_catalogue(CATALOGUE)
    desk = Desk(
        database,
        lambda tx: open_registry(tx, vault),
        vault,
        EncryptedAnswers(cipher),
        DirectoryStore(secrets.folder / "documents"),
        types,
        departments,
        JwsSigner(new_signing_key()),
        clock,
        type_records=lambda tx: TypeTable(tx, vault),
        statements=IntakeStatements(public_keys([new_signing_key()])),
    )
    return World(
        desk,
        database,
        clock,
        LicenceServicer(desk),
        LicenceImportServicer(desk),
        UseCodeServicer(desk),
        PresentationServicer(desk),
        secrets.folder / "documents",
    )
