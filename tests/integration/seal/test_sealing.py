"""A licence is sealed once, with the use in the ledger, or refused with a reason."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest

from services.seal.domain.register import SealStatus
from services.seal.domain.sealing import Placement, seal_document
from services.seal.usecases.read_register import check_ledger
from services.seal.usecases.retry_refused import retry_refused
from services.seal.usecases.seal_licence import Order, seal_licence
from tests.integration.seal.conftest import GUANGFENG, UNSEALED, YUSHAN, SealWorld
from tests.unit.seal.sealing_room import ofd_files, pack, sm2, unpack

SEALED, REFUSED = "seal.DocumentSealed.v1", "seal.SealingRefused.v1"


async def ledger_break(world: SealWorld) -> int | None:
    async with world.unit() as work:
        return await check_ledger(work, sm2().digest)


async def outcomes(world: SealWorld) -> list[str]:
    return [row["outcome"] for row in await world.rows("select outcome from seal_use order by sequence")]


async def test_a_licence_is_sealed_and_the_document_verifies(stocked: SealWorld):
    await stocked.deliver()
    document = await stocked.sealed()
    report = await stocked.verify(document)
    assert report.verdict.value == "VALID", report
    assert report.signatures[0].is_own
    assert report.signatures[0].proved_at == stocked.clock.at.replace(microsecond=0)  # as its token says
    assert await stocked.events() == [(SEALED, 1)]
    (row,) = await stocked.rows("select outcome, document_sm3, used_at from seal_use")
    assert (row["outcome"], row["document_sm3"]) == ("sealed", sm2().digest(document).hex())


async def test_two_deliveries_of_the_same_licence_sign_once(stocked: SealWorld):
    await stocked.deliver()
    first = await stocked.sealed()
    await stocked.deliver()
    assert await stocked.sealed() == first
    assert stocked.documents.asked == ["licence-1"]
    assert await outcomes(stocked) == ["sealed"]
    assert await stocked.events() == [(SEALED, 1)]


async def test_parallel_deliveries_sign_once(stocked: SealWorld):
    await asyncio.gather(
        *(stocked.deliver() for _ in range(4)), *(stocked.deliver("licence-2") for _ in range(3))
    )
    assert await outcomes(stocked) == ["sealed", "sealed"]
    assert await stocked.events() == [(SEALED, 1), (SEALED, 1)]
    assert await ledger_break(stocked) is None


async def test_sealed_documents_are_stored_encrypted(stocked: SealWorld):
    await stocked.deliver()
    (row,) = await stocked.rows("select ofd, sha256 from sealed_document")
    assert b"OFD.xml" not in row["ofd"]
    assert row["sha256"] == hashlib.sha256(await stocked.sealed()).hexdigest()


async def test_an_authority_without_a_seal_gets_a_refusal_and_its_licence_is_sealed_once_it_has_one(
    world: SealWorld,
):
    await world.make([YUSHAN])
    await world.deliver()
    assert await outcomes(world) == ["SEAL_NOT_MADE"]
    assert await world.events() == [(REFUSED, 1)]
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 0
    await world.make()
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 1
    assert await retry_refused(world.unit, world.cabinet, world.documents, world.clock) == 0
    assert await outcomes(world) == ["SEAL_NOT_MADE", "sealed"]
    assert await world.events() == [(REFUSED, 1), (SEALED, 2)]
    assert await ledger_break(world) is None


async def test_a_suspended_or_expired_seal_seals_nothing(stocked: SealWorld):
    seal = await stocked.seal_of(GUANGFENG)
    await stocked.change(seal.seal_id, SealStatus.SUSPENDED)
    await stocked.deliver("licence-1")
    await stocked.change(seal.seal_id, SealStatus.ACTIVE, second_person="李四")
    stocked.clock.at = seal.valid_until + timedelta(seconds=1)
    await stocked.deliver("licence-2")
    assert await outcomes(stocked) == ["SEAL_NOT_IN_USE", "SEAL_EXPIRED"]


async def test_a_document_other_than_the_announced_one_is_not_sealed(stocked: SealWorld):
    await stocked.deliver("licence-1", document_sha256="0" * 64)
    stocked.documents.issuer_code = YUSHAN.code
    await stocked.deliver("licence-2")
    assert await outcomes(stocked) == ["DOCUMENT_NOT_AS_ANNOUNCED"] * 2


async def test_nothing_leaves_when_the_transaction_fails(stocked: SealWorld):
    order = Order("licence-1", "case-1", GUANGFENG.code, hashlib.sha256(UNSEALED).hexdigest())
    document = await stocked.documents.unsealed("licence-1")

    async def seal_and_fail() -> None:
        async with stocked.unit() as work:
            assert await seal_licence(work, stocked.cabinet, order, document, stocked.clock())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await seal_and_fail()
    assert await outcomes(stocked) == []
    assert await stocked.events() == []
    assert await stocked.rows("select 1 from sealed_document") == []


async def test_a_changed_removed_or_cut_row_of_the_ledger_is_found(stocked: SealWorld):
    for number in range(4):
        await stocked.deliver(f"licence-{number}")
    assert await ledger_break(stocked) is None
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await stocked.rows("update seal_use set case_id = 'other' where sequence = 2 returning 1")
    connection = await asyncpg.connect(stocked.dsn)
    await connection.execute("alter table seal_use disable trigger all")
    try:
        for tampering, found in (
            ("update seal_use set case_id = 'other' where sequence = 2", 2),
            ("delete from seal_use where sequence = 3", 3),
            ("delete from seal_use where sequence = 4", 4),
        ):
            change = connection.transaction()
            await change.start()
            await connection.execute(tampering)
            async with stocked.database.transaction() as tx:
                tx.connection = connection  # see the change without keeping it
                assert await check_ledger(stocked.unit.work(tx), sm2().digest) == found
            await change.rollback()
    finally:
        await connection.close()


async def test_a_sealing_stays_valid_after_its_seal_is_suspended_and_a_later_one_is_not(stocked: SealWorld):
    await stocked.deliver()
    before = await stocked.sealed()
    seal = await stocked.seal_of(GUANGFENG)
    stocked.clock.at += timedelta(minutes=1)
    await stocked.change(seal.seal_id, SealStatus.SUSPENDED)
    stocked.clock.at += timedelta(minutes=1)
    assert (await stocked.verify(before)).verdict.value == "VALID"
    async with stocked.unit() as work:
        in_use = await stocked.cabinet.take(work.seals, seal.seal_id)
    stolen = seal_document(UNSEALED, in_use, [Placement(1, 130, 220, 42, 42)], stocked.clock()).data
    report = await stocked.verify(stolen)
    assert report.verdict.value == "INVALID"
    assert [check.name.value for check in report.signatures[0].checks if check.result.value == "invalid"] == [
        "seal_status"
    ]


async def test_a_sealing_stays_valid_after_its_seal_was_lost_but_a_backdated_one_does_not_pass(
    stocked: SealWorld,
):
    await stocked.deliver()
    genuine, at = await stocked.sealed(), stocked.clock.at
    seal = await stocked.seal_of(GUANGFENG)
    async with stocked.unit() as work:
        in_use = await stocked.cabinet.take(work.seals, seal.seal_id)
    backdated = seal_document(pack(ofd_files(2)), in_use, [Placement(1, 130, 220, 42, 42)], at).data
    stocked.clock.at += timedelta(hours=1)
    await stocked.change(seal.seal_id, SealStatus.LOST)
    stocked.clock.at += timedelta(minutes=10)
    await stocked.make()
    assert (await stocked.verify(genuine)).verdict.value == "VALID"
    assert (
        await stocked.verify(backdated)
    ).verdict.value == "INDETERMINATE"  # nothing proves it came before the loss


async def test_a_document_is_judged_as_of_an_earlier_moment(stocked: SealWorld):
    await stocked.deliver()
    document, at = await stocked.sealed(), stocked.clock.at
    stocked.clock.at += timedelta(days=30)  # every list has run out by now
    assert (await stocked.verify(document)).verdict.value == "INDETERMINATE"
    assert (await stocked.verify(document, as_of=at)).verdict.value == "VALID"


async def test_a_changed_document_is_invalid(stocked: SealWorld):
    await stocked.deliver()
    files = unpack(await stocked.sealed())
    files["Doc_0/Attachs/data.json"] = b'{"licence":"another"}'
    report = await stocked.verify(pack(files))
    assert report.verdict.value == "INVALID"
    assert replace(report.signatures[0]).check(report.signatures[0].checks[2].name).reason == "DIGEST"
