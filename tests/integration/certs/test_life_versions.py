"""Versions and copies on a real PostgreSQL: what follows what, when, and what falls with it."""

from __future__ import annotations

import asyncio
import io
import json
import uuid
import zipfile
from datetime import timedelta

import pytest

from chassis.errors import Fault
from events.seal import SealingRefused
from services.certs.domain.life.history import replay
from standards.identifiers import check_licence_identifier_for_issuing, parse_licence_identifier
from tests.integration.certs.conftest import BUSINESS, World, purpose
from tests.integration.certs.life_desk import LIVING, Desk, decision, refused
from tests.integration.certs.test_issuing import FOOD
from tests.integration.certs.test_use_codes import set_status
from tongban.certs.v1 import licence_life_pb2 as life
from tongban.certs.v1 import licence_pb2 as pb


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


async def test_a_changed_licence_follows_its_predecessor_only_when_it_is_sealed(desk: Desk):
    old = await desk.in_force()
    new = await desk.change(old)
    before, waiting = await desk.row(old), await desk.row(new)
    assert (before["status"], waiting["status"]) == ("valid", "pending_seal")
    assert await desk.world.count(LIVING, uuid.UUID(old)) == 1
    await desk.issuing.seal(new)
    after, follower = await desk.row(old), await desk.row(new)
    assert (after["status"], follower["status"]) == ("replaced", "valid")
    assert follower["lineage_id"] == after["lineage_id"]
    assert (after["serial_version"], follower["serial_version"]) == (1, 2)
    assert follower["identifier"].rpartition(".")[0].endswith(".002")
    assert follower["identifier"].split(".")[7] == after["identifier"].split(".")[7]
    assert check_licence_identifier_for_issuing(follower["identifier"]).valid
    assert await desk.world.count(LIVING, uuid.UUID(old)) == 1
    issued = (await desk.world.events("certs.LicenceIssued.v1"))[-1]
    assert (issued["licence_id"], issued["predecessor_id"]) == (new, old)
    told = (await desk.world.events("certs.LicenceStatusChanged.v1"))[-1]
    assert (told["licence_id"], told["status"]) == (old, "replaced")
    with desk.world.as_department():
        shown = await desk.rpc.ListLicenceOrders(life.ListLicenceOrdersRequest(licence_id=old), None)
    assert [(each.state, each.result_licence_id) for each in shown.orders] == [(life.ORDER_STATE_DONE, new)]
    assert [(each.licence_id, each.is_earlier) for each in shown.related] == [(new, False)]


async def test_the_file_of_a_changed_licence_says_when_and_why(desk: Desk):
    new = await desk.change(await desk.in_force())
    document = await desk.world.licences.GetUnsealedDocument(
        pb.GetUnsealedDocumentRequest(licence_id=new), None
    )
    package = zipfile.ZipFile(io.BytesIO(document.ofd))
    record = json.loads(package.read("Doc_0/Attachs/licence.json"))
    assert (record["ZZBGYY"], record["KZ_JYZMC"]) == ("监督检查", "丰小玉大饭店")
    assert record["ZZBGSJ"][:4] == str(desk.world.clock().year)


async def test_a_renewal_adds_to_the_term_and_loses_none_of_it(desk: Desk):
    old = await desk.in_force(validity_years=5)
    answer = await desk.ask(life.RenewLicenceRequest, old, years=5)
    await desk.issuing.seal(answer.licence.licence_id)
    first, second = await desk.row(old), await desk.row(answer.licence.licence_id)
    assert second["valid_until"] > first["valid_until"] + timedelta(days=5 * 365)
    assert second["valid_from"] == (desk.world.clock() + timedelta(hours=8)).date()
    unlimited = await desk.in_force(validity_years=0)
    assert (await refused(desk.ask(life.RenewLicenceRequest, unlimited, years=5))).code == "TERM_UNLIMITED"


