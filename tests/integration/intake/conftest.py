"""Intake's cases on a real PostgreSQL with the real catalogue; the registry and identity are stood in for."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chassis.auth import DocumentSigner, new_signing_key
from chassis.auth.person import ActingPerson
from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from services.intake.catalogue_files import load_catalogue
from services.intake.domain.cases.applicant import Applicant
from services.intake.domain.cases.case import Case
from services.intake.domain.cases.materials import SupplyKind, allowed_supplies
from services.intake.domain.catalogue.model import Catalogue
from services.intake.store.work import Works
from services.intake.usecases.cases import deciding, drafting, submitting, supplying
from services.intake.usecases.cases.ports import FoundLicence, UseCodeOrder
from standards.identifiers import build_citizen_id, build_uscc

NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # Monday, 10:00 in China
SHOP_CODE = build_uscc("92", "361123", "MATB0001")
FORM = {
    "shop_name": "测试小馆",
    "business_name": "玉山县测试小馆（个体工商户）",
    "business_address": "玉山县测试路 1 号",
    "floor_area": "80",
    "seats": "30",
    "contact_mobile": "19900000000",
}


class MovingClock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Registry:
    """The licence registry as the use cases see it: every type is there once, from another county."""

    orders: list[UseCodeOrder] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)

    async def find(
        self, *, holder_id_type_code: str, holder_id_number: str, type_codes: Sequence[str], **purpose: str
    ) -> Sequence[FoundLicence]:
        assert purpose["use_cause"]
        assert purpose["case_id"]
        return [
            FoundLicence(
                licence_id=f"lic-{code}",
                type_code=code,
                type_name=code,
                number="****",
                issuer_name="来凤县某局",
                county_code="422827",
                holder_name="测**",
                issued_date="2025-01-01",
                valid_until="",
                trust_grade="A",
            )
            for code in type_codes
        ]

    async def issue_use_code(self, order: UseCodeOrder, request_id: str) -> tuple[str, datetime]:
        uuid.UUID(request_id)
        self.orders.append(order)
        return f"code-{len(self.orders)}", order.expires_at

    async def revoke_use_codes(self, case_id: str, reason: str, request_id: str) -> int:
        self.revoked.append(case_id)
        return 1

    async def document(self, licence_id: str, **_: str) -> bytes:
        return b"PK\x03\x04 sealed " + licence_id.encode()


class KnownPersons:
    """Identity as cases see it."""

    def __init__(self, known: dict[str, Applicant]) -> None:
        self._known = known

    async def load(self, person_id: str) -> Applicant | None:
        return self._known.get(person_id)

    async def represents(self, person_id: str, uscc: str) -> bool:
        return person_id in self._known and uscc == SHOP_CODE

    async def entrustment(self, entrustment_id: str) -> None:
        return None

    async def entrusted_to_apply(self, agent: Applicant, now: datetime, limit: int) -> Sequence[str]:
        return ()


class MemoryFiles:
    """Files without a disk."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def put(self, data: bytes) -> str:
        key = hashlib.sha256(data).hexdigest()
        self.kept[key] = data
        return key

    async def get(self, key: str) -> bytes:
        return self.kept[key]


