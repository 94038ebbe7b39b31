"""Orders about licences on a real PostgreSQL: now, ahead, from before; withdrawn, lapsed, refused."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from services.certs.domain.life.history import replay, state_at, status_as_of
from services.certs.domain.status import LicenceStatus
from tests.integration.certs.conftest import FIRE, MARKET, World
from tests.integration.certs.life_desk import Desk, decision, refused
from tests.integration.certs.recourse import Recourse, Said
from tongban.certs.v1 import licence_life_pb2 as life
from tongban.certs.v1 import licence_pb2 as pb


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


async def test_an_order_that_lies_ahead_is_carried_out_when_its_time_comes(desk: Desk):
    licence_id = await desk.in_force()
    world, began = desk.world, desk.world.clock()
    answer = await desk.order(licence_id, life.LICENCE_ACT_REVOKE, began + timedelta(days=3))
    assert answer.order.state == life.ORDER_STATE_WAITING
    await desk.sweep()
    assert await desk.status(licence_id) == "valid"
    world.clock.offset += timedelta(days=4)
    await desk.sweep()
    await desk.sweep()
    assert await desk.status(licence_id) == "revoked"
    licence, lines = await desk.history(licence_id)
    assert replay(lines) is licence.status is LicenceStatus.REVOKED
    day = timedelta(days=1)
    now = world.clock()
    assert state_at(lines, began + 2 * day, now) is LicenceStatus.VALID
    assert state_at(lines, began + 3 * day + timedelta(hours=1), now) is LicenceStatus.REVOKED
    assert state_at(lines, began + 3 * day + timedelta(hours=1), began) is LicenceStatus.VALID
    assert state_at(lines, began + 3 * day + timedelta(hours=1), began + day) is LicenceStatus.REVOKED


async def test_an_act_finds_what_time_has_brought_even_before_the_sweep(desk: Desk):
    licence_id = await desk.in_force()
    await desk.order(licence_id, life.LICENCE_ACT_SUSPEND, desk.world.clock() + timedelta(days=1))
    desk.world.clock.offset += timedelta(days=2)
    fault = await refused(desk.order(licence_id, life.LICENCE_ACT_SUSPEND))
    assert (fault.code, fault.metadata["status"]) == ("STATUS_CHANGE_NOT_ALLOWED", "suspended")
    await desk.order(licence_id, life.LICENCE_ACT_RESTORE)
    licence, lines = await desk.history(licence_id)
    assert replay(lines) is licence.status is LicenceStatus.VALID


async def test_an_order_can_be_taken_back_before_its_time_and_by_its_issuer_only(desk: Desk):
    licence_id = await desk.in_force()
    answer = await desk.order(licence_id, life.LICENCE_ACT_CANCEL, desk.world.clock() + timedelta(days=3))

    async def withdraw(by: str):
        request = life.WithdrawLicenceOrderRequest(
            request_id=str(uuid.uuid4()), order_id=answer.order.order_id, reason="决定撤回"
        )
        with desk.world.as_department(by):
            return await desk.rpc.WithdrawLicenceOrder(request, None)

    assert (await refused(withdraw(FIRE))).code == "ORDER_NOT_FOUND"
    assert (await withdraw(MARKET)).order.state == life.ORDER_STATE_WITHDRAWN
    assert (await refused(withdraw(MARKET))).code == "ORDER_SETTLED"
    desk.world.clock.offset += timedelta(days=4)
    await desk.sweep()
    assert await desk.status(licence_id) == "valid"


async def test_an_order_whose_licence_fell_meanwhile_lapses_with_its_reason(desk: Desk):
    licence_id = await desk.in_force()
    await desk.order(licence_id, life.LICENCE_ACT_FORFEIT, desk.world.clock() + timedelta(days=3))
    await desk.order(licence_id, life.LICENCE_ACT_CANCEL)
    desk.world.clock.offset += timedelta(days=4)
    await desk.sweep()
    with desk.world.as_department():
        shown = await desk.rpc.ListLicenceOrders(
            life.ListLicenceOrdersRequest(licence_id=licence_id, page_size=1), None
        )
        rest = await desk.rpc.ListLicenceOrders(
            life.ListLicenceOrdersRequest(licence_id=licence_id, page_token=shown.next_page_token), None
        )
    assert [each.state for each in (*shown.orders, *rest.orders)] == [
        life.ORDER_STATE_DONE,
        life.ORDER_STATE_LAPSED,
    ]
    assert rest.orders[0].cause == "STATUS_CHANGE_NOT_ALLOWED"


async def test_an_act_that_counts_from_before_is_kept_apart_from_when_it_was_learnt(desk: Desk):
    licence_id = await desk.in_force()
    began = desk.world.clock()
    desk.world.clock.offset += timedelta(days=10)
    await desk.order(licence_id, life.LICENCE_ACT_REVOKE, began + timedelta(days=2))
    licence, lines = await desk.history(licence_id)
    now, then = desk.world.clock(), began + timedelta(days=5)
    assert status_as_of(lines, licence.valid_until, then, now) is LicenceStatus.REVOKED
    assert status_as_of(lines, licence.valid_until, then, then) is LicenceStatus.VALID
    early = await refused(
        desk.order(await desk.in_force(), life.LICENCE_ACT_REVOKE, began - timedelta(days=9))
    )
    assert [each.reason.code for each in early.violations] == ["EFFECTIVE_BEFORE_ISSUE"]


async def test_neither_call_takes_a_moment_that_no_order_can_have(desk: Desk):
    licence_id = await desk.in_force()
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert (await refused(desk.order(licence_id, life.LICENCE_ACT_SUSPEND, end))).code == "INVALID_REQUEST"
    older = Recourse(desk.world, Said())
    for early in (datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)):
        change = older.change(licence_id, pb.LICENCE_STATUS_SUSPENDED, effective_at=early)
        fault = await refused(change)
        assert [each.reason.code for each in fault.violations] == ["EFFECTIVE_BEFORE_ISSUE"]


@pytest.mark.parametrize("act", [life.LICENCE_ACT_REVOKE, life.LICENCE_ACT_FORFEIT])
async def test_revoking_and_forfeiting_take_two_people(desk: Desk, act: int):
    licence_id = await desk.in_force()
    fault = await refused(desk.order(licence_id, act, decision=decision(second_person="")))
    assert [each.field_path for each in fault.violations] == ["decision.second_person"]
    await desk.order(licence_id, life.LICENCE_ACT_SUSPEND, decision=decision(second_person=""))


async def test_an_order_is_refused_to_others_and_under_an_old_etag_and_done_once(desk: Desk):
    licence_id = await desk.in_force()
    assert (
        await refused(desk.order(licence_id, life.LICENCE_ACT_SUSPEND, by=FIRE))
    ).code == "LICENCE_NOT_FOUND"
    assert (
        await refused(desk.order(licence_id, life.LICENCE_ACT_SUSPEND, etag='"1"'))
    ).code == "ETAG_MISMATCH"
    fault = await refused(desk.order(licence_id, life.LICENCE_ACT_CHANGE, etag=""))
    assert {each.field_path for each in fault.violations} == {"act", "etag"}
    again = {"request_id": str(uuid.uuid4()), "etag": await desk.etag(licence_id)}
    first = await desk.order(licence_id, life.LICENCE_ACT_SUSPEND, **again)
    assert await desk.order(licence_id, life.LICENCE_ACT_SUSPEND, **again) == first
    assert await desk.world.count("select count(*) from licence_order") == 1
