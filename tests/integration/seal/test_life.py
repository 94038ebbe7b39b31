"""The whole life of a seal: applied for, approved by another, made, filed, started; lost and remade; ended."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from PIL import Image, ImageDraw

from chassis.errors import Fault
from services.seal.domain.kinds import RULES, SealKind
from services.seal.domain.register import SealStatus
from services.seal.domain.structures import read_seal
from services.seal.store import StoreUnit
from services.seal.usecases.applications import list_applications, seal_picture
from services.seal.usecases.make_seals import work_waits
from services.seal.usecases.request_keys import request_keys
from tests.integration.seal.conftest import GUANGFENG, YUSHAN, SealWorld
from tests.integration.seal.life_room import (
    PERSON,
    PERSONAL,
    REJECTED,
    WISH,
    apply,
    decide,
    made,
    read,
    run_maker,
    seal,
    withdraw,
)
from tests.unit.seal.sealing_room import p256, sm2


async def refused(work) -> str:
    with pytest.raises(Fault) as caught:
        await work
    return " ".join([caught.value.code, *(each.field_path for each in caught.value.violations)])


async def test_an_approved_application_becomes_a_filed_and_started_seal(world: SealWorld):
    application = await apply(world)
    approved = await decide(world, application)
    assert (await run_maker(world)).made == ("36110300000001",)
    found = await seal(world, "36110300000001")
    assert (found.status, found.kind, found.name) == (SealStatus.ACTIVE, SealKind.FINANCE, GUANGFENG.name)
    assert found.filing_number == "3611032026000001"
    assert found.application_id == application.application_id
    async with world.unit() as work:
        history = await work.seals.history(found.seal_id)
        companion = await work.seals.credential(found.seal_id, p256().name)
    assert [(each.status, each.operator) for each in history] == [
        ("made", "seal-maker"), ("filed", "seal-maker"), ("active", "seal-maker"),
    ]  # fmt: skip
    assert history[0].second_person == "李四"
    assert companion is not None
    now = await read(world, approved)
    assert (now.state, now.seal_id, now.wish.account) == ("made", found.seal_id, "operator/local")
    assert now.decided is not None
    assert (now.decided.operator, now.decided.account) == ("李四", "operator/second")
    told = ("seal.SealApplied.v1", 1), ("seal.SealApplicationDecided.v1", 2)
    assert await world.events("application") == list(told)


@pytest.mark.parametrize("kind", [each for each in SealKind if each is not SealKind.PERSONAL])
async def test_every_kind_has_its_type_shape_and_size(world: SealWorld, kind: SealKind):
    found = await made(world, kind=kind, line="行政审批专用章" if RULES[kind].needs_line else "")
    async with world.unit() as work:
        material = await work.seals.material(found.seal_id)
        picture = await seal_picture(work, found.seal_id, GUANGFENG.code)
        assert await refused(seal_picture(work, found.seal_id, YUSHAN.code)) == "SEAL_NOT_FOUND"
    assert material is not None
    read_back = read_seal(material.ses_seal)
    assert read_back.kind == RULES[kind].ses_type
    assert (picture.width_mm, picture.height_mm) == (RULES[kind].width_mm, RULES[kind].height_mm)
    assert (found.width_mm, found.height_mm) == (picture.width_mm, picture.height_mm)


async def test_an_application_is_refused_naming_every_wrong_field(world: SealWorld):
    empty = replace(WISH, owner_code="", owner_name=" ", division="3611", name="", reason="", operator="")
    assert await refused(apply(world, empty, kind=SealKind.SPECIAL)) == (
        "INVALID_REQUEST owner_code owner_name name reason operator line division"
    )
    assert await refused(apply(world, name="䶮" * 60)) == "INVALID_REQUEST name"
    assert await refused(apply(world, picture=b"no picture")) == "INVALID_REQUEST picture"
    assert await refused(apply(world, replaces="36110399999999")) == "SEAL_NOT_FOUND"
    assert await world.rows("select 1 from seal_application") == []


async def test_nobody_decides_on_an_application_of_their_own_or_twice(world: SealWorld):
    application = await apply(world)
    assert await refused(decide(world, application, operator="张三")) == "INVALID_REQUEST operator"
    assert await refused(decide(world, application, operator=" ")) == "INVALID_REQUEST operator"
    rejected = await decide(world, application, REJECTED)
    assert await refused(decide(world, rejected)) == "SEAL_APPLICATION_STEP"
    assert await refused(decide(world, application)) == "ETAG_MISMATCH"
    assert await world.rows("select 1 from signer_key") == []
    assert (await run_maker(world)).made == ()
    with pytest.raises(asyncpg.CheckViolationError):  # the database knows it too
        await world.rows(
            "update seal_application set status = 'approved', decided_by = applied_by returning 1"
        )


async def test_an_application_is_withdrawn_until_its_seal_is_made(world: SealWorld):
    first = await decide(world, await apply(world))
    await withdraw(world, first)
    assert (await run_maker(world)).made == ()
    second = await decide(world, await apply(world))
    assert len((await run_maker(world)).made) == 1
    assert await refused(withdraw(world, await read(world, second))) == "SEAL_APPLICATION_STEP"


async def test_one_seal_is_in_use_per_owner_kind_and_name(world: SealWorld):
    await apply(world)
    assert await refused(apply(world)) == "SEAL_APPLICATION_OPEN"
    other = await made(world, name=GUANGFENG.name + "票据所")
    assert await refused(apply(world, name=other.name)) == "SEAL_ALREADY_IN_USE"
    await made(world, kind=SealKind.CONTRACT, name=other.name)
    await world.change(other.seal_id, SealStatus.CANCELLED, second_person="李四")
    assert (await made(world, name=other.name)).seal_id != other.seal_id


async def test_a_lost_seal_ends_in_the_transaction_that_makes_its_successor(world: SealWorld):
    old = await made(world)
    assert await refused(apply(world, replaces=old.seal_id)) == "SEAL_ALREADY_IN_USE"
    await world.change(old.seal_id, SealStatus.LOST)
    new = await made(world, replaces=old.seal_id, reason="遗失")
    old = await seal(world, old.seal_id)
    assert (old.status, old.replaced_by, new.replaces) == ("remade", new.seal_id, old.seal_id)
    async with world.unit() as work:
        last = (await work.seals.history(old.seal_id))[-1]
        ended = await work.seals.ended_certificates()
    assert (last.operator, last.second_person, last.account) == ("张三", "李四", "operator/local")
    assert len(ended) == 2
    assert await refused(apply(world, name="另一枚", replaces=old.seal_id)) == "SEAL_NOT_TO_REPLACE"


async def test_a_seal_that_was_found_again_meanwhile_is_not_remade(world: SealWorld):
    old = await made(world)
    await world.change(old.seal_id, SealStatus.LOST)
    application = await decide(world, await apply(world, replaces=old.seal_id))
    await world.change(old.seal_id, SealStatus.CANCELLED, second_person="李四")
    making = await run_maker(world)
    assert (making.made, making.refused) == ((), {application.application_id: "SEAL_NOT_TO_REPLACE"})
    assert (await seal(world, old.seal_id)).status == "cancelled"


def scanned() -> bytes:
    image = Image.new("RGB", (600, 600), "white")
    ImageDraw.Draw(image).ellipse((40, 40, 560, 560), outline=(200, 20, 20), width=30)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


async def test_an_uploaded_picture_is_checked_and_used(world: SealWorld):
    found = await made(world, picture=scanned(), width_mm=40, height_mm=40)
    async with world.unit() as work:
        picture = await seal_picture(work, found.seal_id, None)
    assert (picture.width_mm, picture.kind) == (40, "PNG")
    assert len(picture.data) < 64 << 10


async def test_a_persons_name_stands_nowhere_in_the_database(world: SealWorld):
    assert await refused(apply(world, PERSONAL)) == "SEAL_MAKER_UNKNOWN"
    await run_maker(world)
    found = await made(world, PERSONAL)
    assert found.name == PERSON, "the signing side reads it"
    async with world.maker_unit() as work:
        seen = await work.seals.get(found.seal_id)
        assert seen is not None
        assert seen.name == "个人名章", "no list of the maker shows it"
    async with world.unit() as work:
        material = await work.seals.material(found.seal_id)
        (application,), _ = await list_applications(work, GUANGFENG.code, 0, "")
    assert material is not None
    assert read_seal(material.ses_seal).name == PERSON
    assert read_seal(material.ses_seal).kind == 2
    assert application.wish.name == PERSON
    tables = await world.rows("select tablename from pg_tables where schemaname = 'public'")
    for name in PERSON.encode(), PERSON.encode("utf-16-be"):
        for table in tables:
            rows = await world.rows(f'select t::text as said from "{table["tablename"]}" t')
            assert not [row for row in rows if PERSON in row["said"] or name.hex() in row["said"]], table
    assert await refused(apply(world, PERSONAL)) == "SEAL_ALREADY_IN_USE"
    assert await refused(apply(world, PERSONAL, name="张", operator="x")) == "INVALID_REQUEST name"
    assert await refused(apply(world, PERSONAL, external=True)) == "INVALID_REQUEST external"


async def test_the_maker_is_wanted_for_approved_work_and_for_changed_states(world: SealWorld):
    async def waits() -> bool:
        async with world.maker_unit() as work:
            return await work_waits(work)

    await run_maker(world)
    assert not await waits()
    application = await apply(world)
    assert not await waits()
    await decide(world, application)
    assert await waits()
    (seal_id,) = (await run_maker(world)).made
    assert not await waits()
    await world.change(seal_id, SealStatus.SUSPENDED)
    world.clock.at += timedelta(minutes=1)
    assert await waits()
    await run_maker(world)
    assert not await waits()


ALTERED = [
    "update seal set owner_code = '11361123TB20000214'",
    "update seal set kind = 'official'",
    "update seal set filing_number = 'x'",
    "update seal set certificate = ''",
    "update seal set valid_until = valid_until + interval '1 day'",
    "update seal set maker_signature = null",
    "update seal set ses_sha256 = ''",
    "update seal_history set operator = 'x' where version = 3",
    "update seal_history set since = since - interval '1 day' where version = 3",
    "update seal_history set maker_signature = null where version = 3",
    "update seal_history set row_code = '\\x00', maker_signature = null where version = 3",
]


@pytest.mark.promise("P18")
@pytest.mark.parametrize("change", ALTERED)
async def test_a_row_of_the_register_changed_by_hand_is_told(world: SealWorld, change: str):
    found = await made(world)
    connection = await asyncpg.connect(world.dsn)
    await connection.execute("set session_replication_role = replica")
    await connection.execute(change)
    await connection.close()
    assert await refused(seal(world, found.seal_id)) == "ROW_ALTERED"


@pytest.mark.promise("P18")
@pytest.mark.parametrize("change", ["status = 'suspended'", "operator = 'x'", "row_code = null"])
async def test_a_state_entered_by_the_signing_side_carries_its_code(world: SealWorld, change: str):
    found = await made(world)
    await world.change(found.seal_id, SealStatus.LOST)
    assert (await seal(world, found.seal_id)).status == "lost"
    connection = await asyncpg.connect(world.dsn)
    await connection.execute("set session_replication_role = replica")
    await connection.execute(f"update seal_history set {change} where version = 4")
    await connection.close()
    assert await refused(seal(world, found.seal_id)) == "ROW_ALTERED"


async def test_rows_of_the_release_before_are_signed_at_the_makers_first_run(world: SealWorld):
    found = await made(world)
    connection = await asyncpg.connect(world.dsn)
    await connection.execute("set session_replication_role = replica")
    await connection.execute(
        "update seal set maker_signature = null, ses_sha256 = '', filing_number = '', application_id = null,"
        " picture_sha256 = '', width_mm = 0, height_mm = 0"
    )
    await connection.execute("update seal_history set maker_signature = null")
    await connection.execute("delete from seal_application")
    await connection.close()
    assert await refused(seal(world, found.seal_id)) == "ROW_ALTERED", (
        "this keyring allows no rows without codes"
    )
    job = StoreUnit(world.database, world.cipher)  # make-keys, which runs before the maker does
    assert len(await request_keys(job, sm2(), world.signer, [GUANGFENG], world.clock())) == 1
    await run_maker(world)
    assert (await seal(world, found.seal_id)).status == "active"
    async with world.unit() as work:
        assert len(await work.seals.history(found.seal_id)) == 3
