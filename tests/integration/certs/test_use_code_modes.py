"""Use-codes for a duty and under an entrustment, on a real PostgreSQL: each within its grounds, and no further."""

from __future__ import annotations

import asyncio
import uuid

from chassis.errors import Fault
from tests.integration.certs.conftest import FIRE, MARKET, World
from tests.integration.certs.evidence_room import ARTICLE, case_handed_in, duty_code, entrusted, entrustment
from tests.integration.certs.test_use_codes import consume, issued, reason_of, uses
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import use_code_pb2


async def test_a_department_gets_a_code_for_its_duty_in_its_own_open_case_and_no_other(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await case_handed_in(world, "case-1", ("item-1", MARKET), ("item-2", FIRE), of=holder)
    code = await duty_code(world, licence_id)
    answer = await consume(world, code)
    assert (answer.licence.holder_name, set(answer.licence.face)) == ("丰小玉", {"KZ_MC"})
    for changed, department, reason in (
        ({"case_id": "case-9"}, MARKET, "USE_CODE_CASE_UNKNOWN"),
        ({"item_code": "item-2"}, MARKET, "USE_CODE_CASE_UNKNOWN"),
        ({}, FIRE, "USE_CODE_CASE_UNKNOWN"),
        ({"case_id": ""}, MARKET, "USE_CODE_CASE_EMPTY"),
        ({"legal_article": "工作需要"}, MARKET, "INVALID_REQUEST"),
        ({"legal_article": ""}, MARKET, "INVALID_REQUEST"),
        ({"licence_id": str(uuid.uuid4())}, MARKET, "LICENCE_NOT_FOUND"),
    ):
        assert (
            await reason_of(duty_code(world, department=department, **({"licence_id": licence_id} | changed)))
            == reason
        )
    await case_handed_in(world, "case-1", closed=True)
    assert await reason_of(duty_code(world, licence_id)) == "USE_CODE_CASE_CLOSED"
    listed = (await uses(world, holder)).uses
    used = next(use for use in listed if use.kind == "consume")
    assert (used.mode, used.legal_article, used.basis) == (
        "statutory_duty",
        ARTICLE,
        pb.BASIS_STATUTORY_DUTY,
    )
    assert used.licence_version == 1
    assert sum(use.outcome == "USE_CODE_CASE_UNKNOWN" for use in listed) == 3


async def test_a_duty_reaches_the_licences_of_the_cases_parties_and_nobody_elses(world: World):
    holder, stranger = world.citizen(), world.citizen()
    mine, theirs = await world.stock_licence(holder), await world.stock_licence(stranger)
    await case_handed_in(world, "case-1", ("item-1", MARKET), of=holder)
    assert await duty_code(world, mine)
    assert await reason_of(duty_code(world, theirs)) == "LICENCE_NOT_FOUND"
    (tried,) = (await uses(world, stranger)).uses
    assert (tried.outcome, tried.consumer_code) == ("LICENCE_OF_ANOTHER_HOLDER", MARKET)
    world.parties.of_case.clear()
    assert await reason_of(duty_code(world, mine)) == "LICENCE_NOT_FOUND"


async def agent_issue(world: World, licence_id: str, holder: str, agent: str, entrustment_id: str, **changed):
    named = {
        "entrustment_id": entrustment_id,
        "agent_id_type_code": "111",
        "agent_id_number": agent,
    }
    return await issued(world, licence_id, holder, **(named | changed))


async def test_an_agent_issues_a_code_within_what_was_entrusted_and_both_are_on_record(world: World):
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    name = await entrusted(world, entrustment(world, holder, agent))
    code = await agent_issue(world, licence_id, holder, agent, name, consent_id="consent-7")
    assert (await consume(world, code)).holder_id_number == holder
    listed = {use.kind: use for use in (await uses(world, holder)).uses}
    assert (listed["issue"].mode, listed["issue"].entrustment_id) == ("entrustment", name)
    assert (listed["consume"].entrustment_id, listed["consume"].consent_id) == (name, "consent-7")
    stored = await world.count("select count(*) from entrustment where entrustment_id = $1", name)
    assert stored == 1


async def test_outside_what_was_entrusted_nothing_is_issued_each_time_for_its_reason(world: World):
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    good = await entrusted(world, entrustment(world, holder, agent))
    shows = await entrusted(world, entrustment(world, holder, agent, powers=["present"]))
    other_type = await entrusted(world, entrustment(world, holder, agent, types=["x"]))
    from_other = await entrusted(world, entrustment(world, world.citizen(), agent))
    now = int(world.clock().timestamp())
    ended = await entrusted(world, entrustment(world, holder, agent, nbf=now - 90, exp=now - 1))
    attempts = (
        (agent_issue(world, licence_id, holder, agent, "nobody"), "ENTRUSTMENT_UNKNOWN"),
        (agent_issue(world, licence_id, holder, world.citizen(), good), "ENTRUSTMENT_WRONG_PERSON"),
        (agent_issue(world, licence_id, holder, agent, from_other), "ENTRUSTMENT_WRONG_PERSON"),
        (agent_issue(world, licence_id, holder, agent, shows), "ENTRUSTMENT_OUT_OF_SCOPE"),
        (agent_issue(world, licence_id, holder, agent, other_type), "ENTRUSTMENT_OUT_OF_SCOPE"),
        (agent_issue(world, licence_id, holder, agent, good, item_code="item-2"), "ENTRUSTMENT_OUT_OF_SCOPE"),
        (agent_issue(world, licence_id, holder, agent, ended), "ENTRUSTMENT_EXPIRED"),
    )
    for attempt, reason in attempts:
        assert await reason_of(attempt) == reason
    assert len((await uses(world, holder)).uses) == len(attempts)
    forged = entrustment(world, holder, agent)[:-6] + "AAAAAA"
    assert await reason_of(entrusted(world, forged)) == "SIGNATURE_WRONG"
    twice = {"jti": "one-id"}
    assert await entrusted(world, entrustment(world, holder, agent, **twice)) == "one-id"
    other = entrustment(world, holder, world.citizen(), **twice)
    assert await reason_of(entrusted(world, other)) == "ENTRUSTMENT_DIFFERS"


async def test_taking_an_entrustment_back_takes_its_unused_codes_with_it(world: World):
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    name = await entrusted(world, entrustment(world, holder, agent))
    code = await agent_issue(world, licence_id, holder, agent, name)

    async def revoke(by: str) -> int:
        request = use_code_pb2.RevokeEntrustmentRequest(
            request_id=str(uuid.uuid4()),
            entrustment_id=name,
            holder_id_type_code="111",
            holder_id_number=by,
            reason="本人自办",
        )
        with world.as_intake():
            return int((await world.use_codes.RevokeEntrustment(request, None)).revoked_use_codes)

    assert await reason_of(revoke(agent)) == "ENTRUSTMENT_UNKNOWN"
    assert await revoke(holder) == 1
    assert await reason_of(consume(world, code)) == "USE_CODE_REVOKED"
    assert await reason_of(agent_issue(world, licence_id, holder, agent, name)) == "ENTRUSTMENT_REVOKED"


async def test_an_entrustment_altered_in_the_database_is_told(world: World):
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    name = await entrusted(world, entrustment(world, holder, agent, powers=["present"]))
    async with world.database.transaction() as tx:
        await tx.execute("update entrustment set powers = array['present', 'issue_use_code']")
    assert await reason_of(agent_issue(world, licence_id, holder, agent, name)) == "ROW_ALTERED"


async def test_twenty_parallel_callers_of_one_duty_code_succeed_once(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await case_handed_in(world, "case-1", ("item-1", MARKET), of=holder)
    code = await duty_code(world, licence_id)
    results = await asyncio.gather(*(consume(world, code) for _ in range(20)), return_exceptions=True)
    assert len([each for each in results if not isinstance(each, BaseException)]) == 1
    assert {each.code for each in results if isinstance(each, Fault)} == {"USE_CODE_SPENT"}