async def test_the_holders_of_a_licence_are_changed_as_a_whole_and_each_finds_the_new_version(desk: Desk):
    world, old = desk.world, await desk.in_force()
    numbers = [world.citizen(), world.citizen()]
    people = [
        life.LicenceHolder(id_type_code="111", id_number=number, name=name)
        for number, name in zip(numbers, ("丰小玉", "余小江"), strict=True)
    ]
    new = await desk.change(old, holders=people)
    await desk.issuing.seal(new)
    for number in numbers:
        request = pb.FindLicencesRequest(
            holder_id_type_code="111", holder_id_number=number, purpose=purpose(), usable_only=True
        )
        with world.as_department():
            found = await world.licences.FindLicences(request, None)
        assert [each.licence_id for each in found.licences] == [new]


async def test_every_wrong_field_of_a_change_is_named_at_once(desk: Desk):
    licence_id = await desk.in_force()
    fault = await refused(
        desk.change(
            licence_id,
            face={"KZ_NONE": "x", "KZ_JYZMC": ""},
            holders=[life.LicenceHolder(id_type_code="777", id_number="1")],
            decision=decision(reason=" ", operator="A", second_person="A"),
            case_id="x" * 65,
        )
    )
    assert {each.field_path for each in fault.violations} == {
        *("face.KZ_NONE", "face.KZ_JYZMC", "holders[0].id_type_code", "holders[0].name"),
        *("decision.reason", "decision.second_person", "case_id"),
    }
    nothing = await refused(desk.change(licence_id, face={"KZ_JYZMC": "丰小玉餐饮店"}))
    assert [each.reason.code for each in nothing.violations] == ["NOTHING_CHANGES"]


async def test_a_licence_has_one_successor_however_many_ask_at_once(desk: Desk):
    licence_id = await desk.in_force()
    answers = await asyncio.gather(*(desk.change(licence_id) for _ in range(4)), return_exceptions=True)
    made = [each for each in answers if isinstance(each, str)]
    assert len(made) == 1
    assert {each.code for each in answers if isinstance(each, Fault)} == {"SUCCESSOR_WAITS"}


async def test_a_fall_of_the_predecessor_calls_the_waiting_version_off(desk: Desk):
    old = await desk.in_force()
    new = await desk.change(old)
    await desk.order(old, life.LICENCE_ACT_REVOKE)
    assert (await desk.status(old), await desk.status(new)) == ("revoked", "cancelled")
    await desk.issuing.seal(new)
    assert await desk.status(new) == "cancelled"
    other = await desk.in_force()
    dropped = await desk.change(other)
    await desk.order(dropped, life.LICENCE_ACT_CANCEL)
    again = await desk.change(other)
    await desk.issuing.seal(again)
    assert (await desk.row(again))["serial_version"] == 3, "a number that was given out is not given again"
    assert await desk.status(other) == "replaced"


async def test_a_suspension_goes_over_to_the_new_version(desk: Desk):
    old = await desk.in_force()
    new = await desk.change(old)
    await desk.order(old, life.LICENCE_ACT_SUSPEND)
    await desk.issuing.seal(new)
    assert (await desk.status(old), await desk.status(new)) == ("replaced", "suspended")
    await desk.order(new, life.LICENCE_ACT_RESTORE)
    assert await desk.status(new) == "valid"
    suspended = await desk.in_force()
    await desk.order(suspended, life.LICENCE_ACT_SUSPEND)
    assert (await refused(desk.change(suspended))).code == "LICENCE_NOT_IN_FORCE"


async def test_a_version_that_was_refused_its_seal_takes_nobodys_place(desk: Desk):
    old = await desk.in_force()
    new = await desk.change(old)
    await desk.issuing.hear(
        SealingRefused(
            signature_id="s",
            licence_id=new,
            case_id="c",
            reason="SEAL_SUSPENDED",
            refused_at=desk.world.clock(),
        )
    )
    assert (await desk.status(old), await desk.status(new)) == ("valid", "pending_seal")


