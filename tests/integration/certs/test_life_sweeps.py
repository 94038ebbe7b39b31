"""What goes on by itself: terms, inspections, erasures; previews; codes of rows."""

from __future__ import annotations

import io
import uuid
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from PIL import Image

from chassis.row_codes import altered_rows
from services.certs.store.coded import LICENCE_ERASURE, LICENCE_INSPECTION, LICENCE_LINK, LICENCE_ORDER
from services.certs.usecases.change_status import expire_licences
from tests.integration.certs.conftest import FIRE, MARKET, World, purpose
from tests.integration.certs.life_desk import Desk, refused
from tests.integration.certs.recourse import Recourse, Said
from tests.integration.certs.test_issuing import FOOD
from tests.integration.certs.test_use_codes import set_status
from tongban.certs.v1 import licence_life_pb2 as life
from tongban.certs.v1 import licence_pb2 as pb

_PAST = """
insert into licence_past (licence_id, version, type_name, issuer_name, subject, face, issued_date, status,
  quality_flags, replaced_at)
select licence_id, 1, type_name, issuer_name, subject, face, issued_date, status, quality_flags, now()
from licence where licence_id = $1
"""


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world)


async def test_a_term_ends_at_midnight_in_china_whenever_the_sweep_comes(desk: Desk):
    licence_id = await desk.in_force(validity_years=1)
    desk.world.clock.offset += timedelta(days=400)
    async with desk.world.database.transaction() as tx:
        assert await expire_licences(desk.world.desk.registry_of(tx), desk.world.clock()) == 1
    (told,) = await desk.world.events("certs.LicenceStatusChanged.v1")
    until = (await desk.row(licence_id))["valid_until"]
    assert str(told["effective_at"]).startswith(f"{until}T16:00:00")


async def test_inspections_are_announced_recorded_and_overdue(desk: Desk):
    world, licence_id = desk.world, await desk.in_force(validity_years=5)
    types = world.desk.types
    yearly = replace(types[FOOD], inspection_months=12)
    types.take([yearly, *(each for code, each in types.items() if code != FOOD)])

    async def states() -> list[tuple[int, str]]:
        async with world.database.transaction() as tx:
            rows = await tx.fetch("select cycle, state from licence_inspection order by lineage_id, cycle")
        return [tuple(row) for row in rows]

    await desk.sweep()
    assert await states() == [], "rows are walked over once they have settled"
    world.clock.offset += timedelta(minutes=2)
    await desk.sweep()
    assert await states() == [(1, "scheduled")]
    world.clock.offset += timedelta(days=320)
    await desk.sweep()
    with world.as_department():
        listed = await desk.rpc.ListInspections(life.ListInspectionsRequest(), None)
    assert [(each.licence_id, each.state) for each in listed.inspections] == [
        (licence_id, life.INSPECTION_STATE_DUE)
    ]
    with world.as_department(FIRE):
        assert not (await desk.rpc.ListInspections(life.ListInspectionsRequest(), None)).inspections
    world.clock.offset += timedelta(days=60)
    await desk.sweep()
    assert await states() == [(1, "overdue")]
    ask = life.RecordInspectionRequest
    await desk.ask(ask, licence_id, result=life.INSPECTION_STATE_FAILED)
    done = await desk.ask(ask, licence_id, result=life.INSPECTION_STATE_PASSED)
    assert done.inspection.state == life.INSPECTION_STATE_PASSED
    assert await states() == [(1, "passed"), (2, "scheduled")]
    assert await desk.status(licence_id) == "valid"
    told = [each["state"] for each in await world.events("certs.LicenceInspectionChanged.v1")]
    assert told == ["due", "overdue", "failed", "passed"]
    new = await desk.change(licence_id)
    await desk.issuing.seal(new)
    assert (
        await refused(desk.ask(ask, licence_id, result=life.INSPECTION_STATE_PASSED))
    ).code == "INSPECTION_NOT_FOUND"
    done = await desk.ask(ask, new, result=life.INSPECTION_STATE_PASSED, cycle=2)
    assert (done.inspection.licence_id, done.inspection.cycle) == (new, 2)
    await desk.order(new, life.LICENCE_ACT_CANCEL)
    world.clock.offset += timedelta(days=1200)
    await desk.sweep()
    assert (await states())[-1] == (3, "void")
    wrong = await refused(desk.ask(ask, new, result=life.INSPECTION_STATE_DUE, cycle=-1))
    assert {each.field_path for each in wrong.violations} == {"result", "cycle"}


