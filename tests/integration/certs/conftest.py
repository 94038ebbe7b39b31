"""A registry on a real PostgreSQL, called through its servicers as different peers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from chassis.auth import ActingPerson, new_signing_key, public_keys
from chassis.clock import system_clock
from chassis.db import Database
from chassis.fields import FieldCipher
from chassis.files import DirectoryStore
from chassis.keyring import new_keyring, parse_keyring
from chassis.migrate import migrate
from chassis.outbox import outbox_writer
from chassis.requests import EncryptedAnswers
from chassis.rpc.call import Caller, calling
from chassis.rpc.peer import Peer
from services.certs.app import read_catalogue
from services.certs.rpc import Desk, IntakeStatements, JwsSigner
from services.certs.rpc.imports import LicenceImportServicer
from services.certs.rpc.licences import LicenceServicer
from services.certs.rpc.presentations import PresentationServicer
from services.certs.rpc.use_codes import UseCodeServicer
from services.certs.store import TypeTable, Vault, open_registry
from standards.identifiers import build_citizen_id, build_licence_identifier
from tongban.certs.v1 import licence_pb2 as pb

CATALOGUE = Path(__file__).parents[3] / "catalogue"
MARKET = "11361103TB1000011X"
FIRE = "11361103TB100002XM"
CONTEXT = None
INTAKE_KEY = new_signing_key()
"""Signs what intake states."""
ID_CARD = "11100000000013127D001"
BUSINESS = "11100000MB0143028R001"
MARRIAGE = "111000000000131433001"


class MovingClock:
    """The present, moved on by hand."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.offset


class Parties:
    """Stands in for intake: whose licences a case is about."""

    def __init__(self) -> None:
        self.of_case: dict[str, list[tuple[str, str]]] = {}

    async def of_part(self, case_id: str, item_code: str, department_code: str) -> list[tuple[str, str]]:
        del item_code, department_code
        return self.of_case.get(case_id, [])


@dataclass
class World:
    desk: Desk
    database: Database
    clock: MovingClock
    licences: LicenceServicer
    imports: LicenceImportServicer
    use_codes: UseCodeServicer
    presentations: PresentationServicer
    documents_dir: Path
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 100_000)))
    parties: Parties = field(default_factory=Parties)

    @contextmanager
    def as_department(self, code: str = MARKET) -> Iterator[Caller]:
        with calling(Caller(Peer("department", code))) as call:
            yield call

    @contextmanager
    def as_intake(self, person_id: str = "p1") -> Iterator[Caller]:
        with calling(Caller(Peer("service", "intake"), ActingPerson(person_id, 2))) as call:
            yield call

    @contextmanager
    def as_operator(self) -> Iterator[Caller]:
        with calling(Caller(Peer("operator", "ops"))) as call:
            yield call

    def citizen(self) -> str:
        return build_citizen_id("361103", date(1980, 1, 1) + timedelta(days=next(self.numbers)), 11)

    def row(self, holder: str, name: str = "丰小玉", **changed: str) -> dict[str, str]:
        serial = f"2026{next(self.numbers):06d}"
        fields = {
            "ZZMC": "营业执照",
            "ZZLXDM": BUSINESS,
            "ZZBH": serial,
            "ZZBS": build_licence_identifier(BUSINESS, MARKET, serial),
            "ZZBFJG": "上饶市广丰区市场监督管理局",
            "ZZBFJGDM": MARKET,
            "ZZBFRQ": "2024-03-05",
            "CZZT": name,
            "CZZTDM": holder,
            "CZZTDMLXDM": "111",
            "ZZYXQJZRQ": "长期",
            "KZ_MC": "广丰区丰小玉餐饮店",
            "KZ_TYSHXYDM": "92361103MA0000000A",
            "KZ_LX": "个体工商户",
            "KZ_FDDBR": name,
            "KZ_JYFW": "餐饮服务",
            "KZ_CLRQ": "2024-03-05",
            "KZ_ZS": "江西省上饶市广丰区永丰街道一号",
        }
        return {key: value for key, value in (fields | changed).items() if value}

    async def import_rows(self, *rows: dict[str, str], batch_id: str = "") -> list[pb.ImportRowResult]:
        """Send rows numbered from 1 in one message, as whoever calls."""
        message = pb.ImportLicencesRequest(
            batch_id=batch_id or str(uuid.uuid4()),
            rows=[pb.ImportRow(row_number=n, fields=row) for n, row in enumerate(rows, 1)],
        )

        async def requests() -> AsyncIterator[pb.ImportLicencesRequest]:
            yield message

        return [
            result
            async for answer in self.imports.ImportLicences(requests(), CONTEXT)
            for result in answer.results
        ]

    async def stock_licence(self, holder: str, **changed: str) -> str:
        with self.as_department():
            (result,) = await self.import_rows(self.row(holder, **changed))
        assert result.licence_id, result
        return str(result.licence_id)

    async def count(self, query: str, *values: object) -> int:
        async with self.database.transaction() as tx:
            return int(await tx.fetchval(query, *values))

    async def events(self, event_type: str) -> list[dict[str, object]]:
        import json

        async with self.database.transaction() as tx:
            rows = await tx.fetch(
                "select payload, version from event_log where type = $1 order by seq", event_type
            )
        return [json.loads(row["payload"]) | {"_version": row["version"]} for row in rows]


@pytest.fixture
async def world(fresh_database, tmp_path: Path) -> AsyncIterator[World]:
    dsn = await fresh_database()
    await migrate("certs", dsn)
    clock = MovingClock()
    database = await Database.open(dsn, now=clock, write_events=outbox_writer("//tongban/certs"), max_size=10)
    cipher = FieldCipher(parse_keyring(new_keyring(datetime.now(UTC))), service="certs")
    vault = Vault(cipher)
    types, departments = read_catalogue(CATALOGUE)
    parties = Parties()
    desk = Desk(
        database,
        lambda tx: open_registry(tx, vault),
        vault,
        EncryptedAnswers(cipher),
        DirectoryStore(tmp_path / "documents"),
        types,
        departments,
        JwsSigner(new_signing_key()),
        clock,
        type_records=lambda tx: TypeTable(tx, vault),
        statements=IntakeStatements(public_keys([INTAKE_KEY])),
        case_parties=parties,
    )
    yield World(
        desk,
        database,
        clock,
        LicenceServicer(desk),
        LicenceImportServicer(desk),
        UseCodeServicer(desk),
        PresentationServicer(desk),
        tmp_path / "documents",
        parties=parties,
    )
    await database.close()


def purpose(basis: int = pb.BASIS_STATUTORY_DUTY, **changed: str) -> pb.Purpose:
    given = {"use_cause": "食品经营许可审查", "item_code": "item-1", "case_id": "case-1"} | changed
    return pb.Purpose(basis=basis, **given)  # type: ignore[arg-type]
