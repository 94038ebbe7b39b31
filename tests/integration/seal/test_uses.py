"""Using a seal over gRPC: under a grant, with approvals, within limits, once per request, recorded either way."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import datetime, timedelta

import pytest

from chassis.errors import Fault, Kind
from services.seal.domain.authorisation import implicit_grant
from services.seal.domain.register import SealStatus
from services.seal.usecases.retry_refused import retry_refused
from tests.integration.seal.conftest import GUANGFENG
from tests.integration.seal.doors import (
    NOTICE,
    OPERATOR,
    OTHER,
    OWN,
    PEOPLE,
    SHA256,
    Doors,
    approve,
    doors,
    keep_time,
    ledger_holds,
    new_id,
    refusal,
)
from tests.unit.seal.sealing_room import ofd_files, pack
from tongban.seal.v1 import seal_pb2 as pb
from tongban.seal.v1 import use_pb2

__all__ = ["doors"]


async def test_a_department_with_a_grant_gets_its_document_sealed_and_recorded(doors: Doors):
    grant = await doors.grant()
    request_id = new_id()
    signature, sealed = await doors.seal(request_id=request_id)
    assert hashlib.sha256(sealed).hexdigest() == signature.sha256
    assert (await doors.world.verify(sealed)).verdict.value == "VALID"
    (use,) = await doors.uses()
    assert (use.outcome, use.seal_id, use.licence_id, use.case_id) == ("sealed", doors.seal_id, "", "case-1")
    detail = use.detail
    assert (detail.document_type, detail.service_item, detail.account) == (NOTICE, "item-1", str(OWN))
    assert (detail.grant_id, detail.request_id, detail.document_count) == (grant.grant_id, request_id, 1)
    assert (detail.mode, detail.format) == (use_pb2.PROTECT_MODE_WHOLE, use_pb2.DOCUMENT_FORMAT_OFD)
    assert (detail.day_uses, detail.approvers) == (1, 0)
    assert await ledger_holds(doors.world)
    assert await doors.world.events() == [], "no licence, no event of one"


async def test_the_same_request_again_gets_the_same_signature_and_other_content_is_refused(doors: Doors):
    await doors.grant()
    request_id = new_id()
    first = await doors.seal(request_id=request_id)
    assert await doors.seal(request_id=request_id) == first
    assert await doors.seal(request_id=request_id.upper()) == first
    for changed in ({"document": pack(ofd_files(2))}, {"case_id": "case-2"}):
        fault = await refusal(doors.seal(request_id=request_id, **changed))
        assert fault.code == "REQUEST_ID_REUSED"
    assert await doors.outcomes() == ["sealed"]
    await doors.grant(OTHER)
    other = await doors.seal(request_id=request_id, peer=OTHER)
    assert other[0].signature_id != first[0].signature_id, "ids are each caller's own"


async def test_parallel_repetitions_of_a_request_leave_one_row_and_one_signature(doors: Doors):
    await doors.grant()
    request_id = new_id()
    answers = await asyncio.gather(*(doors.seal(request_id=request_id) for _ in range(12)))
    assert len({(signature.sha256, sealed) for signature, sealed in answers}) == 1
    assert await doors.outcomes() == ["sealed"]


async def test_without_a_grant_nothing_is_sealed_and_the_refusal_is_recorded(doors: Doors):
    await doors.grant(valid_until=None)
    tries = [
        ({"peer": OTHER}, "another department"),
        ({"service_item": "item-2"}, "another item"),
        ({"document_type": use_pb2.DOCUMENT_TYPE_DECISION}, "another type"),
        ({"peer": OPERATOR}, "an operator"),
    ]
    for changed, what in tries:
        fault = await refusal(doors.seal(**changed))
        assert (fault.code, fault.kind) == ("SEAL_USE_NOT_GRANTED", Kind.PERMISSION_DENIED), what
    assert await doors.outcomes() == ["SEAL_USE_NOT_GRANTED"] * len(tries)
    fault = await refusal(doors.seal(seal_id="36110399999999"))
    assert fault.code == "SEAL_NOT_FOUND"
    (newest,) = await doors.uses(page_size=1)
    assert (newest.outcome, newest.seal_id, newest.detail.account) == ("SEAL_NOT_FOUND", "", str(OWN))
    assert await ledger_holds(doors.world)
    assert await doors.world.rows("select 1 from sealed_document") == []


async def test_a_withdrawn_grant_and_one_that_ended_open_nothing(doors: Doors):
    world = doors.world
    grant = await doors.grant()
    await doors.seal()
    request = use_pb2.WithdrawSealGrantRequest(
        seal_id=doors.seal_id, grant_id=grant.grant_id, operator="张三", reason="岗位变动"
    )
    ended = (await doors.call("WithdrawSealGrant", request)).grant
    assert ended.HasField("withdrawn_at")
    request.request_id = new_id()
    assert (await refusal(doors.call("WithdrawSealGrant", request))).code == "GRANT_WITHDRAWN"
    assert (await refusal(doors.seal())).code == "SEAL_USE_NOT_GRANTED"
    short = await doors.grant()
    del short
    until = use_pb2.GrantSealUseRequest(
        seal_id=doors.seal_id, grantee_kind=use_pb2.GRANTEE_KIND_OPERATOR, grantee="ops-1",
        document_type=NOTICE, **PEOPLE,
    )  # fmt: skip
    until.valid_until.FromDatetime(world.clock.at + timedelta(hours=1))
    await doors.call("GrantSealUse", until)
    await doors.seal(peer=OPERATOR)
    world.clock.at += timedelta(hours=1)
    assert (await refusal(doors.seal(peer=OPERATOR))).code == "SEAL_USE_NOT_GRANTED"


async def test_grants_and_rules_take_two_persons_and_departments_see_their_own_only(doors: Doors):
    lone = dict(PEOPLE) | {"second_person": "张三"}
    for method, request in (
        ("GrantSealUse", use_pb2.GrantSealUseRequest(
            seal_id=doors.seal_id, grantee_kind=1, grantee=OWN.name, document_type=NOTICE, **lone)),
        ("ChangeSealRules", use_pb2.ChangeSealRulesRequest(seal_id=doors.seal_id, etag='"0"', **lone)),
    ):  # fmt: skip
        fault = await refusal(doors.call(method, request))
        assert [each.reason.code for each in fault.violations] == ["SECOND_PERSON_SAME"]
    listing = use_pb2.ListSealGrantsRequest(seal_id=doors.seal_id)
    (own,) = (await doors.call("ListSealGrants", listing, OWN)).grants
    assert (own.implicit, own.grantee) == (True, "certs")
    for method, request in (
        ("ListSealGrants", listing),
        ("GetSealRules", use_pb2.GetSealRulesRequest(seal_id=doors.seal_id)),
        ("ApproveSealUse", use_pb2.ApproveSealUseRequest(
            seal_id=doors.seal_id, document_sha256=SHA256, approver="王五")),
        ("ListSealUses", pb.ListSealUsesRequest(seal_id=doors.seal_id)),
    ):  # fmt: skip
        assert (await refusal(doors.call(method, request, OTHER))).code == "SEAL_NOT_FOUND", method
    await doors.grant()
    signature, _ = await doors.seal()
    wanted = pb.GetSealUseRequest(signature_id=signature.signature_id)
    assert len((await doors.call("GetSealUse", wanted, OWN)).uses) == 1
    assert (await refusal(doors.call("GetSealUse", wanted, OTHER))).code == "SIGNATURE_NOT_FOUND"
    assert (await refusal(doors.call("GrantSealUse", use_pb2.GrantSealUseRequest(), OWN))).code == (
        "NOT_PERMITTED"
    )


async def test_a_sensitive_seal_takes_its_quorum_of_persons_for_the_very_document(doors: Doors):
    await doors.grant()
    rules = await doors.rules(quorum=2)
    assert (rules.quorum, rules.etag) == (2, '"1"')
    request_id = new_id()
    fault = await refusal(doors.seal(request_id=request_id))
    assert (fault.code, fault.metadata["approvers"]) == ("SEAL_QUORUM_MISSING", "0")
    first = await approve(doors, "王五", OWN)
    assert (first.approvers, first.quorum) == (1, 2)
    assert (await approve(doors, " 王 五 ")).approvers == 1, "another writing of a name is the same person"
    assert (await approve(doors, "钱七")).approvers == 2
    await approve(doors, "赵六", sha256="0" * 64)
    signature, _ = await doors.seal(request_id=request_id)
    (use,) = await doors.uses(page_size=1)
    assert (use.signature_id, use.detail.approvers) == (signature.signature_id, 2)
    assert (await refusal(doors.seal())).code == "SEAL_QUORUM_MISSING", "approvals serve one use"
    assert await doors.seal(request_id=request_id), "the repetition is no further use"


async def test_a_licence_without_its_quorum_waits_and_is_sealed_once_approved(doors: Doors):
    world = doors.world
    await doors.rules(quorum=1)
    await world.deliver()
    assert await doors.outcomes() == ["SEAL_QUORUM_MISSING"]
    for _ in range(3):
        assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 0
    assert await doors.outcomes() == ["SEAL_QUORUM_MISSING"], "nothing is entered while nothing changed"
    world.clock.at += timedelta(minutes=1)
    await approve(doors, "王五")
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 1
    assert await doors.outcomes() == ["SEAL_QUORUM_MISSING", "sealed"]
    assert [version for _, version in await world.events()] == [1, 2]


async def test_licences_need_no_grant_until_the_seals_own_is_withdrawn_and_then_a_new_one(doors: Doors):
    world = doors.world
    await world.deliver("licence-1")
    own = implicit_grant(await world.seal_of(GUANGFENG), None)
    (use,) = await doors.uses()
    assert (use.detail.grant_id, use.detail.account, use.detail.service_item) == (
        own.grant_id,
        "service/certs",
        "i",
    )
    await doors.call(
        "WithdrawSealGrant",
        use_pb2.WithdrawSealGrantRequest(
            seal_id=doors.seal_id, grant_id=own.grant_id, operator="张三", reason="停用"
        ),
    )
    await world.deliver("licence-2")
    assert await doors.outcomes() == ["sealed", "SEAL_USE_NOT_GRANTED"]
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 0
    licences = use_pb2.DOCUMENT_TYPE_LICENCE
    await doors.grant(
        grantee_kind=use_pb2.GRANTEE_KIND_SERVICE, grantee="certs", document_type=licences, service_item=""
    )
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 1
    assert await doors.outcomes() == ["sealed", "SEAL_USE_NOT_GRANTED", "sealed"]


async def test_waiting_licences_hold_up_no_others(doors: Doors):
    world = doors.world
    await doors.rules(quorum=1)
    for number in range(25):
        await world.deliver(f"licence-{number}", document_sha256=SHA256)
    seal = await world.seal_of(GUANGFENG)
    await world.change(seal.seal_id, SealStatus.SUSPENDED)
    await world.deliver("licence-last")
    world.clock.at += timedelta(minutes=1)
    await world.change(seal.seal_id, SealStatus.ACTIVE, second_person="李四")
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 0
    assert (await doors.outcomes())[25:] == ["SEAL_NOT_IN_USE", "SEAL_QUORUM_MISSING"], (
        "told why it waits now"
    )


async def test_a_days_limit_holds_under_parallel_callers_and_ends_at_midnight_in_china(doors: Doors):
    world = doors.world
    await doors.grant()
    await doors.rules(daily_limit=5)
    answers = await asyncio.gather(*(doors.seal() for _ in range(12)), return_exceptions=True)
    refused = [each for each in answers if isinstance(each, Fault)]
    assert len(refused) == 7
    assert {each.code for each in refused} == {"SEAL_LIMIT_REACHED"}
    fault = refused[0]
    assert (fault.kind, fault.metadata["budget"]) == (Kind.RESOURCE_EXHAUSTED, "seal_day")
    midnight = datetime(2026, 11, 22, 16, tzinfo=world.clock.at.tzinfo)
    assert fault.retry_after_seconds == pytest.approx((midnight - world.clock.at).total_seconds(), abs=1)
    assert sorted(await doors.outcomes()) == ["SEAL_LIMIT_REACHED"] * 7 + ["sealed"] * 5
    got = await doors.call("GetSealRules", use_pb2.GetSealRulesRequest(seal_id=doors.seal_id), OWN)
    assert (got.used_today, got.rules.daily_limit) == (5, 5)
    await world.deliver()
    assert (await doors.outcomes())[-1] == "SEAL_LIMIT_REACHED", "licences count as well"
    await keep_time(world)
    world.clock.at = midnight
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 1
    await doors.seal()
    assert await ledger_holds(world)


async def test_licences_that_wait_for_a_limit_are_sealed_as_it_frees_and_entered_no_further(doors: Doors):
    world = doors.world
    await doors.rules(burst_limit=2)
    for number in range(7):
        await world.deliver(f"licence-{number}")
    assert (await doors.outcomes()).count("SEAL_LIMIT_REACHED") == 5
    for sealed in (2, 2, 1, 0):
        world.clock.at += timedelta(seconds=61)
        done = [
            await retry_refused(world.unit, world.cabinet, world.documents, world.clock) for _ in range(2)
        ]
        assert done == [sealed, 0]
    outcomes = await doors.outcomes()
    assert (outcomes.count("sealed"), outcomes.count("SEAL_LIMIT_REACHED")) == (7, 5)


async def test_a_burst_limit_refuses_and_says_when_again(doors: Doors):
    world = doors.world
    await doors.grant()
    await doors.rules(burst_limit=3)
    for _ in range(3):
        await doors.seal()
        world.clock.at += timedelta(seconds=10)
    fault = await refusal(doors.seal())
    assert (fault.code, fault.metadata["budget"], fault.retry_after_seconds) == (
        "SEAL_LIMIT_REACHED",
        "seal_minute",
        30.0,
    )
    world.clock.at += timedelta(seconds=30)
    await doors.seal()
