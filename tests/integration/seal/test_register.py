"""The state of a seal at an instant, its changes, and the signed list of states for those without a network."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from chassis.errors import Fault
from services.seal.app import verify_offline, write_trust_bundle
from services.seal.domain.register import Change, SealStatus
from services.seal.usecases.change_status import change_status
from services.seal.usecases.read_register import list_seals, list_uses, status_at
from services.seal.usecases.using_ports import WantedUses
from tests.integration.seal.conftest import AUTHORITIES, GUANGFENG, YUSHAN, SealWorld


async def test_the_state_of_a_seal_is_told_for_any_instant(stocked: SealWorld):
    seal = await stocked.seal_of(GUANGFENG)
    times = [stocked.clock.at]
    await stocked.change(seal.seal_id, SealStatus.SUSPENDED)
    stocked.clock.at += timedelta(minutes=5)
    times.append(stocked.clock.at)
    await stocked.change(seal.seal_id, SealStatus.ACTIVE, second_person="李四")
    async with stocked.unit() as work:
        found = [
            (await status_at(work, seal.seal_id, at)).status
            for at in (times[0], times[1] - timedelta(minutes=1), times[1])
        ]
        assert found == ["active", "suspended", "active"]
        with pytest.raises(Fault, match="SEAL_NOT_YET_MADE"):
            await status_at(work, seal.seal_id, seal.valid_from - timedelta(days=1))
        with pytest.raises(Fault, match="SEAL_NOT_FOUND"):
            await status_at(work, "36110399999999", times[0])


async def test_a_change_needs_the_present_version_a_reason_and_a_second_person(stocked: SealWorld):
    seal = await stocked.seal_of(GUANGFENG)

    async def attempt(etag: str, change: Change) -> str:
        with pytest.raises(Fault) as caught:
            async with stocked.unit() as work:
                await change_status(work, seal.seal_id, etag, change, stocked.clock)
        return caught.value.code + "".join(f" {each.field_path}" for each in caught.value.violations)

    assert await attempt('"2"', Change(SealStatus.SUSPENDED, "r", "o")) == "ETAG_MISMATCH"
    assert (
        await attempt(seal.etag, Change(SealStatus.CANCELLED, "", ""))
        == "INVALID_REQUEST reason operator second_person"
    )
    assert (
        await attempt(seal.etag, Change(SealStatus.CANCELLED, "r", "o", "o"))
        == "INVALID_REQUEST second_person"
    )
    assert await attempt(seal.etag, Change(SealStatus.FILED, "r", "o")) == "SEAL_STATUS_STEP"
    assert await stocked.events("seal") == (await stocked.events("seal"))[:6]


async def test_a_department_sees_its_own_seals_and_uses_only(stocked: SealWorld):
    await stocked.deliver()
    async with stocked.unit() as work:
        every, _ = await list_seals(work, None, 0, "")
        own, _ = await list_seals(work, YUSHAN.code, 0, "")
        first, token = await list_seals(work, None, 1, "")
        rest, last = await list_seals(work, None, 1, token)
        assert [each.owner_code for each in every] == [each.code for each in AUTHORITIES]
        assert [each.owner_code for each in own] == [YUSHAN.code]
        assert ([*first, *rest], last) == (list(every), "")
        uses, _ = await list_uses(work, WantedUses(owner_code=GUANGFENG.code), 0, None)
        assert [use.entry.licence_id for use in uses] == ["licence-1"]
        assert (await list_uses(work, WantedUses(owner_code=YUSHAN.code), 0, None))[0] == []
        with pytest.raises(Fault, match="SEAL_NOT_FOUND"):
            await list_uses(work, WantedUses(every[0].seal_id, YUSHAN.code), 0, None)


async def trust_files(world: SealWorld, directory: Path) -> Path:
    async with world.unit() as work:
        bundle = await work.trust.bundle(world.clock())
    write_trust_bundle(
        directory, anchors=bundle.anchors, certificates=bundle.certificates, crls=bundle.crls,
        status_list=bundle.status_list, own_makers=bundle.own_makers, companion_list=bundle.companion_list,
    )  # fmt: skip
    return directory


async def test_a_fresh_document_verifies_offline_with_a_current_list(stocked: SealWorld, tmp_path: Path):
    await stocked.deliver()
    document, trust = await stocked.sealed(), await trust_files(stocked, tmp_path / "trust")
    answer = verify_offline(document, trust, stocked.clock())
    assert (answer["verdict"], answer["status_list"]) == ("VALID", "current"), answer
    assert answer["signatures"][0]["seal_name"] == GUANGFENG.seal_name
    assert len(answer["signatures"][0]["checks"]) == 13
    later = verify_offline(document, trust, stocked.clock() + timedelta(days=8))
    assert (later["verdict"], later["status_list"]) == ("INDETERMINATE", "SEAL_STATUS_LIST_STALE")


async def test_the_offline_list_tells_of_a_suspension(stocked: SealWorld, tmp_path: Path):
    seal = await stocked.seal_of(GUANGFENG)
    await stocked.deliver()
    document = await stocked.sealed()
    stocked.clock.at -= timedelta(minutes=5)  # as if the suspension had come first
    await stocked.change(seal.seal_id, SealStatus.SUSPENDED)
    stocked.clock.at += timedelta(minutes=5)
    await stocked.make()
    answer = verify_offline(document, await trust_files(stocked, tmp_path / "trust"), stocked.clock())
    assert answer["verdict"] == "INVALID"
