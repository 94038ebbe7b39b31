"""Each way to use a code for what it was not given, in each mode: refused with its stable reason, and on record."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from chassis.errors import Fault
from tests.integration.certs.conftest import FIRE, MARKET, World
from tests.integration.certs.evidence_room import case_handed_in, duty_code, entrusted, entrustment, stamp
from tests.integration.certs.recourse import reason_of
from tests.integration.certs.test_use_codes import consume, issued, set_status, uses
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import use_code_pb2

Issue = Callable[..., Awaitable[str]]


async def by_consent(world: World, licence_id: str, holder: str, **changed: object) -> str:
    return await issued(world, licence_id, holder, **changed)


async def by_duty(world: World, licence_id: str, holder: str, **changed: object) -> str:
    await case_handed_in(world, "case-1", ("item-1", MARKET), of=holder)
    return await duty_code(world, licence_id, **{"face_fields": ["KZ_MC", "KZ_FDDBR"]} | changed)


async def by_entrustment(world: World, licence_id: str, holder: str, **changed: object) -> str:
    agent = world.citizen()
    known = await entrusted(world, entrustment(world, holder, agent))
    person = {"entrustment_id": known, "agent_id_type_code": "111", "agent_id_number": agent}
    return await issued(world, licence_id, holder, **person, **changed)


MODES: dict[str, Issue] = {
    "consent": by_consent,
    "statutory_duty": by_duty,
    "entrustment": by_entrustment,
}
OTHERS: dict[str, dict[str, object]] = {
    "USE_CODE_WRONG_ITEM": {"item_code": "item-2"},
    "USE_CODE_WRONG_CASE": {"case_id": "case-2"},
    "USE_CODE_WRONG_CONSUMER": {"department": FIRE},
    "USE_CODE_WRONG_PURPOSE": {"use_cause": "市场调查"},
    "USE_CODE_WRONG_FIELD": {"face_fields": ["KZ_ZS"]},
    "USE_CODE_CASE_EMPTY": {"case_id": ""},
}


async def recorded(world: World, holder: str) -> list[use_code_pb2.Use]:
    return [use for use in (await uses(world, holder)).uses if use.kind == "consume"]


async def checked(world: World, holder: str, code: str, reason: str, **changed: object) -> None:
    """Try once; one line more, which names reason, licence, consumer and mode, and no use is taken."""
    before = len(await recorded(world, holder))
    left = await world.count("select coalesce(sum(uses_left), 0) from use_code")
    assert await reason_of(consume(world, code, **changed)) == reason  # type: ignore[arg-type]
    lines = await recorded(world, holder)
    assert len(lines) == before + 1
    assert lines[0].outcome == reason
    assert lines[0].consumer_code == changed.get("department", MARKET)
    assert lines[0].licence_id
    assert await world.count("select coalesce(sum(uses_left), 0) from use_code") == left


@pytest.mark.parametrize("mode", MODES)
async def test_a_code_is_good_for_what_it_is_bound_to_and_each_other_try_is_on_record(
    world: World, mode: str
):
    holder = world.citizen()
    licence_id, issue = await world.stock_licence(holder), MODES[mode]
    code = await issue(world, licence_id, holder)
    for reason, changed in OTHERS.items():
        await checked(world, holder, code, reason, **changed)
    other = {"holder_id_type_code": "111", "holder_id_number": world.citizen()}
    await checked(world, holder, code, "USE_CODE_WRONG_HOLDER", **other)
    assert {each.mode for each in await recorded(world, holder)} == {mode}
    assert (await consume(world, code)).usage_id, "none of it used the code up"
    await checked(world, holder, code, "USE_CODE_SPENT")
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    await set_status(world, licence_id, pb.LICENCE_STATUS_VALID)
    short = await issue(world, licence_id, holder, expires_at=stamp(world.clock() + timedelta(hours=1)))
    fallen = await issue(world, licence_id, holder)
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    await checked(world, holder, fallen, "LICENCE_NOT_USABLE")
    await set_status(world, licence_id, pb.LICENCE_STATUS_VALID)
    world.clock.offset += timedelta(hours=2)
    await checked(world, holder, short, "USE_CODE_EXPIRED")
    with world.as_intake():
        request = use_code_pb2.RevokeUseCodesRequest(
            request_id=str(uuid.uuid4()), case_id="case-1", reason="申请人撤回"
        )
        await world.use_codes.RevokeUseCodes(request, None)
    await checked(world, holder, fallen, "USE_CODE_REVOKED")


@pytest.mark.parametrize("mode", MODES)
async def test_of_parallel_uses_one_succeeds_and_each_other_is_on_record(world: World, mode: str):
    holder = world.citizen()
    code = await MODES[mode](world, await world.stock_licence(holder), holder)
    done = await asyncio.gather(*(consume(world, code) for _ in range(12)), return_exceptions=True)
    refused = [each for each in done if isinstance(each, Fault)]
    assert (len(done) - len(refused), {each.code for each in refused}) == (1, {"USE_CODE_SPENT"})
    outcomes = [each.outcome for each in await recorded(world, holder)]
    assert sorted(outcomes) == sorted(["allowed", *["USE_CODE_SPENT"] * 11])
