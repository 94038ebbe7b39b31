"""Licence types on a real PostgreSQL: published once, checked against what is stored, followed by every process."""

from __future__ import annotations

import asyncio
import copy
import json
import uuid
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from chassis.errors import Fault
from services.certs.domain.licence_type import LicenceTypes, parse_licence_types, read_type
from services.certs.rpc.licence_types import LicenceTypeServicer
from services.certs.store.type_refresh import TypeRefresh
from services.certs.usecases import licence_types as verbs
from services.certs.usecases.licence_types import publishing
from tests.integration.certs.conftest import BUSINESS, ID_CARD, World, purpose
from tongban.certs.v1 import licence_pb2
from tongban.certs.v1 import licence_type_pb2 as pb

ENTRIES = yaml.safe_load((Path(__file__).parents[3] / "catalogue/licence_types.yaml").read_text())
ANNUAL = {"code": "KZ_NB", "zh": "年报年度", "en": "Year reported", "type": "text", "max_length": 4}


def entry(code: str = BUSINESS) -> dict[str, Any]:
    return copy.deepcopy(next(each for each in ENTRIES["licence_types"] if each["code"] == code))


def field(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in document["face_fields"] if each["code"] == name)


class Office:
    """The types of a world: its servicer, and a second process that reads the same table."""

    def __init__(self, world: World) -> None:
        self.world, self.servicer = world, LicenceTypeServicer(world.desk)
        self.own = TypeRefresh(world.database, world.desk.vault, world.desk.types, world.clock)
        self.other_types = LicenceTypes()
        self.other = TypeRefresh(world.database, world.desk.vault, self.other_types, world.clock)

    async def publish(
        self, *documents: dict[str, Any], request_id: str = "", dry_run: bool = False
    ) -> pb.PublishReport:
        request = pb.PublishLicenceTypesRequest(
            request_id=request_id or str(uuid.uuid4()),
            documents_json=[json.dumps(each) for each in documents],
            dry_run=dry_run,
            source="test",
        )
        with self.world.as_operator():
            parts = [each async for each in self.servicer.PublishLicenceTypes(request, None)]
        assert [each.WhichOneof("part") for each in parts[:-1]] == ["progress"] * (len(parts) - 1)
        return parts[-1].report

    async def refused(self, *documents: dict[str, Any]) -> Fault:
        with pytest.raises(Fault) as refused:
            await self.publish(*documents)
        return refused.value

    async def versions(self) -> int:
        return await self.world.count("select count(*) from licence_type")


@pytest.fixture
async def office(world: World) -> Office:
    made = Office(world)
    await made.own.start()
    await made.other.start()
    return made


async def read(
    world: World, licence_id: str, basis: int = licence_pb2.BASIS_STATUTORY_DUTY
) -> dict[str, str]:
    request = licence_pb2.GetLicenceRequest(licence_id=licence_id, purpose=purpose(basis))
    with world.as_department():
        return dict((await world.licences.GetLicence(request, None)).licence.face)


async def type_versions(world: World) -> list[int | None]:
    async with world.database.transaction() as tx:
        rows = await tx.fetch("select type_version from licence order by created_at, licence_id")
    return [row["type_version"] for row in rows]


async def test_the_catalogue_is_published_once_however_many_processes_start(world: World) -> None:
    offices = [Office(world) for _ in range(3)]
    await asyncio.gather(*(each.own.start() for each in offices))
    assert await offices[0].versions() == len(ENTRIES["licence_types"])
    assert {each.version for each in world.desk.types.values()} == {1}


async def test_a_catalogue_that_says_something_else_is_left_for_somebody_to_publish(
    office: Office, world: World
) -> None:
    document = entry() | {"freshness_hours": 9}
    await TypeRefresh(
        world.database, world.desk.vault, parse_licence_types({"licence_types": [document]}), world.clock
    ).start()
    assert world.desk.types[BUSINESS].freshness_hours == 4
    assert await world.count("select count(*) from licence_type where type_code = $1", BUSINESS) == 1


async def test_a_compatible_change_becomes_the_next_version_and_every_process_follows(
    office: Office, world: World
) -> None:
    await world.stock_licence(world.citizen())
    document = entry()
    document["face_fields"].append(ANNUAL)
    report = await office.publish(document, entry(ID_CARD))
    assert report.published
    assert [(each.type_code, each.outcome, each.version) for each in report.types] == [
        (BUSINESS, pb.TYPE_OUTCOME_NEW_VERSION, 2),
        (ID_CARD, pb.TYPE_OUTCOME_UNCHANGED, 1),
    ]
    assert world.desk.types[BUSINESS].version == 2
    assert office.other_types[BUSINESS].version == 1
    await office.other.refresh()
    assert office.other_types[BUSINESS].field("KZ_NB") is not None
    await world.stock_licence(world.citizen(), KZ_NB="2025")
    assert await type_versions(world) == [1, 2]
    logged = "select count(*) from log_queue where kind = 'licence_type'"
    assert await world.count(logged) == await office.versions()


