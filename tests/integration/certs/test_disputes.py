"""Disputes on a real PostgreSQL: opened by holders, handled by issuers, and what a freeze refuses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chassis.errors import Fault
from services.certs.domain.dispute import FreezeRule
from services.certs.rpc.confirmations import ConfirmationServicer
from standards.identifiers import build_licence_identifier, parse_licence_identifier
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World, purpose
from tests.integration.certs.evidence_room import offline
from tests.integration.certs.life_desk import Desk
from tests.integration.certs.recourse import (
    DEADLINES,
    GROUNDS,
    STATEMENT,
    Recourse,
    Said,
    anew,
    reason_of,
)
from tests.integration.certs.test_use_codes import consume, issued, uses
from tongban.certs.v1 import confirmation_pb2, licence_pb2, presentation_pb2
from tongban.certs.v1 import dispute_pb2 as pb


@pytest.fixture
def recourse(world: World) -> Recourse:
    return Recourse(world, Said())


async def listed(recourse: Recourse, department: str = MARKET, **asked: Any) -> list[pb.Dispute]:
    with recourse.world.as_department(department):
        request = pb.ListDisputesRequest(**asked)
        return list((await recourse.disputes.ListDisputes(request, None)).disputes)


async def got(recourse: Recourse, dispute_id: str, department: str = MARKET) -> pb.GetDisputeResponse:
    with recourse.world.as_department(department):
        return await recourse.disputes.GetDispute(pb.GetDisputeRequest(dispute_id=dispute_id), None)


async def decided(recourse: Recourse, dispute: pb.Dispute, *, upheld: bool, **changed: Any) -> pb.Dispute:
    fields = {
        "request_id": anew(),
        "dispute_id": dispute.dispute_id,
        "etag": dispute.etag,
        "upheld": upheld,
        "grounds": GROUNDS,
    } | changed
    with recourse.world.as_department():
        return (await recourse.disputes.DecideDispute(pb.DecideDisputeRequest(**fields), None)).dispute


async def test_a_holder_disputes_a_content_and_its_issuer_alone_is_told_and_reads_the_statement(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    dispute = await recourse.open(licence_id, holder)
    assert (dispute.state, dispute.issuer_code) == (pb.DISPUTE_STATE_OPENED, MARKET)
    due = DEADLINES.due(world.clock(), None)  # type: ignore[arg-type]
    assert dispute.due_date == (due.isoformat() if due else "")
    (event,) = await world.events("certs.DisputeOpened.v1")
    assert set(event) == {"dispute_id", "licence_id", "kind", "issuer_code", "opened_at", "_version"}
    assert [each.statement for each in await listed(recourse)] == [""]
    assert await listed(recourse, FIRE) == []
    assert (await got(recourse, dispute.dispute_id)).dispute.statement == STATEMENT
    assert await reason_of(got(recourse, dispute.dispute_id, FIRE)) == "DISPUTE_NOT_FOUND"
    assert await reason_of(recourse.freeze(dispute, FIRE)) == "DISPUTE_NOT_FOUND"
    plain = "select count(*) from dispute where position($1::bytea in statement) > 0"
    assert await world.count(plain, "丰晓钰".encode()) == 0
    assert await world.count("select count(*) from log_queue where leaf::text like '%19900000000%'") == 0
    assert await world.count("select count(*) from log_queue where kind = 'dispute'") == 1


async def test_a_dispute_goes_from_its_opening_over_a_check_to_a_decision_with_reasons(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    dispute = await recourse.open(licence_id, holder)
    start = {"request_id": anew(), "dispute_id": dispute.dispute_id, "etag": dispute.etag, "operator": "z1"}
    with world.as_department():
        request = pb.StartDisputeCheckRequest(**start)
        checking = (await recourse.disputes.StartDisputeCheck(request, None)).dispute
        assert checking == (await recourse.disputes.StartDisputeCheck(request, None)).dispute
    assert checking.state == pb.DISPUTE_STATE_CHECKING
    assert await reason_of(decided(recourse, checking, upheld=False, grounds=None)) == "INVALID_REQUEST"
    assert await reason_of(decided(recourse, dispute, upheld=False)) == "ETAG_MISMATCH"
    done = await decided(recourse, checking, upheld=False)
    assert (done.state, done.reason) == (pb.DISPUTE_STATE_REJECTED, GROUNDS.reason)
    assert await reason_of(decided(recourse, done, upheld=True)) == "DISPUTE_NOT_OPEN"
    assert [each.act for each in (await got(recourse, dispute.dispute_id)).steps] == [
        "open",
        "start",
        "reject",
    ]
    (event,) = await world.events("certs.DisputeDecided.v1")
    assert (event["state"], event["_version"]) == ("rejected", 2)
    assert await listed(recourse, open_only=True) == []
    with world.as_intake():
        asked = pb.ListHolderDisputesRequest(holder_id_type_code="111", holder_id_number=holder)
        (seen,) = (await recourse.disputes.ListHolderDisputes(asked, None)).disputes
    assert (seen.state, seen.legal_basis) == (pb.DISPUTE_STATE_REJECTED, GROUNDS.legal_basis)


async def test_nobody_disputes_the_licence_or_the_use_of_another(world: World, recourse: Recourse):
    holder, stranger = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    usage_id = (await consume(world, await issued(world, licence_id, holder))).usage_id
    other = await world.stock_licence(stranger)
    using = {"kind": pb.DISPUTE_KIND_USE, "usage_id": usage_id}
    assert await reason_of(recourse.open(licence_id, stranger)) == "LICENCE_NOT_FOUND"
    assert await reason_of(recourse.open(other, stranger, **using)) == "USE_NOT_FOUND"
    dispute = await recourse.open(licence_id, holder)
    withdrawal = pb.WithdrawDisputeRequest(
        request_id=anew(),
        holder_id_type_code="111",
        holder_id_number=stranger,
        dispute_id=dispute.dispute_id,
        etag=dispute.etag,
    )
    with world.as_intake():
        assert await reason_of(recourse.disputes.WithdrawDispute(withdrawal, None)) == "DISPUTE_NOT_FOUND"
        withdrawal.holder_id_number, withdrawal.request_id = holder, anew()
        withdrawn = (await recourse.disputes.WithdrawDispute(withdrawal, None)).dispute
    assert withdrawn.state == pb.DISPUTE_STATE_WITHDRAWN


async def test_the_same_is_disputed_once_at_a_time_however_many_ask_at_once(world: World, recourse: Recourse):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    calls = (recourse.open(licence_id, holder) for _ in range(10))
    results = await asyncio.gather(*calls, return_exceptions=True)
    refused = [each for each in results if isinstance(each, Fault)]
    assert len(refused) == 9
    assert {each.code for each in refused} == {"DISPUTE_OPEN_ALREADY"}
    (first,) = await listed(recourse)
    await decided(recourse, first, upheld=False)
    await recourse.open(licence_id, holder)
    assert len(await world.events("certs.DisputeOpened.v1")) == 2


async def test_while_frozen_every_use_is_refused_and_recorded_and_afterwards_goes_on(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    code = await issued(world, licence_id, holder)
    dispute = await recourse.freeze(await recourse.open(licence_id, holder))
    assert dispute.HasField("frozen_at")
    assert await reason_of(consume(world, code)) == "LICENCE_IN_DISPUTE"
    assert await reason_of(recourse.read(licence_id, FIRE, "case-2")) == "LICENCE_IN_DISPUTE"
    assert (await recourse.read(licence_id, MARKET, "case-3")).status == licence_pb2.LICENCE_STATUS_VALID
    with world.as_department(FIRE):
        find = licence_pb2.FindLicencesRequest(
            holder_id_type_code="111", holder_id_number=holder, purpose=purpose()
        )
        assert len((await world.licences.FindLicences(find, None)).licences) == 1
    refused = [use for use in (await uses(world, holder)).uses if use.outcome == "LICENCE_IN_DISPUTE"]
    assert [use.consumer_code for use in refused].count(FIRE) == 1
    assert [use.consumer_code for use in refused].count(MARKET) == 1
    assert await world.count("select uses_left from use_code") == 1
    assert await reason_of(recourse.freeze(dispute)) == "DISPUTE_NOT_OPEN"
    with world.as_department():
        lift = pb.UnfreezeLicenceUseRequest(
            request_id=anew(), dispute_id=dispute.dispute_id, etag=dispute.etag, grounds=GROUNDS
        )
        lifted = (await recourse.disputes.UnfreezeLicenceUse(lift, None)).dispute
    assert not lifted.HasField("frozen_at")
    assert (await consume(world, code)).usage_id


@pytest.mark.parametrize("disputed", ["original", "copy", "before the copy"])
async def test_what_is_frozen_is_not_used_by_its_attached_copy_or_its_original(
    world: World, recourse: Recourse, disputed: str
):
    desk, holder = Desk(world), world.citizen()
    original = await sealed(desk, await desk.issuing.approve(holder, anew()))
    if disputed == "before the copy":
        dispute = await recourse.freeze(await recourse.open(original, holder))
        copied = await sealed(desk, await desk.copy(original))
    else:
        copied = await sealed(desk, await desk.copy(original))
        about = original if disputed == "original" else copied
        dispute = await recourse.freeze(await recourse.open(about, holder))
    for each in (original, copied):
        assert await reason_of(recourse.read(each, FIRE, "case-1")) == "LICENCE_IN_DISPUTE"
        coded = issued(world, each, holder, face_fields=["KZ_JYZMC"])
        assert await reason_of(coded) == "LICENCE_IN_DISPUTE"
        assert (await recourse.status_at(each)).in_dispute
    with world.as_department(FIRE):
        find = licence_pb2.FindLicencesRequest(
            holder_id_type_code="111", holder_id_number=holder, purpose=purpose()
        )
        found = (await world.licences.FindLicences(find, None)).licences
    assert [dict(each.face) for each in found] == [{}, {}]
    assert await world.count("select count(distinct licence_id) from log_queue where kind = 'dispute'") == 2
    await decided(recourse, dispute, upheld=False)
    for each in (original, copied):
        assert (await recourse.read(each, FIRE, "case-1")).licence_id == each


async def test_a_changed_licence_stays_frozen_until_the_issuer_lifts_it(world: World, recourse: Recourse):
    desk, holder = Desk(world), world.citizen()
    earlier = await sealed(desk, await desk.issuing.approve(holder, anew()))
    dispute = await recourse.freeze(await recourse.open(earlier, holder))
    changed = await sealed(desk, await desk.change(earlier))
    for each in (earlier, changed):
        assert await reason_of(recourse.read(each, FIRE, "case-1")) == "LICENCE_IN_DISPUTE"
    coded = issued(world, changed, holder, face_fields=["KZ_JYZMC"])
    assert await reason_of(coded) == "LICENCE_IN_DISPUTE"
    with world.as_department():
        lift = pb.UnfreezeLicenceUseRequest(
            request_id=anew(), dispute_id=dispute.dispute_id, etag=dispute.etag, grounds=GROUNDS
        )
        await recourse.disputes.UnfreezeLicenceUse(lift, None)
    assert (await recourse.read(changed, FIRE, "case-1")).licence_id == changed


async def test_a_version_that_a_register_sends_is_frozen_like_the_one_before(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (first,) = await world.import_rows(row)
        await recourse.freeze(await recourse.open(first.licence_id, holder))
    parts = parse_licence_identifier(row["ZZBS"])
    later = build_licence_identifier(parts.type_code, parts.issuer, parts.serial, parts.version + 1)
    with world.as_department():
        (second,) = await world.import_rows(row | {"ZZBS": later})
    for each in (first.licence_id, second.licence_id):
        assert await reason_of(recourse.read(each, FIRE, "case-1")) == "LICENCE_IN_DISPUTE"


async def sealed(desk: Desk, licence_id: str) -> str:
    await desk.issuing.seal(licence_id)
    return licence_id


async def test_a_disputed_use_freezes_that_department_alone_until_it_is_rejected(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await recourse.read(licence_id, FIRE, "case-2")
    (used,) = (await uses(world, holder)).uses
    using = {"kind": pb.DISPUTE_KIND_USE, "usage_id": used.usage_id}
    dispute = await recourse.freeze(await recourse.open(licence_id, holder, **using))
    assert dispute.consumer_code == FIRE
    assert await reason_of(recourse.read(licence_id, FIRE, "case-2")) == "LICENCE_IN_DISPUTE"
    assert (await consume(world, await issued(world, licence_id, holder))).usage_id
    await decided(recourse, dispute, upheld=False)
    assert (await recourse.read(licence_id, FIRE, "case-2")).licence_id == licence_id


async def test_an_upheld_dispute_stays_frozen_until_the_issuer_has_set_it_right(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    dispute = await recourse.freeze(await recourse.open(licence_id, holder))
    done = await decided(recourse, dispute, upheld=True)
    assert (done.state, done.HasField("frozen_at")) == (pb.DISPUTE_STATE_UPHELD, True)
    assert await reason_of(recourse.read(licence_id, FIRE, "case-2")) == "LICENCE_IN_DISPUTE"
    assert [each.dispute_id for each in await listed(recourse, open_only=True)] == [dispute.dispute_id]


async def test_where_the_registrys_rule_says_so_a_dispute_freezes_as_it_is_opened(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    dispute = await recourse.open(licence_id, holder, servicer=recourse.disputes_with(FreezeRule.ALL))
    assert dispute.HasField("frozen_at")
    assert await reason_of(recourse.read(licence_id, FIRE, "case-2")) == "LICENCE_IN_DISPUTE"
    steps = (await got(recourse, dispute.dispute_id)).steps
    assert [(each.act, each.done_by) for each in steps] == [("open", "holder"), ("freeze", "service/certs")]


async def test_a_freeze_altered_in_the_database_is_told_and_a_dispute_cannot_be_deleted(
    world: World, recourse: Recourse
):
    import asyncpg

    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await recourse.freeze(await recourse.open(licence_id, holder))
    async with world.database.transaction() as tx:
        await tx.execute("update dispute set consumer_code = 'nobody'")
    assert await reason_of(recourse.read(licence_id, FIRE, "case-2")) == "ROW_ALTERED"
    for statement in (
        "delete from dispute_step",
        "update dispute_step set reason = 'x'",
        "delete from dispute",
    ):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            async with world.database.transaction() as tx:
                await tx.execute(statement)


async def test_incomplete_disputes_name_every_wrong_field(world: World, recourse: Recourse):
    with pytest.raises(Fault) as refused:
        await recourse.open("", world.citizen(), kind=0, statement=" ")
    assert {each.field_path for each in refused.value.violations} == {"licence_id", "kind", "statement"}


async def test_no_code_no_showing_and_no_answer_is_had_of_a_frozen_licence(world: World, recourse: Recourse):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await recourse.freeze(await recourse.open(licence_id, holder))
    assert await reason_of(issued(world, licence_id, holder)) == "LICENCE_IN_DISPUTE"
    showing = presentation_pb2.CreatePresentationRequest(
        request_id=anew(), licence_id=licence_id, holder_id_type_code="111", holder_id_number=holder
    )
    confirming = confirmation_pb2.ConfirmFaceRequest(
        holder_id_type_code="111",
        holder_id_number=holder,
        type_code=BUSINESS,
        face={"KZ_LX": "个体工商户"},
        purpose=purpose(),
    )
    with world.as_intake():
        presenting = world.presentations.CreatePresentation(showing, None)
        assert await reason_of(presenting) == "LICENCE_IN_DISPUTE"
        confirmed = ConfirmationServicer(world.desk).ConfirmFace(confirming, None)
        assert await reason_of(confirmed) == "LICENCE_IN_DISPUTE"
    assert await world.count("select count(*) from usage where outcome = 'LICENCE_IN_DISPUTE'") == 3


async def test_a_former_holder_disputes_a_use_of_his_own_time_and_freezes_nothing(
    world: World, recourse: Recourse
):
    former, present = world.citizen(), world.citizen()
    row = world.row(former)
    with world.as_department():
        (stored,) = await world.import_rows(row)
    licence_id = stored.licence_id
    used = (await consume(world, await issued(world, licence_id, former))).usage_id
    with world.as_department():
        (corrected,) = await world.import_rows(row | {"CZZTDM": present})
    assert corrected.licence_id == licence_id
    later = (await consume(world, await issued(world, licence_id, present))).usage_id
    use = pb.DISPUTE_KIND_USE
    assert await reason_of(recourse.open(licence_id, former)) == "LICENCE_NOT_FOUND"
    assert await reason_of(recourse.open(licence_id, former, kind=use, usage_id=later)) == "LICENCE_NOT_FOUND"
    dispute = await recourse.open(
        licence_id, former, kind=use, usage_id=used, servicer=recourse.disputes_with(FreezeRule.ALL)
    )
    assert (dispute.consumer_code, dispute.HasField("frozen_at")) == (MARKET, False)


async def test_a_frozen_use_of_a_service_of_ours_leaves_the_holder_his_own_showing(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await offline(world, licence_id, holder)
    (shown,) = (await uses(world, holder)).uses
    using = {"kind": pb.DISPUTE_KIND_USE, "usage_id": shown.usage_id}
    dispute = await recourse.freeze(await recourse.open(licence_id, holder, **using))
    assert dispute.consumer_code == "service/intake"
    assert (await offline(world, licence_id, holder)).qr_text