async def test_copies_have_their_own_identifier_and_file_and_fall_with_the_original(desk: Desk):
    original = await desk.in_force()
    copy = await desk.copy(original)
    row = await desk.row(copy)
    assert row["identifier"] != (await desk.row(original))["identifier"]
    assert check_licence_identifier_for_issuing(row["identifier"]).valid
    document = await desk.world.licences.GetUnsealedDocument(
        pb.GetUnsealedDocumentRequest(licence_id=copy), None
    )
    package = zipfile.ZipFile(io.BytesIO(document.ofd))
    assert "副本 1" in package.read("Doc_0/Pages/Page_0/Content.xml").decode()
    assert json.loads(package.read("Doc_0/Attachs/licence.json"))["KZ_FBXH"] == "1"
    await desk.issuing.seal(copy)
    assert await desk.status(copy) == "valid"
    limit = (await refused(desk.copy(original))).metadata["limit"]
    assert int(limit) == desk.world.desk.types[FOOD].copies_allowed
    assert (await refused(desk.order(copy, life.LICENCE_ACT_REVOKE))).code == "COPY_FOLLOWS_ORIGINAL"
    assert (await refused(desk.copy(copy))).code == "COPY_OF_COPY"
    for act, status in (
        (life.LICENCE_ACT_SUSPEND, "suspended"),
        (life.LICENCE_ACT_RESTORE, "valid"),
        (life.LICENCE_ACT_REVOKE, "revoked"),
    ):
        await desk.order(original, act)
        assert await desk.status(copy) == await desk.status(original) == status
    with pytest.raises(Fault):
        await set_status(desk.world, copy, pb.LICENCE_STATUS_SUSPENDED)


async def test_copies_are_replaced_with_the_version_they_were_made_of(desk: Desk):
    original = await desk.in_force()
    sealed, waiting = await desk.copy(original), None
    await desk.issuing.seal(sealed)
    await desk.order(sealed, life.LICENCE_ACT_CANCEL)
    waiting = await desk.copy(original)
    new = await desk.change(original)
    await desk.issuing.seal(new)
    assert [await desk.status(each) for each in (original, sealed, waiting, new)] == [
        *("replaced", "cancelled", "cancelled", "valid"),
    ]
    await desk.issuing.seal(waiting)
    assert await desk.status(waiting) == "cancelled"


async def test_an_imported_licence_is_changed_into_one_made_here_and_its_history_replays(desk: Desk):
    holder = desk.world.citizen()
    imported = await desk.world.stock_licence(holder)
    await desk.order(imported, life.LICENCE_ACT_SUSPEND)
    await desk.order(imported, life.LICENCE_ACT_RESTORE)
    new = await desk.change(imported, face={"KZ_JYFW": "食品销售"})
    await desk.issuing.seal(new)
    for each in (imported, new):
        licence, lines = await desk.history(each)
        assert replay(lines) is licence.status
    assert (await desk.row(new))["type_code"] == BUSINESS


async def test_a_version_whose_predecessor_a_register_replaced_is_called_off(desk: Desk):
    holder = desk.world.citizen()
    imported = await desk.world.stock_licence(holder)
    waiting = await desk.change(imported, face={"KZ_JYFW": "食品销售"})
    later = parse_licence_identifier((await desk.row(imported))["identifier"]).next_version().next_version()
    with desk.world.as_department():
        await desk.world.import_rows(desk.world.row(holder, ZZBS=str(later)))
    assert await desk.status(imported) == "replaced"
    await desk.issuing.seal(waiting)
    assert await desk.status(waiting) == "cancelled"
    assert await desk.world.count(LIVING, uuid.UUID(imported)) == 1


async def test_a_seal_and_a_revocation_at_once_leave_one_version_or_none(desk: Desk):
    ends = set()
    for _ in range(6):
        old = await desk.in_force()
        new = await desk.change(old)
        await asyncio.gather(
            desk.issuing.seal(new), desk.order(old, life.LICENCE_ACT_REVOKE), return_exceptions=True
        )
        ends.add((await desk.status(old), await desk.status(new)))
        assert await desk.world.count(LIVING, uuid.UUID(old)) <= 1
    assert ends <= {("replaced", "valid"), ("revoked", "cancelled")}