async def test_a_preview_is_a_marked_picture_and_is_recorded_like_the_document(desk: Desk):
    world, licence_id = desk.world, await desk.in_force()
    request = life.GetLicencePreviewRequest(licence_id=licence_id, purpose=purpose())
    with world.as_department(FIRE):
        answer = await desk.rpc.GetLicencePreview(request, None)
    picture = Image.open(io.BytesIO(answer.picture))
    assert (picture.format, picture.size) == ("PNG", (1782, 1260))
    assert len(picture.convert("RGB").getcolors(4096) or []) > 2
    assert (
        await world.count("select count(*) from usage where kind = 'preview' and consumer_code = $1", FIRE)
        == 1
    )
    request.purpose.basis = pb.BASIS_CONSENT
    with world.as_department(FIRE):
        assert (await refused(desk.rpc.GetLicencePreview(request, None))).code == "LICENCE_NOT_FOUND"
    request.purpose.use_cause = ""
    with world.as_department(FIRE):
        assert (await refused(desk.rpc.GetLicencePreview(request, None))).violations


async def test_what_is_past_its_retention_is_erased_and_the_skeleton_stays(desk: Desk):
    world, holder = desk.world, desk.world.citizen()
    licence_id = await desk.issuing.approve(holder, "part-9")
    await desk.issuing.seal(licence_id)
    kept = await desk.in_force()
    await desk.order(licence_id, life.LICENCE_ACT_CANCEL)
    imported = await world.stock_licence(holder)
    with world.as_department():
        identifier = (await desk.row(imported))["identifier"]
        (again,) = await world.import_rows(world.row(holder, KZ_JYFW="食品销售", ZZBS=identifier))
    await set_status(world, imported, pb.LICENCE_STATUS_CANCELLED)
    await Recourse(world, Said()).open(imported, holder)

    async def erased() -> int:
        await desk.sweep()
        return await world.count("select count(*) from licence_erasure")

    world.clock.offset += timedelta(days=29 * 365)
    assert await erased() == 0
    world.clock.offset += timedelta(days=2 * 365)
    assert await erased() == 2
    assert await erased() == 2
    row = await desk.row(licence_id)
    assert (row["status"], row["holder_key"], row["sealed_sha256"], row["content_key"]) == (
        "cancelled",
        b"",
        "",
        None,
    )
    assert len([each for each in world.documents_dir.rglob("*") if each.is_file()]) == 2, "those of the other"
    async with world.database.transaction() as tx:
        found = await world.desk.registry_of(tx).licences.get(licence_id)
        assert found is not None
        assert (found.number, found.face, found.holders[0].id_number) == ("", {}, "")
        assert await tx.fetchval("select count(*) from licence_past") == 0
        (dispute,) = await world.desk.registry_of(tx).recourse.disputes.of_issuer(
            MARKET, imported, None, 1, open_only=False
        )
        locked = await world.desk.registry_of(tx).recourse.disputes.lock(dispute.dispute_id)
        assert locked is not None
        assert locked.statement == "", "what the holder said goes with it"
        assert (
            await tx.fetchval("select count(*) from licence_erasure where documents_removed_at is not null")
            == 2
        )
    request = pb.FindLicencesRequest(holder_id_type_code="111", holder_id_number=holder, purpose=purpose())
    with world.as_department():
        assert not (await world.licences.FindLicences(request, None)).licences
        shown = await world.licences.GetLicence(
            pb.GetLicenceRequest(licence_id=licence_id, purpose=purpose()), None
        )
    assert shown.licence.status == pb.LICENCE_STATUS_CANCELLED
    assert await desk.status(kept) == "valid"
    assert again.licence_id

    async def run(statement: str, *values: object) -> None:
        async with world.database.transaction() as tx:
            await tx.execute(statement, *values)

    await run(_PAST, uuid.UUID(kept))
    with pytest.raises(asyncpg.RaiseError):
        await run("delete from licence_past")


async def test_rows_of_the_life_carry_codes_that_tell_an_alteration(desk: Desk):
    licence_id = await desk.in_force()
    await desk.order(licence_id, life.LICENCE_ACT_FORFEIT, desk.world.clock() + timedelta(days=3))
    await desk.change(licence_id)
    vault = desk.world.desk.vault
    for table in (LICENCE_ORDER, LICENCE_LINK, LICENCE_INSPECTION, LICENCE_ERASURE):
        assert await altered_rows(desk.world.database, vault._cipher, table) == []  # type: ignore[attr-defined]
    async with desk.world.database.transaction() as tx:
        await tx.execute("update licence_order set effective_at = effective_at + interval '1 year'")
    assert (await refused(desk.order(licence_id, life.LICENCE_ACT_SUSPEND))).code == "ROW_ALTERED"
