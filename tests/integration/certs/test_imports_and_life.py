"""Imports and the life of a licence together: of one licence, one version at most is in force at any time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.errors import Fault
from standards.identifiers import build_licence_identifier, parse_licence_identifier
from tests.integration.certs.conftest import BUSINESS, World
from tests.integration.certs.life_desk import Desk
from tests.integration.certs.test_sources import CANCEL, reasons, send
from tongban.certs.v1 import licence_life_pb2 as life

STANDING = """select count(*) from licence where status in ('valid', 'suspended')
 and lineage_id = (select lineage_id from licence where licence_id = $1)"""
STATED = {"": "", "cancelled": "注销"}


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


def version(identifier: str, number: int) -> str:
    found = parse_licence_identifier(identifier)
    while found.version < number:
        found = found.next_version()
    return str(found)


async def test_an_import_does_not_follow_on_a_licence_made_here(desk: Desk) -> None:
    made, _ = await desk.history(await desk.in_force(type_code=BUSINESS))
    row = desk.world.row(made.holders[0].id_number, ZZBS=version(made.identifier, 2))
    with desk.world.as_department():
        (refused,) = await send(desk.world, (0, row))
    assert reasons(refused) == [("ZZBS", "LICENCE_MADE_HERE")]
    assert await desk.status(made.licence_id) == "valid"


async def test_nor_on_one_that_waits_for_its_seal(desk: Desk) -> None:
    part_id = str(uuid.uuid4())
    waiting = await desk.issuing.approve(desk.world.citizen(), part_id, type_code=BUSINESS)
    made, _ = await desk.history(waiting)
    row = desk.world.row(made.holders[0].id_number, ZZBS=version(made.identifier, 2))
    with desk.world.as_department():
        (refused,) = await send(desk.world, (0, row))
    await desk.issuing.seal(waiting)
    assert reasons(refused) == [("ZZBS", "LICENCE_MADE_HERE")]
    assert await desk.status(waiting) == "valid"


async def test_a_licence_made_here_gets_a_serial_that_no_register_used(desk: Desk) -> None:
    first, _ = await desk.history(await desk.in_force(type_code=BUSINESS))
    parts = parse_licence_identifier(first.identifier)
    serial = f"{int(parts.serial) + 1:0{len(parts.serial)}d}"
    taken = build_licence_identifier(parts.type_code, parts.issuer, serial, 2)
    with desk.world.as_department():
        (stocked,) = await send(desk.world, (0, desk.world.row(desk.world.citizen(), ZZBS=taken)))
    second, _ = await desk.history(await desk.in_force(type_code=BUSINESS))
    assert stocked.licence_id
    assert int(parse_licence_identifier(second.identifier).serial) == int(parts.serial) + 2


async def test_a_version_that_waits_for_its_seal_takes_nobodys_place_in_an_import(desk: Desk) -> None:
    row = desk.world.row(desk.world.citizen())
    with desk.world.as_department():
        (stocked,) = await send(desk.world, (0, row))
    waiting = await desk.change(stocked.licence_id, face={"KZ_JYFW": "食品销售"})
    with desk.world.as_department():
        await send(desk.world, (0, row | {"KZ_ZS": "江西省上饶市广丰区永丰街道二号"}))
    assert await desk.status(stocked.licence_id) == "valid"
    await desk.issuing.seal(waiting)
    assert (await desk.status(stocked.licence_id), await desk.status(waiting)) == ("replaced", "valid")


async def test_a_seal_and_an_import_at_once_leave_one_version_in_force(desk: Desk) -> None:
    for _ in range(5):
        row = desk.world.row(desk.world.citizen())
        with desk.world.as_department():
            (stocked,) = await send(desk.world, (0, row))
        waiting = await desk.change(stocked.licence_id, face={"KZ_JYFW": "食品销售"})

        async def deliver(later: dict[str, str]) -> None:
            with desk.world.as_department():
                await send(desk.world, (0, later))

        await asyncio.gather(
            desk.issuing.seal(waiting),
            deliver(row | {"ZZBS": version(row["ZZBS"], 3)}),
        )
        assert await desk.world.count(STANDING, uuid.UUID(stocked.licence_id)) == 1


class Licence:
    """One licence of an own serial, that a register delivers and an issuer works on."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.row = desk, desk.world.row(desk.world.citizen())
        self.waiting: list[str] = []

    async def act(self, step: Sequence[Any]) -> None:
        name, *given = step
        await getattr(self, name)(*given)

    async def deliver(self, number: int, stated: str, content: str) -> None:
        row = self.row | {"ZZBS": version(self.row["ZZBS"], number), "KZ_JYFW": content}
        row |= {"ZZZT": STATED[stated]} if stated else {}
        with self.desk.world.as_department():
            await send(self.desk.world, (0, row))

    async def deliver_cancellation(self, number: int) -> None:
        with self.desk.world.as_department():
            await send(self.desk.world, (CANCEL, {"ZZBS": version(self.row["ZZBS"], number)}))

    async def change(self, content: str) -> None:
        for licence_id in await self.known():
            try:
                self.waiting.append(await self.desk.change(licence_id, face={"KZ_JYFW": content}))
            except Fault:
                continue

    async def renew(self, content: str) -> None:
        await self.change(content)
        await self.seal()

    async def order(self, act: int) -> None:
        for licence_id in await self.known():
            try:
                await self.desk.order(licence_id, act)
            except Fault:
                continue

    async def seal(self) -> None:
        for licence_id in self.waiting:
            await self.desk.issuing.seal(licence_id)
        self.waiting = []

    async def known(self) -> list[str]:
        """Return the versions that the registry has, the first at first."""
        stem = ".".join(self.row["ZZBS"].split(".")[:-2])
        query = "select licence_id from licence where identifier like $1 || '.%' order by serial_version"
        async with self.desk.world.database.transaction() as tx:
            return [str(row["licence_id"]) for row in await tx.fetch(query, stem)]

    async def in_force(self) -> int:
        """Return how many versions are in force; that no state of the database shows two is looked at often."""
        stem = ".".join(self.row["ZZBS"].split(".")[:-2])
        query = """select count(*) from licence
         where identifier like $1 || '.%' and status in ('valid', 'suspended')"""
        return await self.desk.world.count(query, stem)


VERSIONS, CONTENTS = st.integers(1, 4), st.sampled_from(["餐饮服务", "食品销售", "住宿"])
ORDERS = [
    life.LICENCE_ACT_SUSPEND,
    life.LICENCE_ACT_RESTORE,
    life.LICENCE_ACT_CANCEL,
    life.LICENCE_ACT_REVOKE,
]
STEPS = st.one_of(
    st.tuples(st.just("deliver"), VERSIONS, st.sampled_from(sorted(STATED)), CONTENTS),
    st.tuples(st.just("deliver_cancellation"), VERSIONS),
    st.tuples(st.just("change"), CONTENTS),
    st.tuples(st.just("renew"), CONTENTS),
    st.tuples(st.just("order"), st.sampled_from(ORDERS)),
    st.tuples(st.just("seal")),
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, min_size=2, max_size=10))
async def test_whatever_a_register_and_an_issuer_do_one_version_at_most_is_in_force(
    desk: Desk, steps: list[tuple[Any, ...]]
) -> None:
    licence = Licence(desk)
    await licence.act(("deliver", 1, "", "餐饮服务"))
    for step in steps:
        await licence.act(step)
        assert await licence.in_force() <= 1, step