async def test_a_change_that_stored_licences_stand_against_is_refused_with_fields_and_numbers_only(
    office: Office, world: World
) -> None:
    for name in ("丰小玉", "欧阳小玉"):
        await world.stock_licence(world.citizen(), name=name)
    document, card = entry(), entry(ID_CARD)
    field(document, "KZ_FDDBR")["max_length"] = 3
    field(document, "KZ_ZCZB")["required"] = True
    document["face_fields"] = [each for each in document["face_fields"] if each["code"] != "KZ_JYFW"]
    document["display"]["fields"].remove("KZ_JYFW")
    document["registry"] = {"fields": {"KZ_LX": {"codes": ["有限责任公司"]}}}
    card["name"]["en"] = "ID card"
    fault = await office.refused(document, card)
    assert fault.code == "LICENCE_TYPES_INCOMPATIBLE"
    assert {(each.field_path, each.reason.code, each.metadata["licences"]) for each in fault.violations} == {
        (f"{BUSINESS}.face_fields.KZ_FDDBR.max_length", "TYPE_FIELD_NARROWED", "1"),
        (f"{BUSINESS}.face_fields.KZ_ZCZB.required", "TYPE_FIELD_NOW_REQUIRED", "2"),
        (f"{BUSINESS}.face_fields.KZ_JYFW", "TYPE_FIELD_REMOVED", "2"),
        (f"{BUSINESS}.face_fields.KZ_LX.codes", "TYPE_FIELD_NARROWED", "2"),
    }
    assert "欧阳" not in str([(each.zh, each.en, each.metadata) for each in fault.violations])
    assert await office.versions() == len(ENTRIES["licence_types"])
    rehearsed = await office.publish(document, card, dry_run=True)
    assert not rehearsed.published
    assert [each.outcome for each in rehearsed.types] == [
        pb.TYPE_OUTCOME_INCOMPATIBLE,
        pb.TYPE_OUTCOME_NEW_VERSION,
    ]
    assert rehearsed.licences_read == 2
    assert await office.versions() == len(ENTRIES["licence_types"])


async def test_the_walk_goes_in_batches_says_how_far_it_is_and_misses_nobody(
    office: Office, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "SCAN_ROWS", 2)
    for _ in range(5):
        await world.stock_licence(world.citizen())
    document = entry()
    field(document, "KZ_ZCZB")["required"] = True
    request = pb.PublishLicenceTypesRequest(
        request_id=str(uuid.uuid4()), documents_json=[json.dumps(document)], dry_run=True
    )
    with world.as_operator():
        parts = [each async for each in office.servicer.PublishLicenceTypes(request, None)]
    assert [each.progress.licences_read for each in parts[:-1]] == [2, 4, 5]
    (change,) = parts[-1].report.types[0].changes
    assert (change.licences, change.reason) == (5, "TYPE_FIELD_NOW_REQUIRED")


async def test_a_narrower_rule_that_no_stored_licence_breaks_is_published(
    office: Office, world: World
) -> None:
    await world.stock_licence(world.citizen())
    document = entry()
    field(document, "KZ_FDDBR")["max_length"] = 10
    document["registry"] = {"fields": {"KZ_LX": {"codes": ["个体工商户", "有限责任公司"]}}}
    assert (await office.publish(document)).types[0].version == 2
    document["registry"] = {"fields": {"KZ_LX": {"codes": ["有限责任公司"]}}}
    fault = await office.refused(document)
    assert [each.reason.code for each in fault.violations] == ["TYPE_CODE_REMOVED"]


async def test_a_holder_category_stays_while_a_licence_is_in_force(office: Office, world: World) -> None:
    document = entry() | {"holder_category": "mixed"}
    licence_id = await world.stock_licence(world.citizen())
    fault = await office.refused(document)
    assert [each.reason.code for each in fault.violations] == ["TYPE_HOLDER_CATEGORY_CHANGED"]
    async with world.database.transaction() as tx:
        await tx.execute(
            "update licence set status = 'cancelled' where licence_id = $1", uuid.UUID(licence_id)
        )
    assert (await office.publish(document)).published


async def test_a_type_does_not_change_its_code(office: Office) -> None:
    document = entry() | {"code": "11100000MB0143028R002"}
    fault = await office.refused(document)
    assert [(each.reason.code, each.metadata["type_code"]) for each in fault.violations] == [
        ("TYPE_CODE_CHANGED", BUSINESS)
    ]


async def test_wrong_documents_are_refused_with_every_wrong_field(office: Office) -> None:
    fault = await office.refused(entry() | {"holder_category": "dog"}, entry(), {"code": "x"})
    assert fault.code == "INVALID_REQUEST"
    found = {each.field_path for each in fault.violations}
    assert {"types[0].holder_category", "types[1].code", "types[2].name.zh", "types[2].code"} <= found


