"""Reading and changing licences: purpose, permission, record, order of the issuer, expiry."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault
from services.certs.rpc.confirmations import ConfirmationServicer
from services.certs.usecases.change_status import expire_licences
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World, purpose
from tests.integration.certs.test_use_codes import reason_of, set_status, uses
from tongban.certs.v1 import confirmation_pb2
from tongban.certs.v1 import licence_pb2 as pb


def find_request(holder: str, **changed: object) -> pb.FindLicencesRequest:
    given = {"holder_id_type_code": "111", "holder_id_number": holder, "purpose": purpose()} | changed
    return pb.FindLicencesRequest(**given)  # type: ignore[arg-type]


async def test_a_read_without_purpose_or_basis_is_refused_naming_both(world: World):
    with world.as_department(), pytest.raises(Fault) as refused:
        await world.licences.FindLicences(
            find_request("", purpose=pb.Purpose(), holder_id_type_code="7"), None
        )
    assert {(v.field_path, v.reason.code) for v in refused.value.violations} == {
        ("purpose.use_cause", "PURPOSE_REQUIRED"),
        ("purpose.basis", "BASIS_REQUIRED"),
        ("holder_id_type_code", "HOLDER_ID_TYPE_UNKNOWN"),
        ("holder_id_number", "FIELD_REQUIRED"),
    }


async def test_what_is_found_is_masked_and_every_find_stands_in_the_holders_record(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    with world.as_intake():
        (found,) = (await world.licences.FindLicences(find_request(holder), None)).licences
    assert found.licence_id == licence_id
    assert found.holder_name == "丰**"
    assert found.face["KZ_FDDBR"] == "丰**"
    assert found.face["KZ_MC"] == "广丰区丰小玉餐饮店"
    (use,) = (await uses(world, holder)).uses
    assert (use.licence_id, use.consumer_code, use.case_id) == (licence_id, "service/intake", "case-1")


async def test_a_find_that_finds_nothing_is_recorded_too(world: World):
    holder = world.citizen()
    with world.as_department():
        await world.licences.FindLicences(find_request(holder), None)
    (use,) = (await uses(world, holder)).uses
    assert (use.licence_id, use.consumer_code) == ("", MARKET)


async def test_a_department_sees_by_duty_everything_by_consent_only_what_it_issued(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    consent = purpose(pb.BASIS_CONSENT)
    for department, given, seen in (
        (FIRE, purpose(), 1),
        (FIRE, consent, 0),
        (MARKET, consent, 1),
    ):
        with world.as_department(department):
            answer = await world.licences.FindLicences(find_request(holder, purpose=given), None)
        assert len(answer.licences) == seen
    with world.as_department(FIRE):
        request = pb.GetLicenceRequest(licence_id=licence_id, purpose=consent)
        assert await reason_of(world.licences.GetLicence(request, None)) == "LICENCE_NOT_FOUND"


async def test_an_unknown_id_and_no_id_are_told_apart(world: World):
    with world.as_department():
        for licence_id in (str(uuid.uuid4()), "no-uuid"):
            request = pb.GetLicenceRequest(licence_id=licence_id, purpose=purpose())
            assert await reason_of(world.licences.GetLicence(request, None)) == "LICENCE_NOT_FOUND"
        empty = pb.GetLicenceRequest(purpose=purpose())
        assert await reason_of(world.licences.GetLicence(empty, None)) == "INVALID_REQUEST"


async def test_imported_stock_has_no_document_to_hand_out(world: World):
    licence_id = await world.stock_licence(world.citizen())
    with world.as_department():
        request = pb.GetLicenceDocumentRequest(licence_id=licence_id, purpose=purpose())
        assert await reason_of(world.licences.GetLicenceDocument(request, None)) == "DOCUMENT_ABSENT"


def change(licence_id: str, etag: str = '"1"', **changed: object) -> pb.ChangeLicenceStatusRequest:
    given = {
        "request_id": str(uuid.uuid4()),
        "licence_id": licence_id,
        "etag": etag,
        "status": pb.LICENCE_STATUS_REVOKED,
        "reason": "以欺骗手段取得",
        "basis_document": "饶广市监撤字〔2026〕3号",
        "operator": "36110301Z1",
        "second_person": "36110302Z1",
    } | changed
    return pb.ChangeLicenceStatusRequest(**given)  # type: ignore[arg-type]


async def test_the_issuer_revokes_once_under_the_etag_it_read(world: World):
    licence_id = await world.stock_licence(world.citizen())
    with world.as_department():
        results = await asyncio.gather(
            *(world.licences.ChangeLicenceStatus(change(licence_id), None) for _ in range(20)),
            return_exceptions=True,
        )
    done = [each for each in results if isinstance(each, pb.ChangeLicenceStatusResponse)]
    assert len(done) == 1
    assert {each.code for each in results if isinstance(each, Fault)} == {"ETAG_MISMATCH"}
    assert done[0].licence.status == pb.LICENCE_STATUS_REVOKED
    assert done[0].licence.etag == '"2"'
    (event,) = await world.events("certs.LicenceStatusChanged.v1")
    assert (event["previous"], event["status"], event["_version"]) == ("valid", "revoked", 2)
    async with world.database.transaction() as tx:
        row = await tx.fetchrow("select act, basis_document, operator, changed_by from licence_status_change")
    assert tuple(row) == ("revoke", "饶广市监撤字〔2026〕3号", "36110301Z1", f"department/{MARKET}")


@pytest.mark.parametrize("status", [pb.LICENCE_STATUS_REVOKED, pb.LICENCE_STATUS_FORFEITED])
async def test_the_call_of_before_revokes_and_forfeits_by_two_people_only(world: World, status: int):
    licence_id = await world.stock_licence(world.citizen())
    found = []
    for second in ("", " ", "36110301Z1", "字" * 101):
        request = change(licence_id, status=status, second_person=second)
        with world.as_department(), pytest.raises(Fault) as refused:
            await world.licences.ChangeLicenceStatus(request, None)
        found += [(each.field_path, each.reason.code) for each in refused.value.violations]
    assert found == [
        ("second_person", "SECOND_PERSON_REQUIRED"),
        ("second_person", "SECOND_PERSON_REQUIRED"),
        ("second_person", "LICENCE_SECOND_PERSON_SAME"),
        ("second_person", "FIELD_TOO_LONG"),
    ]
    with world.as_department():
        await world.licences.ChangeLicenceStatus(change(licence_id, status=status), None)
    async with world.database.transaction() as tx:
        row = await tx.fetchrow("select operator, second_person, state from licence_order")
    assert tuple(row) == ("36110301Z1", "36110302Z1", "done")


async def test_a_suspension_takes_one_person_until_its_type_says_two(world: World):
    licence_id = await world.stock_licence(world.citizen())
    alone = {"status": pb.LICENCE_STATUS_SUSPENDED, "second_person": ""}
    stricter = replace(world.desk.types[BUSINESS], second_person_acts=("revoke", "suspend"), version=2)
    with world.as_department():
        await world.licences.ChangeLicenceStatus(change(licence_id, **alone), None)
        await world.licences.ChangeLicenceStatus(
            change(licence_id, '"2"', status=pb.LICENCE_STATUS_VALID, second_person=""), None
        )
        world.desk.types.take([*world.desk.types.values(), stricter])
        call = world.licences.ChangeLicenceStatus(change(licence_id, '"3"', **alone), None)
        assert await reason_of(call) == "INVALID_REQUEST"


async def test_another_department_does_not_find_the_licence_it_wants_to_change(world: World):
    licence_id = await world.stock_licence(world.citizen())
    with world.as_department(FIRE):
        call = world.licences.ChangeLicenceStatus(change(licence_id), None)
        assert await reason_of(call) == "LICENCE_NOT_FOUND"


async def test_an_order_names_every_missing_field_at_once(world: World):
    licence_id = await world.stock_licence(world.citizen())
    tomorrow = Timestamp()
    tomorrow.FromDatetime(world.clock() + timedelta(days=1))
    request = change(
        licence_id,
        status=pb.LICENCE_STATUS_EXPIRED,
        reason="",
        basis_document=" ",
        operator="",
        effective_at=tomorrow,
    )
    with world.as_department(), pytest.raises(Fault) as refused:
        await world.licences.ChangeLicenceStatus(request, None)
    assert {each.field_path for each in refused.value.violations} == {
        "status",
        "reason",
        "basis_document",
        "operator",
        "effective_at",
    }


async def test_a_suspended_licence_is_restored_and_a_revoked_one_is_not(world: World):
    licence_id = await world.stock_licence(world.citizen())
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    await set_status(world, licence_id, pb.LICENCE_STATUS_VALID)
    await set_status(world, licence_id, pb.LICENCE_STATUS_REVOKED)
    with pytest.raises(Fault) as refused:
        await set_status(world, licence_id, pb.LICENCE_STATUS_VALID)
    assert refused.value.code == "STATUS_CHANGE_NOT_ALLOWED"


async def test_the_sweep_expires_what_is_over_and_nothing_else_and_only_once(world: World):
    over, running = world.citizen(), world.citizen()
    day = (world.clock() + timedelta(days=3)).date().isoformat()
    licence_id = await world.stock_licence(over, ZZYXQJZRQ=day)
    await world.stock_licence(running)

    async def sweep() -> int:
        async with world.database.transaction() as tx:
            return await expire_licences(world.desk.registry_of(tx), world.clock())

    assert await sweep() == 0
    world.clock.offset = timedelta(days=5)
    assert sum(await asyncio.gather(*(sweep() for _ in range(4)))) == 1
    (event,) = await world.events("certs.LicenceStatusChanged.v1")
    assert (event["licence_id"], event["status"]) == (licence_id, "expired")


async def test_a_yes_or_no_is_given_without_a_copy_and_leaves_a_record(world: World):
    holder = world.citizen()
    await world.stock_licence(holder)
    servicer = ConfirmationServicer(world.desk)

    async def confirmed(**face: str) -> bool:
        request = confirmation_pb2.ConfirmFaceRequest(
            holder_id_type_code="111",
            holder_id_number=holder,
            type_code=BUSINESS,
            face=face,
            purpose=purpose(),
        )
        with world.as_intake():
            return bool((await servicer.ConfirmFace(request, None)).confirmed)

    assert await confirmed(KZ_FDDBR="丰小玉", KZ_LX="个体工商户")
    assert not await confirmed(KZ_FDDBR="丰大玉")
    assert len((await uses(world, holder)).uses) == 4  # two look-ups, the yes and the no
    assert await reason_of(confirmed()) == "INVALID_REQUEST"
