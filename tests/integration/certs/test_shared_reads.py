"""Look-ups that share their statements: each gets its own answer, each is recorded, none without its record."""

from __future__ import annotations

import asyncio

from chassis.errors import Fault
from tests.integration.certs.conftest import BUSINESS, ID_CARD, World, purpose
from tests.integration.certs.test_use_codes import uses
from tongban.certs.v1 import licence_pb2 as pb

CALLERS = 20
REFUSING = """
create function full_up() returns trigger language plpgsql as $$
begin raise exception 'quota' using errcode = 'disk_full'; end $$;
create trigger full_up before insert on {table} for each row execute function full_up()
"""


def request(holder: str, *type_codes: str, case_id: str = "case-1") -> pb.FindLicencesRequest:
    return pb.FindLicencesRequest(
        holder_id_type_code="111",
        holder_id_number=holder,
        type_codes=type_codes,
        purpose=purpose(case_id=case_id),
    )


async def looked_up(world: World, *requests: pb.FindLicencesRequest) -> list[object]:
    """Return what all of them are answered, asked at the same time."""
    with world.as_department():
        return await asyncio.gather(
            *(world.licences.FindLicences(each, None) for each in requests), return_exceptions=True
        )


async def test_look_ups_at_the_same_time_get_each_its_own_licences_and_one_record(world: World) -> None:
    holders = [world.citizen() for _ in range(CALLERS)]
    with world.as_department():
        await world.import_rows(*(world.row(holder) for holder in holders for _ in range(2)))
    stranger = world.citizen()
    answers = await looked_up(
        world, *(request(each, case_id=f"case-{n}") for n, each in enumerate([*holders, stranger]))
    )
    found = [[licence.licence_id for licence in answer.licences] for answer in answers]  # type: ignore[attr-defined]
    assert [len(each) for each in found] == [2] * CALLERS + [0]
    for number, holder in enumerate(holders):
        recorded = (await uses(world, holder)).uses
        assert {use.licence_id for use in recorded} == set(found[number])
        assert [use.case_id for use in recorded] == [f"case-{number}"] * 2
    assert await world.count("select count(*) from usage") == 2 * CALLERS + 1


async def test_each_look_up_of_a_round_has_its_own_types(world: World) -> None:
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    answers = await looked_up(
        world,
        request(holder),
        request(holder, BUSINESS),
        request(holder, ID_CARD, BUSINESS),
        request(holder, ID_CARD),
        request(holder, 'x", "y'),
    )
    assert [[licence.licence_id for licence in answer.licences] for answer in answers] == [  # type: ignore[attr-defined]
        [licence_id],
        [licence_id],
        [licence_id],
        [],
        [],
    ]


async def test_nobody_is_answered_when_the_round_cannot_be_recorded(world: World) -> None:
    for table in ("log_queue", "usage"):
        holders = [world.citizen() for _ in range(CALLERS)]
        for holder in holders[:3]:
            await world.stock_licence(holder)
        before = await world.count("select count(*) from usage")
        async with world.database.connection() as connection:
            await connection.execute(REFUSING.format(table=table))
        answers = await looked_up(world, *map(request, holders))
        async with world.database.connection() as connection:
            await connection.execute(f"drop trigger full_up on {table}; drop function full_up()")
        assert {each.code for each in answers if isinstance(each, Fault)} == {"AUDIT_UNWRITABLE"}
        assert all(isinstance(each, Fault) for each in answers)
        assert await world.count("select count(*) from usage") == before
        assert all(not isinstance(each, Exception) for each in await looked_up(world, *map(request, holders)))


async def test_a_wrong_request_beside_others_is_refused_alone(world: World) -> None:
    holder = world.citizen()
    await world.stock_licence(holder)
    good, wrong, again = await looked_up(world, request(holder), pb.FindLicencesRequest(), request(holder))
    assert isinstance(wrong, Fault)
    assert wrong.code == "INVALID_REQUEST"
    assert len(good.licences) == len(again.licences) == 1  # type: ignore[attr-defined]