async def test_the_same_request_again_publishes_once_and_is_answered_the_same(office: Office) -> None:
    request_id, document = str(uuid.uuid4()), entry() | {"freshness_hours": 9}
    first = await office.publish(document, request_id=request_id)
    assert await office.publish(document, request_id=request_id) == first
    assert await office.versions() == len(ENTRIES["licence_types"]) + 1


async def test_a_tighter_disclosure_counts_at_once_and_a_wider_one_for_new_licences_only(
    office: Office, world: World
) -> None:
    old = await world.stock_licence(world.citizen())
    document = entry()
    document["registry"]["disclosure"] = {"statutory_duty": {"KZ_FDDBR": "full", "KZ_ZS": "hidden"}}
    field(document, "KZ_LX")["mask"] = "hidden"
    await office.publish(document)
    new = await world.stock_licence(world.citizen())
    assert (await read(world, old))["KZ_FDDBR"] == "丰**"
    assert (await read(world, new))["KZ_FDDBR"] == "丰小玉"
    assert (await read(world, new, licence_pb2.BASIS_CONSENT))["KZ_FDDBR"] == "丰**"
    for licence_id in (old, new):
        face = await read(world, licence_id)
        assert "KZ_ZS" not in face
        assert set(face["KZ_LX"]) == {"*"}


async def test_a_licence_that_comes_in_during_the_walk_stands_against_the_change(
    office: Office, world: World
) -> None:
    document = entry()
    field(document, "KZ_ZCZB")["required"] = True
    kind, _ = read_type(document)
    began_at, opened = world.clock(), office.servicer._records
    async with opened() as records:
        tally = await verbs.plan(records, [kind])
    assert [each.violations() async for each in verbs.walk(opened, tally)] == [[]]
    await world.stock_licence(world.citizen())
    with pytest.raises(Fault) as refused:
        async with opened() as records:
            await verbs.publish(records, tally, began_at, "operator/ops", "test", world.clock())
    assert refused.value.code == "LICENCE_TYPES_INCOMPATIBLE"


async def test_of_two_who_publish_at_once_one_is_told_to_look_again(office: Office, world: World) -> None:
    results = await asyncio.gather(
        office.publish(entry() | {"freshness_hours": 8}),
        office.publish(entry() | {"freshness_hours": 9}),
        return_exceptions=True,
    )
    refusals = [each.code for each in results if isinstance(each, Fault)]
    assert refusals in ([], ["LICENCE_TYPES_CHANGED_MEANWHILE"])
    held = await world.count("select count(*) from licence_type where type_code = $1", BUSINESS)
    assert held == 3 - len(refusals)
    assert world.desk.types[BUSINESS].version == held


async def test_types_are_listed_in_pages_and_every_version_stays(office: Office, world: World) -> None:
    await office.publish(entry() | {"freshness_hours": 9})
    found, token = [], ""
    with world.as_department():
        while True:
            request = pb.ListLicenceTypesRequest(page_size=10, page_token=token)
            page = await office.servicer.ListLicenceTypes(request, None)
            found += [(each.type_code, each.version) for each in page.types]
            token = page.next_page_token
            if not token:
                break
        first = await office.servicer.GetLicenceType(
            pb.GetLicenceTypeRequest(type_code=BUSINESS, version=1), None
        )
        newest = await office.servicer.GetLicenceType(pb.GetLicenceTypeRequest(type_code=BUSINESS), None)
        with pytest.raises(Fault) as refused:
            await office.servicer.GetLicenceType(
                pb.GetLicenceTypeRequest(type_code=BUSINESS, version=3), None
            )
        with pytest.raises(Fault, match="INVALID_REQUEST"):
            await office.servicer.ListLicenceTypes(pb.ListLicenceTypesRequest(page_token="x y"), None)
    assert refused.value.code == "LICENCE_TYPE_VERSION_NOT_FOUND"
    assert sorted(found) == found
    assert dict(found)[BUSINESS] == 2
    assert len(found) == len(ENTRIES["licence_types"])
    documents = [json.loads(each.type.document_json)["freshness_hours"] for each in (first, newest)]
    assert documents == [4, 9]
    assert newest.type.published_by == "operator/ops"


async def test_a_published_version_cannot_be_altered_unseen(office: Office, world: World) -> None:
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        async with world.database.transaction() as tx:
            await tx.execute("update licence_type set source = 'x'")
    async with world.database.transaction() as tx:
        await tx.execute("alter table licence_type disable trigger licence_type_append_only")
        await tx.execute(
            "update licence_type set document = replace(document, $2, $3) where type_code = $1",
            BUSINESS,
            '"freshness_hours":4',
            '"freshness_hours":9',
        )
    with pytest.raises(Fault) as refused:
        await office.own.start()
    assert refused.value.code == "ROW_ALTERED"


async def test_a_row_of_the_release_before_counts_as_version_one(office: Office, world: World) -> None:
    licence_id = await world.stock_licence(world.citizen())
    async with world.database.transaction() as tx:
        await tx.execute("update licence set type_version = null")
    await office.publish(entry() | {"freshness_hours": 9})
    assert (await read(world, licence_id))["KZ_LX"] == "个体工商户"