@dataclass
class Intake:
    """Everything a test of intake needs."""

    works: Works
    catalogue: Catalogue
    clock: MovingClock
    registry: Registry
    files: MemoryFiles
    actor: ActingPerson
    signer: DocumentSigner
    keys: object
    persons: dict[str, Applicant]

    def sign(self, document: dict[str, object], kind: str) -> str:
        return self.signer.sign_document(document, kind=kind)

    async def draft(self, target: str = "open-restaurant", county: str = "361123") -> Case:
        kind = "bundle" if target in self.catalogue.bundles else "item"
        questions = (
            self.catalogue.bundles[target].questions
            if kind == "bundle"
            else self.catalogue.item_questions(target)
        )
        fields = self.catalogue.bundles[target].form if kind == "bundle" else self.catalogue.item(target).form
        async with self.works() as work:
            return await drafting.create_draft(
                work,
                self.catalogue,
                self.actor,
                kind=kind,
                target_id=target,
                county=county,
                answers={each.question_id: each.answers[0].value for each in questions},
                form={each.code: fill(each) for each in fields},
            )

    async def ready(self, target: str = "open-restaurant", county: str = "361123") -> Case:
        case = await self.draft(target, county)
        for need in case.plan.needs:
            kinds = allowed_supplies(need)
            if not kinds:
                continue
            if kinds[0] is SupplyKind.UPLOAD:
                await self.upload(case.case_id, need.material.code)
                continue
            choice = supplying.SupplyChoice(
                kinds[0],
                agreed=True,
                licence_id=f"lic-{need.material.replaced_by[0].licence_type}"
                if need.material.replaced_by
                else "",
                consent_version="2026.1",
            )
            await supplying.choose_supply(
                self.works,
                self.registry,
                self.catalogue,
                self.actor,
                case.case_id,
                need.material.code,
                choice,
            )
        return case

    async def upload(self, case_id: str, material: str, content: bytes = b"%PDF-1.7 test") -> Case:
        return await supplying.attach_file(
            self.works,
            self.files,
            self.actor,
            case_id,
            material,
            file_name="扫描件.pdf",
            media_type="application/pdf",
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
        )

    async def submit(self, case_id: str) -> submitting.Receipt:
        async with self.works() as work:
            return await submitting.submit(work, self.sign, self.actor, case_id)

    async def submitted(self, target: str = "open-restaurant", county: str = "361123") -> Case:
        case = await self.ready(target, county)
        await self.submit(case.case_id)
        return await self.load(case.case_id)

    async def load(self, case_id: str) -> Case:
        async with self.works() as work:
            case = await work.cases.load(case_id)
        assert case is not None
        return case

    def staff(self, department_code: str, position: int = 0) -> str:
        return self.catalogue.department_by_uscc(department_code).staff[position].staff_id

    async def command(self, part_id: str, position: int = 0) -> deciding.PartCommand:
        async with self.works() as work:
            case = await work.cases.load_by_part(part_id)
        assert case is not None
        part = case.part(part_id)
        department = part.item.department_code
        return deciding.PartCommand(
            department, part_id, deciding.etag_of(part), self.staff(department, position)
        )

    async def accept(self, part_id: str) -> None:
        command = await self.command(part_id)
        async with self.works() as work:
            await deciding.accept_part(work, self.catalogue, command)

    async def sign_part(
        self, part_id: str, decision: str = "approve", position: int = 1, opinion: str = ""
    ) -> Case:
        command = await self.command(part_id, position)
        async with self.works() as work:
            view = await deciding.decide_part(
                work, self.catalogue, command, deciding.Decision(decision), opinion
            )
        return view.case

    async def approve(self, part_id: str) -> Case:
        await self.accept(part_id)
        case = await self.sign_part(part_id, position=1)
        if case.part(part_id).state.value == "reviewed":
            case = await self.sign_part(part_id, position=2)
        return case

    async def events(self) -> list[tuple[str, str, int]]:
        async with self.works() as work:
            rows = await work.tx.fetch("select type, aggregate_id, version from event_log order by seq")
        return [(row["type"], row["aggregate_id"], row["version"]) for row in rows]


def fill(field: object) -> str:
    """Return a value that a form field takes."""
    known = FORM | {"business_uscc": SHOP_CODE}
    if field.code in known:
        return known[field.code]
    match field.type.value:
        case "choice":
            return field.choices[0].value
        case "number":
            return str(field.minimum if field.minimum is not None else 1)
        case "date":
            return "2026-03-01"
        case "mobile":
            return "19900000000"
        case "uscc":
            return SHOP_CODE
        case "citizen_id":
            return "11010519491231002X"
    return "测试"[: field.max_length]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue(Path(__file__).parents[3] / "catalogue")


@pytest.fixture
async def intake(fresh_database: Callable[..., object], catalogue: Catalogue) -> AsyncIterator[Intake]:
    dsn = await fresh_database()
    await migrate("intake", dsn)
    clock = MovingClock()
    database = await Database.open(dsn, now=clock, write_events=outbox_writer("//tongban/intake"), max_size=8)
    cipher = FieldCipher(parse_keyring(new_keyring(NOW)), service="intake")
    person_id = str(uuid.uuid4())
    persons = {
        person_id: Applicant(
            person_id,
            "natural",
            "测试人甲",
            "111",
            build_citizen_id("361103", NOW.date() - timedelta(days=12000), 7),
            "19900000001",
        )
    }
    key = new_signing_key()
    yield Intake(
        Works(database, cipher, lambda _tx: KnownPersons(persons)),
        catalogue,
        clock,
        Registry(),
        MemoryFiles(),
        ActingPerson(person_id, assurance=3, terminal_id="K-361123-0001"),
        DocumentSigner(key),
        key,
        persons,
    )
    await database.close()
