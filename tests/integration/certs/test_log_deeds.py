"""Whatever somebody with the database does to the rows of the registry, a verification of the log names it (P9)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from chassis.errors import Fault
from chassis.fields import FieldCipher
from chassis.tlog.alignment import Damage
from cli.transparency.reading import altered_rows
from services.certs.store import Vault
from tests.integration.certs.conftest import FIRE, World
from tests.integration.certs.evidence_room import entrusted, entrustment
from tests.integration.certs.life_desk import Desk
from tests.integration.certs.recourse import Recourse, Said
from tests.integration.certs.test_log_service import Log, used_in_every_way
from tongban.certs.v1 import licence_life_pb2 as life
from tongban.certs.v1 import licence_pb2 as pb

pytestmark = [pytest.mark.promise("P9")]
GONE, ALTERED, UNTOLD = Damage.LEAF_WITHOUT_ROW, Damage.ROW_ALTERED, Damage.ROW_WITHOUT_LEAF
DEEDS: dict[str, tuple[Damage, str]] = {
    "delete from licence_status_change": (GONE, "status"),
    "delete from licence_past": (GONE, "earlier"),
    "delete from licence_order": (GONE, "order"),
    "delete from licence_order where state = 'waiting'": (GONE, "order"),
    "update licence_order set state = 'withdrawn' where state = 'waiting'": (ALTERED, "order"),
    "delete from usage": (GONE, "usage"),
    "delete from use_code": (GONE, "use-code"),
    "update use_code set revoked_at = now()": (UNTOLD, "use-code"),
    "delete from dispute": (GONE, "dispute"),
    "update dispute set frozen_at = null, state = 'rejected'": (ALTERED, "dispute"),
    "delete from dispute_step": (GONE, "dispute"),
    "delete from dispute_step where act = 'freeze'": (GONE, "dispute"),
    "delete from licence_freeze": (GONE, "freeze"),
    "delete from reliance": (GONE, "reliance"),
    "delete from reliance_flag": (GONE, "flag"),
    "delete from entrustment": (GONE, "entrustment"),
    "update licence_status_change set effective_at = effective_at - interval '1 day'": (ALTERED, "status"),
    "update entrustment set mac = sha256('x')": (ALTERED, "entrustment"),
    "delete from licence": (GONE, "licence"),
}
WORDS = {
    "update licence_status_change set reason = 'x'": "licence_status_change",
    "update licence_status_change set operator = 'x'": "licence_status_change",
    "update licence_order set second_person = 'x'": "licence_order",
    "update usage set use_cause = 'x'": "usage",
    "update usage set case_id = 'x'": "usage",
    "update dispute_step set reason = 'x'": "dispute_step",
    "update entrustment set powers = '{present}'": "entrustment",
    "update reliance_flag set case_id = 'x'": "reliance_flag",
    "update use_code set max_uses = 9": "use_code",
}


async def everything(world: World) -> str:
    """Leave rows of every kind that the log tells of; return a licence that was suspended and restored."""
    desk, recourse, holder = Desk(world), Recourse(world, Said()), world.citizen()
    await used_in_every_way(world)
    row = world.row(holder)
    with world.as_department():
        (first,) = await world.import_rows(row)
        await world.import_rows(row | {"KZ_JYFW": "食品销售"})
    await recourse.read(first.licence_id, FIRE, "case-2")
    await desk.order(first.licence_id, life.LICENCE_ACT_SUSPEND)
    world.clock.offset += timedelta(days=2)
    await desk.order(first.licence_id, life.LICENCE_ACT_RESTORE)
    await desk.order(first.licence_id, life.LICENCE_ACT_CANCEL, world.clock() + timedelta(days=9))
    await recourse.recall()
    await recourse.freeze(await recourse.open(first.licence_id, holder))
    await entrusted(world, entrustment(world, holder, world.citizen()))
    return first.licence_id


async def test_every_deed_on_the_rows_is_named(world: World) -> None:
    await everything(world)
    log = Log(world)
    assert await log.unproved() == []
    for deed, named in DEEDS.items():
        assert named in await log.unproved(deed), deed


async def test_every_word_of_a_row_is_under_its_code(world: World) -> None:
    await everything(world)
    vault: Any = world.desk.vault
    assert isinstance(vault, Vault)
    cipher = vault._cipher
    assert isinstance(cipher, FieldCipher)
    async with world.database.connection() as connection:
        for deed, table in ({"select 1": ""} | WORDS).items():
            found = await _altered(connection, cipher, deed)
            assert ({each.split()[0] for each in found} == {table}) if table else found == [], deed


async def _altered(connection: Any, cipher: FieldCipher, deed: str) -> list[str]:
    walk = connection.transaction()
    await walk.start()
    try:
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(deed)
        return [each.detail for each in await altered_rows(connection, cipher)]
    finally:
        await walk.rollback()


@pytest.mark.parametrize(
    "deed",
    [
        "delete from licence_status_change",
        "delete from licence_order",
        "delete from licence_past",
        "delete from dispute_step",
        "delete from licence_status_change where act = 'restore'",
        "update licence set status = 'suspended'",
    ],
)
async def test_a_history_that_lost_its_lines_answers_nothing(world: World, deed: str) -> None:
    licence_id = await everything(world)
    between = world.clock() - timedelta(days=1)
    recourse = Recourse(world, Said())
    assert (await recourse.status_at(licence_id, at=between)).status == pb.LICENCE_STATUS_SUSPENDED
    async with world.database.connection() as connection:
        await _do(connection, deed)
    with pytest.raises(Fault, match="ROW_ALTERED"):
        await recourse.status_at(licence_id, at=between)


async def _do(connection: asyncpg.Connection[Any], deed: str) -> None:
    await connection.execute("set session_replication_role = replica")
    await connection.execute(deed)
    await connection.execute("set session_replication_role = default")
