"""A case that renews or changes a licence results in its next version, not in a licence beside it."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from chassis.errors import Fault
from tests.integration.certs.conftest import FIRE, World
from tests.integration.certs.life_desk import Desk
from tongban.certs.v1 import licence_life_pb2 as life

FACE = {"KZ_JYZMC": "丰小玉大饭店", "KZ_JYCS": "广丰区永丰街道二号", "KZ_NOWHERE": "x"}


async def case(desk: Desk, holder: str, licence_id: str, operation: str = "renew", **changed: object) -> str:
    part_id = str(changed.pop("part_id", uuid.uuid4()))
    given = {"face": FACE, "operation": operation, "predecessor_id": licence_id}
    return await desk.issuing.approve(holder, part_id, **given | changed)


async def licence_of(desk: Desk, holder: str) -> str:
    licence_id = await desk.issuing.approve(holder, str(uuid.uuid4()))
    await desk.issuing.seal(licence_id)
    return licence_id


async def test_a_renewal_follows_the_licence_that_the_case_names_and_replaces_it_with_the_seal(world: World):
    desk, holder = Desk(world), world.citizen()
    first = await licence_of(desk, holder)
    part_id = str(uuid.uuid4())
    second = await case(desk, holder, first, part_id=part_id)
    assert await case(desk, holder, first, part_id=part_id) == second, "a part has one licence"
    before, after = await desk.row(first), await desk.row(second)
    assert (before["status"], after["status"]) == ("valid", "pending_seal")
    assert after["lineage_id"] == before["lineage_id"]
    assert (after["serial_version"], after["part_id"]) == (before["serial_version"] + 1, part_id)
    assert after["valid_until"].year == before["valid_until"].year + 5
    await desk.issuing.seal(second)
    assert (await desk.status(first), await desk.status(second)) == ("replaced", "valid")


async def test_a_change_keeps_the_term_and_what_the_case_does_not_speak_of(world: World):
    desk, holder = Desk(world), world.citizen()
    first = await licence_of(desk, holder)
    second = await case(desk, holder, first, "change")
    assert (await desk.row(second))["valid_until"] == (await desk.row(first))["valid_until"]
    licence, _ = await desk.history(second)
    assert dict(licence.face) == {
        "KZ_JYZMC": "丰小玉大饭店",
        "KZ_JYCS": "广丰区永丰街道二号",
        "KZ_ZTYT": "餐饮服务经营者",
    }


async def test_without_an_earlier_licence_to_follow_a_licence_of_its_own_is_made(world: World):
    desk, holder = Desk(world), world.citizen()
    first = await licence_of(desk, holder)
    others = await licence_of(desk, world.citizen())
    for named, changed in (
        ("", {}),
        ("nobody", {}),
        (str(uuid.uuid4()), {}),
        (others, {}),
        (first, {"operation": "issue"}),
        (first, {"issuer_code": FIRE}),
    ):
        made = await case(desk, holder, named, **{"operation": "renew"} | changed)
        assert (await desk.row(made))["serial_version"] == 1, (named, changed)
    world.clock.offset += timedelta(days=2_000)
    late = await case(desk, holder, first)
    assert (await desk.row(late))["serial_version"] == 1, "its term was over"


async def test_what_is_suspended_has_fallen_or_is_renewed_already_is_for_the_issuer_to_look_at(world: World):
    desk, holder = Desk(world), world.citizen()
    first = await licence_of(desk, holder)
    await case(desk, holder, first)
    with pytest.raises(Fault) as waits:
        await case(desk, holder, first)
    assert waits.value.code == "SUCCESSOR_WAITS"
    other = await licence_of(desk, holder)
    await desk.order(other, life.LICENCE_ACT_SUSPEND)
    with pytest.raises(Fault) as suspended:
        await case(desk, holder, other)
    assert suspended.value.code == "LICENCE_NOT_IN_FORCE"


async def test_of_several_holders_a_case_renews_for_all(world: World):
    desk, holder, partner = Desk(world), world.citizen(), world.citizen()
    first = await licence_of(desk, holder)
    both = [
        life.LicenceHolder(name="丰小玉", id_type_code="111", id_number=holder),
        life.LicenceHolder(name="丰大玉", id_type_code="111", id_number=partner),
    ]
    shared = await desk.change(first, holders=both)
    await desk.issuing.seal(shared)
    third = await case(desk, holder, shared)
    licence, _ = await desk.history(third)
    assert {each.id_number for each in licence.holders} == {holder, partner}
