"""Rows that an older release wrote have no leaf until they are adopted, and then none is left without (P9)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chassis.tlog.alignment import Damage
from cli.transparency.reading import unproved_rows
from services.certs.app.adoption import adoption_step
from services.certs.domain.log import LICENCE, holds_content
from services.certs.domain.log.leaf import Leaf
from services.certs.store import Vault
from services.certs.store.adoption import AdoptionStore, adoption_left
from services.certs.store.licences import LicenceStore
from services.certs.store.log import BookStore
from services.certs.usecases.adopt import BATCH_LICENCES, Stage, adopt
from tests.integration.certs.conftest import World, purpose
from tests.integration.certs.test_log_service import ANOTHER_ROW, Log, used_in_every_way
from tests.integration.certs.test_reading import change
from tongban.certs.v1 import licence_pb2

pytestmark = [pytest.mark.promise("P9")]
UPGRADE = timedelta(hours=24)


@pytest.fixture
async def log(world: World) -> AsyncIterator[Log]:
    return Log(world)  # type: ignore[return-value]


def vault_of(world: World) -> Vault:
    vault = world.desk.vault
    assert isinstance(vault, Vault)
    return vault


async def unlogged(world: World) -> int:
    """Have what waits in the queue gone, as if an older release had written the rows; it knew of no orders."""
    async with world.database.transaction() as tx:
        await tx.execute("delete from licence_order")
        return int((await tx.execute("delete from log_queue")).split()[1])


async def run(world: World) -> None:
    """Do one pass, or what is left of it."""
    step = adoption_step(world.database, vault_of(world), world.clock, UPGRADE)
    while await step():
        pass


async def left(world: World) -> tuple[bool, int, int]:
    async with world.database.transaction() as tx:
        return await adoption_left(tx)


async def test_every_row_of_an_older_release_gets_its_leaf_once(world: World, log: Log) -> None:
    licence_id, _ = await used_in_every_way(world)
    assert await unlogged(world) > 8
    missing = await log.unproved()
    assert {what for _, what in missing} == {"licence", "status", "usage", "use-code"}
    assert {damage for damage, _ in missing} == {Damage.ROW_WITHOUT_LEAF}
    await run(world)
    assert await log.unproved() == []
    leaves = await log.leaves()
    assert {each["facts"]["act"] for each in leaves} == {"adopt"}
    states = [e["facts"] for e in leaves if e["licence_id"] == licence_id and e["kind"] == LICENCE]
    assert [each["status"] for each in states] == ["revoked"]
    world.clock.offset += timedelta(minutes=11)
    await run(world)
    assert len(await log.leaves()) == len(leaves)


async def test_the_leaf_of_an_adopted_licence_proves_its_content(world: World, log: Log) -> None:
    licence_id = await world.stock_licence(world.citizen())
    await unlogged(world)
    await run(world)
    await log.sequence()
    async with world.database.transaction() as tx:
        entry = await BookStore(tx).newest_of(licence_id, LICENCE)
        licence = await LicenceStore(tx, vault_of(world)).get(licence_id)
    assert entry is not None
    assert licence is not None
    said = json.loads(entry.content)["facts"]
    assert holds_content(Leaf(LICENCE, licence_id, world.clock(), said, entry.salt), licence)
    with world.as_operator():
        proof = await log.proof(newest_of_licence_id=licence_id)
    assert proof.leaf == entry.content


async def test_a_licence_from_before_the_log_is_adopted_and_then_missed(world: World, log: Log) -> None:
    licence_id = await world.stock_licence(world.citizen())
    await unlogged(world)
    async with world.database.transaction() as tx:
        await tx.execute("update licence set created_at = created_at - interval '1 year'")
    assert await log.unproved() == [], "the log does not speak of what was before it"
    await run(world)
    world.clock.offset += UPGRADE + timedelta(minutes=11)
    await run(world)
    assert (await left(world))[0]
    assert await log.unproved() == []
    gone = "delete from log_leaf where licence_id = $1 and kind = 'licence' returning 1"
    async with world.database.connection() as connection:
        walk = connection.transaction()
        await walk.start()
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(gone, UUID(licence_id))
        found: Any = connection
        assert [each.damage for each in await unproved_rows(found)] == [Damage.ROW_WITHOUT_LEAF]
        await walk.rollback()


async def test_an_act_of_an_older_release_after_a_leaf_is_adopted(world: World, log: Log) -> None:
    licence_id = await world.stock_licence(world.citizen())
    await log.sequence()
    await revoke(world, licence_id)
    await unlogged(world)
    assert {damage for damage, _ in await log.unproved()} == {Damage.ROW_WITHOUT_LEAF, Damage.ROW_ALTERED}
    await run(world)
    assert await log.unproved() == []
    assert [e["facts"]["status"] for e in await log.leaves() if e["kind"] == LICENCE] == ["valid", "revoked"]


async def test_what_the_service_did_not_write_is_not_adopted(world: World, log: Log) -> None:
    licence_id, _ = await used_in_every_way(world)
    await log.sequence()
    async with world.database.transaction() as tx:
        await tx.execute(ANOTHER_ROW.replace("00000000-0000-0", "ffffffff-ffff-7"))
        await tx.execute("update licence set status = 'valid', version = version + 1, updated_at = now()")
    before = await log.unproved()
    assert (Damage.ROW_WITHOUT_LEAF, "usage") in before
    assert (Damage.ROW_ALTERED, "licence") in before
    await run(world)
    assert await log.unproved() == before
    assert (await left(world))[2] == 2
    assert licence_id


async def revoke(world: World, licence_id: str) -> None:
    with world.as_department():
        asked = licence_pb2.GetLicenceRequest(licence_id=licence_id, purpose=purpose())
        etag = (await world.licences.GetLicence(asked, None)).licence.etag
        await world.licences.ChangeLicenceStatus(change(licence_id, etag), None)


async def test_an_adoption_that_was_broken_off_goes_on_where_it_was(world: World, log: Log) -> None:
    with world.as_department():
        rows = [world.row(world.citizen()) for _ in range(BATCH_LICENCES + 30)]
        await world.import_rows(*rows)
    await unlogged(world)
    step = adoption_step(world.database, vault_of(world), world.clock, UPGRADE)
    assert await step()
    assert (await left(world))[1] >= len(rows), "counted"
    assert await step()
    assert len(await log.leaves()) == BATCH_LICENCES
    assert (await left(world))[1] <= 30
    await run(world)
    licences = [each["licence_id"] for each in await log.leaves() if each["kind"] == LICENCE]
    assert len(set(licences)) == len(licences) == len(rows)
    assert (await left(world))[1:] == (0, 0)


async def test_one_process_at_a_time_adopts(world: World) -> None:
    async with world.database.transaction() as tx, world.database.transaction() as other:
        first = await adopt(AdoptionStore(tx, vault_of(world)), world.clock(), UPGRADE)
        assert first is not None
        assert first.adoption.stage is Stage.LICENCES
        assert await adopt(AdoptionStore(other, vault_of(world)), world.clock(), UPGRADE) is None


async def test_it_ends_only_when_no_older_release_can_be_writing(world: World) -> None:
    await run(world)
    assert not (await left(world))[0]
    world.clock.offset += UPGRADE + timedelta(minutes=11)
    await run(world)
    assert (await left(world))[0]
    await world.stock_licence(world.citizen())
    await unlogged(world)
    world.clock.offset += timedelta(days=1)
    await run(world)
    assert await world.count("select count(*) from log_queue") == 0, "from then on it is a finding"
