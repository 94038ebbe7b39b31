"""Reliance and recall on a real PostgreSQL: who relied on what fell is told once and answers once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from chassis.errors import Fault
from services.certs.app.recourse import FROZEN, OVERDUE, UNANSWERED, WAITING, watchdog
from services.certs.domain.holder import Holder
from services.certs.domain.purpose import Basis, Purpose
from services.certs.domain.usage import Reader, Usage, UsageKind
from services.certs.rpc.confirmations import ConfirmationServicer
from services.certs.rpc.desk import new_id
from services.certs.usecases.reliance import recall_fallen
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World, purpose
from tests.integration.certs.evidence_room import evidence
from tests.integration.certs.recourse import Recourse, Said, anew, reason_of
from tests.integration.certs.test_use_codes import consume, issued
from tongban.certs.v1 import confirmation_pb2, evidence_pb2, reliance_pb2
from tongban.certs.v1 import licence_pb2 as pb

FELL = "certs.RelianceFell.v1"


@pytest.fixture
def recourse(world: World) -> Recourse:
    return Recourse(world, Said())


async def acknowledge(
    recourse: Recourse, flag: reliance_pb2.FallenReliance, department: str = MARKET, **changed
):
    fields = {
        "request_id": anew(),
        "flag_id": flag.flag_id,
        "etag": flag.etag,
        "outcome": reliance_pb2.RELIANCE_OUTCOME_REOPENED,
        "operator": "36110301Z1",
    } | changed
    with recourse.world.as_department(department):
        request = reliance_pb2.AcknowledgeRelianceRequest(**fields)
        return (await recourse.reliance.AcknowledgeReliance(request, None)).reliance


async def test_each_department_is_told_once_of_its_case_and_sees_no_other(world: World, recourse: Recourse):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await consume(world, await issued(world, licence_id, holder))
    await recourse.read(licence_id, MARKET, "case-1")
    await recourse.read(licence_id, FIRE, "case-2")
    await recourse.change(licence_id, pb.LICENCE_STATUS_SUSPENDED)
    await recourse.recall()
    await recourse.recall()
    told = await world.events(FELL)
    assert {(each["consumer_code"], each["case_id"], each["cause"]) for each in told} == {
        (MARKET, "case-1", "suspended"),
        (FIRE, "case-2", "suspended"),
    }
    assert len(told) == 2
    ids = {
        "flag_id",
        "licence_id",
        "consumer_code",
        "case_id",
        "cause",
        "effective_at",
        "fell_at",
        "_version",
    }
    assert all(set(each) == ids for each in told)
    (mine,), (theirs,) = await recourse.fallen(), await recourse.fallen(FIRE)
    assert (mine.case_id, theirs.case_id) == ("case-1", "case-2")
    assert mine.cause == reliance_pb2.FALL_CAUSE_SUSPENDED
    assert list(mine.item_codes) == ["item-1"]
    assert mine.relied_version < mine.fall_version
    assert await recourse.fallen(case_id="case-2") == []


async def test_the_same_act_twice_and_recalls_at_the_same_time_tell_once(world: World, recourse: Recourse):
    licence_id = await world.stock_licence(world.citizen())
    for n in range(3):
        await recourse.read(licence_id, FIRE, f"case-{n}")
    request_id = anew()
    version = await world.count("select version from licence")
    await recourse.change(licence_id, pb.LICENCE_STATUS_CANCELLED, request_id)
    repeat = pb.ChangeLicenceStatusRequest(
        request_id=request_id,
        licence_id=licence_id,
        etag=f'"{version}"',
        status=pb.LICENCE_STATUS_CANCELLED,
        reason="监督检查发现问题",
        basis_document="饶广市监决字〔2026〕1号",
        operator="36110301Z1",
        second_person="36110302Z1",
    )
    with world.as_department():
        await world.licences.ChangeLicenceStatus(repeat, None)
    await asyncio.gather(*(recourse.recall() for _ in range(4)))
    assert len(await world.events(FELL)) == 3
    assert await world.count("select count(*) from licence_fall") == 1


async def dying_recall(world: World) -> None:
    async with world.database.transaction() as tx:
        await recall_fallen(world.desk.registry_of(tx), new_id, world.clock())
        raise RuntimeError("died")


async def test_a_recall_that_dies_before_its_commit_has_told_nobody_and_the_next_tells_all(
    world: World, recourse: Recourse
):
    licence_id = await world.stock_licence(world.citizen())
    for n in range(5):
        await recourse.read(licence_id, FIRE, f"case-{n}")
    await recourse.change(licence_id, pb.LICENCE_STATUS_FORFEITED)
    with pytest.raises(RuntimeError, match="died"):
        await dying_recall(world)
    assert await world.events(FELL) == []
    for _ in range(4):  # two at a time, as a fall that touches many is told in steps
        async with world.database.transaction() as tx:
            await recall_fallen(world.desk.registry_of(tx), new_id, world.clock(), pairs_at_once=2)
    assert sorted(each["case_id"] for each in await world.events(FELL)) == [f"case-{n}" for n in range(5)]
    assert await world.count("select count(*) from licence_fall where spread_at is null") == 0


async def test_content_that_a_source_corrects_is_told_and_the_same_row_again_is_not(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (made,) = await world.import_rows(row)
    await recourse.read(made.licence_id, FIRE, "case-1")
    for _ in range(2):
        with world.as_department():
            await world.import_rows(row | {"KZ_JYFW": "餐饮服务、食品销售"})
        await recourse.recall()
    (flag,) = await recourse.fallen(FIRE)
    assert flag.cause == reliance_pb2.FALL_CAUSE_CORRECTED
    assert len(await world.events(FELL)) == 1


async def test_a_version_that_another_replaces_is_told_and_what_nobody_relied_on_is_not(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await world.stock_licence(world.citizen())
    await recourse.read(licence_id, FIRE, "case-1")
    await recourse.change(licence_id, pb.LICENCE_STATUS_SUSPENDED)
    await recourse.change(licence_id, pb.LICENCE_STATUS_VALID)
    await recourse.change(licence_id, pb.LICENCE_STATUS_REVOKED)
    await recourse.recall()
    causes = [flag.cause for flag in await recourse.fallen(FIRE)]
    assert sorted(causes) == [reliance_pb2.FALL_CAUSE_SUSPENDED, reliance_pb2.FALL_CAUSE_REVOKED]


async def test_a_reliance_that_is_recorded_after_the_fall_it_did_not_see_is_told_of_it(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await recourse.read(licence_id, FIRE, "case-1")
    await recourse.change(licence_id, pb.LICENCE_STATUS_REVOKED)
    await recourse.recall()
    late = Usage(
        new_id(),
        UsageKind.READ,
        Reader(MARKET, "市场监督管理局", True),
        Purpose("核验", Basis.STATUTORY_DUTY, "item-1", "case-9"),
        world.clock(),
        licence_id=licence_id,
        holder=Holder("111", holder),
        version_read=1,
    )
    after = replace(late, usage_id=new_id(), purpose=replace(late.purpose, case_id="case-10"), version_read=0)
    async with world.database.transaction() as tx:
        await world.desk.registry_of(tx).usages.add([late, after])
    await recourse.recall()
    assert {each["case_id"] for each in await world.events(FELL)} == {"case-1", "case-9"}


async def test_a_refused_use_is_no_reliance_and_the_record_cannot_be_changed(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    code = await issued(world, licence_id, holder)
    assert await reason_of(consume(world, code, FIRE)) == "USE_CODE_WRONG_CONSUMER"
    assert await world.count("select count(*) from reliance") == 0
    await consume(world, code)
    assert await world.count("select count(*) from reliance where content_digest is not null") == 1
    for statement in ("update reliance set case_id = 'x'", "delete from reliance"):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            async with world.database.transaction() as tx:
                await tx.execute(statement)


async def test_a_flag_is_answered_by_its_department_once_and_a_reopened_case_is_not_told_again(
    world: World, recourse: Recourse
):
    licence_id = await world.stock_licence(world.citizen())
    await recourse.read(licence_id, FIRE, "case-1")
    await recourse.read(licence_id, MARKET, "case-2")
    await recourse.change(licence_id, pb.LICENCE_STATUS_REVOKED)
    await recourse.recall()
    (flag,), (kept,) = await recourse.fallen(FIRE), await recourse.fallen(MARKET)
    assert await reason_of(acknowledge(recourse, flag, MARKET)) == "RELIANCE_NOT_FOUND"
    assert await reason_of(acknowledge(recourse, flag, FIRE, flag_id="nonsense")) == "RELIANCE_NOT_FOUND"
    assert await reason_of(acknowledge(recourse, flag, FIRE, etag='"9"')) == "ETAG_MISMATCH"
    request_id = anew()
    done = await acknowledge(recourse, flag, FIRE, request_id=request_id)
    assert done == await acknowledge(recourse, flag, FIRE, request_id=request_id)
    assert await reason_of(acknowledge(recourse, done, FIRE)) == "RELIANCE_ANSWERED"
    keeping = {"outcome": reliance_pb2.RELIANCE_OUTCOME_KEPT}
    assert await reason_of(acknowledge(recourse, kept, **keeping)) == "INVALID_REQUEST"
    await acknowledge(recourse, kept, reason="许可条件仍由其他材料证明", **keeping)
    assert await recourse.fallen(FIRE, open_only=True) == []
    await recourse.change(licence_id, pb.LICENCE_STATUS_CANCELLED)
    await recourse.recall()
    assert len(await recourse.fallen(FIRE)) == 1
    assert [each.cause for each in await recourse.fallen(MARKET, open_only=True)] == [
        reliance_pb2.FALL_CAUSE_CANCELLED
    ]
    assert await world.count("select count(*) from log_queue where kind = 'reliance'") == 5


async def test_an_issuer_sees_who_relied_and_nobody_else_does(world: World, recourse: Recourse):
    licence_id = await world.stock_licence(world.citizen())
    for case in ("case-1", "case-2"):
        await recourse.read(licence_id, FIRE, case)
    request = reliance_pb2.CountReliancesRequest(licence_id=licence_id)
    with world.as_department():
        (found,) = (await recourse.reliance.CountReliances(request, None)).departments
    assert (found.consumer_code, found.cases, found.unanswered) == (FIRE, 2, 0)
    with world.as_department(FIRE):
        assert await reason_of(recourse.reliance.CountReliances(request, None)) == "LICENCE_NOT_FOUND"


async def test_the_flags_come_in_pages_and_an_altered_one_is_told(world: World, recourse: Recourse):
    licence_id = await world.stock_licence(world.citizen())
    for n in range(5):
        await recourse.read(licence_id, FIRE, f"case-{n}")
    await recourse.change(licence_id, pb.LICENCE_STATUS_REVOKED)
    await recourse.recall()
    seen, token = [], ""
    while True:
        with world.as_department(FIRE):
            asked = reliance_pb2.ListFallenReliancesRequest(page_size=2, page_token=token)
            page = await recourse.reliance.ListFallenReliances(asked, None)
        seen += [each.case_id for each in page.reliances]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == [f"case-{n}" for n in range(5)]
    async with world.database.transaction() as tx:
        await tx.execute("update reliance_flag set outcome = 'no_effect' where case_id = 'case-3'")
    with pytest.raises(Fault) as told:
        await recourse.fallen(FIRE)
    assert told.value.code == "ROW_ALTERED"


async def test_a_flag_left_unanswered_past_its_days_and_a_dispute_past_its_last_day_are_measured(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await recourse.read(licence_id, FIRE, "case-1")
    await recourse.change(licence_id, pb.LICENCE_STATUS_SUSPENDED)
    measure = watchdog(world.clock, timedelta(days=15))

    async def measured() -> tuple[float, ...]:
        async with world.database.transaction() as tx:
            await measure(tx)
        return tuple(each._value.get() for each in (WAITING, UNANSWERED, OVERDUE, FROZEN))

    assert await measured() == (1, 0, 0, 0)
    await recourse.recall()
    await recourse.freeze(await recourse.open(licence_id, holder))
    assert await measured() == (0, 0, 0, 1)
    world.clock.offset += timedelta(days=40)
    assert await measured() == (0, 1, 1, 1)
    (flag,) = await recourse.fallen(FIRE)
    await acknowledge(recourse, flag, FIRE)
    assert await measured() == (0, 0, 1, 1)


async def reliances(world: World) -> set[str]:
    async with world.database.transaction() as tx:
        return {row["case_id"] for row in await tx.fetch("select case_id from reliance")}


async def test_a_case_relies_on_a_licence_that_states_what_was_asked_and_not_on_those_that_do_not(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    for case_id, scope in (("case-yes", "个体工商户"), ("case-no", "有限责任公司")):
        request = confirmation_pb2.ConfirmFaceRequest(
            holder_id_type_code="111",
            holder_id_number=holder,
            type_code=BUSINESS,
            face={"KZ_LX": scope},
            purpose=purpose(case_id=case_id),
        )
        with world.as_department(FIRE):
            answer = await ConfirmationServicer(world.desk).ConfirmFace(request, None)
        assert answer.confirmed == (case_id == "case-yes")
    assert await world.count("select count(*) from usage where kind = 'answer'") == 2
    assert await reliances(world) == {"case-yes"}
    await recourse.change(licence_id, pb.LICENCE_STATUS_REVOKED)
    await recourse.recall()
    assert [flag.case_id for flag in await recourse.fallen(FIRE)] == ["case-yes"]


async def test_a_case_relies_on_a_signed_yes_and_on_a_signed_no_but_not_on_an_unknown(
    world: World, recourse: Recourse
):
    licence_id = await world.stock_licence(world.citizen())
    for case_id, name, scope, verdict in (
        ("case-yes", "KZ_JYFW", "餐饮", "YES"),
        ("case-no", "KZ_JYFW", "烟草", "NO"),
        ("case-unknown", "KZ_NONE", "餐饮", "UNKNOWN"),
    ):
        covers = evidence_pb2.Covers(field=name, operator="PREDICATE_OPERATOR_CONTAINS", values=[scope])
        request = evidence_pb2.AnswerPredicateRequest(
            query=evidence_pb2.LicenceQuery(licence_id=licence_id),
            predicates=[evidence_pb2.Predicate(covers=covers)],
            purpose=purpose(case_id=case_id),
        )
        with world.as_department(FIRE):
            answer = await evidence(world).AnswerPredicate(request, None)
        assert evidence_pb2.PredicateVerdict.Name(answer.verdict) == f"PREDICATE_VERDICT_{verdict}"
    assert await world.count("select count(*) from usage where kind = 'answer'") == 3
    assert await reliances(world) == {"case-yes", "case-no"}
    await recourse.change(licence_id, pb.LICENCE_STATUS_REVOKED)
    await recourse.recall()
    assert {flag.case_id for flag in await recourse.fallen(FIRE)} == {"case-yes", "case-no"}
