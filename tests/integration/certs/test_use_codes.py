"""Use-codes on a real PostgreSQL: bound to everything, consumed once, every refusal on record."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import Fault
from tests.integration.certs.conftest import FIRE, MARKET, World, purpose
from tests.integration.certs.evidence_room import ARTICLE, case_handed_in, duty_code
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import use_code_pb2


def issue_request(world: World, licence_id: str, holder: str, **changed: object):
    now = world.clock()
    expires, consented = Timestamp(), Timestamp()
    expires.FromDatetime(now + timedelta(days=30))
    consented.FromDatetime(now)
    fields = {
        "request_id": str(uuid.uuid4()),
        "licence_id": licence_id,
        "holder_id_type_code": "111",
        "holder_id_number": holder,
        "item_code": "item-1",
        "case_id": "case-1",
        "consumer_code": MARKET,
        "face_fields": ["KZ_MC", "KZ_FDDBR"],
        "use_cause": "食品经营许可审查",
        "expires_at": expires,
        "max_uses": 1,
        "consent_version": "2026-1",
        "consented_at": consented,
    }
    return use_code_pb2.IssueUseCodeRequest(**(fields | changed))


async def issued(world: World, licence_id: str, holder: str, **changed: object) -> str:
    with world.as_intake():
        request = issue_request(world, licence_id, holder, **changed)
        return str((await world.use_codes.IssueUseCode(request, None)).use_code)


async def consume(world: World, code: str, department: str = MARKET, **changed: str):
    fields = {"request_id": str(uuid.uuid4()), "use_code": code, "item_code": "item-1", "case_id": "case-1"}
    request = use_code_pb2.ConsumeUseCodeRequest(**(fields | changed))
    with world.as_department(department):
        return await world.use_codes.ConsumeUseCode(request, None)


async def uses(world: World, holder: str, **page: object):
    request = use_code_pb2.ListUsesRequest(holder_id_type_code="111", holder_id_number=holder, **page)
    with world.as_intake():
        return await world.use_codes.ListUses(request, None)


async def test_the_named_department_gets_the_bound_fields_in_clear_and_nothing_else(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    code = await issued(world, licence_id, holder)
    answer = await consume(world, code)
    assert answer.holder_id_number == holder
    assert answer.licence.holder_name == "丰小玉"
    assert set(answer.licence.face) == {"KZ_MC", "KZ_FDDBR"}
    (event,) = await world.events("certs.LicenceUsed.v1")
    assert (event["licence_id"], event["consumer_code"], event["_version"]) == (licence_id, MARKET, 2)
    listed = (await uses(world, holder)).uses
    assert [(use.consumer_name, use.outcome, use.use_cause) for use in listed] == [
        ("上饶市广丰区市场监督管理局", "allowed", "食品经营许可审查")
    ]
    assert listed[0].basis == pb.BASIS_CONSENT


async def test_fifty_parallel_consumptions_of_one_code_succeed_once(world: World):
    holder = world.citizen()
    code = await issued(world, await world.stock_licence(holder), holder)
    results = await asyncio.gather(*(consume(world, code) for _ in range(50)), return_exceptions=True)
    done = [each for each in results if not isinstance(each, BaseException)]
    refused = [each for each in results if isinstance(each, Fault)]
    assert len(done) == 1
    assert {each.code for each in refused} == {"USE_CODE_SPENT"}
    assert len(refused) == 49
    assert len(await world.events("certs.LicenceUsed.v1")) == 1
    assert await world.count("select uses_left from use_code") == 0
    assert await world.count("select count(*) from usage where outcome = 'USE_CODE_SPENT'") == 49


async def test_fifty_parallel_repeats_of_one_request_are_one_use_with_one_answer(world: World):
    holder = world.citizen()
    code = await issued(world, await world.stock_licence(holder), holder)
    request_id = str(uuid.uuid4())
    answers = await asyncio.gather(*(consume(world, code, request_id=request_id) for _ in range(50)))
    assert len({answer.usage_id for answer in answers}) == 1
    assert await world.count("select count(*) from usage") == 1


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"department": FIRE}, "USE_CODE_WRONG_CONSUMER"),
        ({"item_code": "item-2"}, "USE_CODE_WRONG_ITEM"),
        ({"case_id": "case-2"}, "USE_CODE_WRONG_CASE"),
        ({"use_cause": "市场调查"}, "USE_CODE_WRONG_PURPOSE"),
    ],
)
async def test_a_misbound_consumption_is_refused_with_its_reason_and_recorded(world: World, changed, reason):
    holder = world.citizen()
    code = await issued(world, await world.stock_licence(holder), holder)
    with pytest.raises(Fault) as refused:
        await consume(world, code, **changed)
    assert refused.value.code == reason
    assert [use.outcome for use in (await uses(world, holder)).uses] == [reason]
    assert await world.count("select uses_left from use_code") == 1
    assert (await consume(world, code)).usage_id


async def test_expired_revoked_spent_and_unusable_are_each_refused_with_their_reason(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    spent, revoked, suspended, expired = [await issued(world, licence_id, holder) for _ in range(4)]
    await consume(world, spent)
    assert await reason_of(consume(world, spent)) == "USE_CODE_SPENT"
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    assert await reason_of(consume(world, suspended)) == "LICENCE_NOT_USABLE"
    assert await world.count("select count(*) from use_code where uses_left = 1") == 3
    with world.as_intake():
        request = use_code_pb2.RevokeUseCodesRequest(
            request_id=str(uuid.uuid4()), case_id="case-1", reason="申请人撤回"
        )
        assert (await world.use_codes.RevokeUseCodes(request, None)).revoked == 3
    assert await reason_of(consume(world, revoked)) == "USE_CODE_REVOKED"
    await set_status(world, licence_id, pb.LICENCE_STATUS_VALID)
    fresh = await issued(world, licence_id, holder)
    world.clock.offset += timedelta(days=31)
    assert await reason_of(consume(world, fresh)) == "USE_CODE_EXPIRED"
    assert await reason_of(consume(world, expired)) == "USE_CODE_REVOKED"
    assert await reason_of(consume(world, "guessed")) == "USE_CODE_UNKNOWN"
    outcomes = {use.outcome for use in (await uses(world, holder)).uses}
    assert outcomes == {
        "allowed",
        "USE_CODE_SPENT",
        "LICENCE_NOT_USABLE",
        "USE_CODE_REVOKED",
        "USE_CODE_EXPIRED",
    }
    assert await world.count("select count(*) from usage where outcome = 'USE_CODE_UNKNOWN'") == 1


async def reason_of(call: object) -> str:
    with pytest.raises(Fault) as refused:
        await call  # type: ignore[misc]
    return refused.value.code


async def set_status(world: World, licence_id: str, status: int) -> None:
    version = await world.count("select version from licence where licence_id = $1", uuid.UUID(licence_id))
    request = pb.ChangeLicenceStatusRequest(
        request_id=str(uuid.uuid4()),
        licence_id=licence_id,
        etag=f'"{version}"',
        status=status,  # type: ignore[arg-type]
        reason="监督检查发现问题",
        basis_document="饶广市监决字〔2026〕1号",
        operator="36110301Z1",
        second_person="36110302Z1",
    )
    with world.as_department():
        await world.licences.ChangeLicenceStatus(request, None)


async def test_nobody_gets_a_code_for_the_licence_of_another_holder(world: World):
    licence_id = await world.stock_licence(world.citizen())
    with world.as_intake(), pytest.raises(Fault) as refused:
        await world.use_codes.IssueUseCode(issue_request(world, licence_id, world.citizen()), None)
    assert refused.value.code == "LICENCE_NOT_FOUND"
    assert refused.value.kind.name == "NOT_FOUND"


async def test_a_repeated_issue_gives_the_same_code_and_other_content_is_refused(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    request = issue_request(world, licence_id, holder)
    with world.as_intake():
        answers = await asyncio.gather(*(world.use_codes.IssueUseCode(request, None) for _ in range(20)))
        assert len({answer.use_code for answer in answers}) == 1
        assert await world.count("select count(*) from use_code") == 1
        other = issue_request(world, licence_id, holder, request_id=request.request_id, case_id="case-9")
        with pytest.raises(Fault) as refused:
            await world.use_codes.IssueUseCode(other, None)
    assert refused.value.code == "REQUEST_ID_REUSED"


async def test_an_incomplete_binding_names_every_wrong_field_at_once(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    request = issue_request(
        world, licence_id, holder, case_id="", item_code="", use_cause=" ", max_uses=0, consent_version=""
    )
    with world.as_intake(), pytest.raises(Fault) as refused:
        await world.use_codes.IssueUseCode(request, None)
    assert {each.field_path for each in refused.value.violations} == {
        "case_id",
        "item_code",
        "use_cause",
        "max_uses",
        "consent_version",
    }


async def test_the_uses_come_in_pages_newest_first_without_loss(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    for _ in range(5):
        await consume(world, await issued(world, licence_id, holder))
        world.clock.offset += timedelta(seconds=1)
    seen, token = [], ""
    while True:
        page = await uses(world, holder, page_size=2, page_token=token)
        seen += [use.used_at.ToDatetime() for use in page.uses]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    assert (await uses(world, world.citizen())).uses == []


async def test_the_usage_record_cannot_be_changed(world: World):
    import asyncpg

    holder = world.citizen()
    code = await issued(world, await world.stock_licence(holder), holder)
    await consume(world, code)
    for statement in ("update usage set outcome = 'x'", "delete from usage"):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            async with world.database.transaction() as tx:
                await tx.execute(statement)


async def test_a_field_that_was_not_granted_and_another_holder_are_refused_with_their_reasons(world: World):
    holder = world.citizen()
    code = await issued(world, await world.stock_licence(holder), holder)
    other = {"holder_id_type_code": "111", "holder_id_number": world.citizen()}
    assert await reason_of(consume(world, code, face_fields=["KZ_ZS"])) == "USE_CODE_WRONG_FIELD"
    assert await reason_of(consume(world, code, **other)) == "USE_CODE_WRONG_HOLDER"
    assert await reason_of(consume(world, code, case_id="")) == "USE_CODE_CASE_EMPTY"
    assert await world.count("select uses_left from use_code") == 1
    seen = [use.outcome for use in (await uses(world, holder)).uses]
    assert sorted(seen) == ["USE_CODE_CASE_EMPTY", "USE_CODE_WRONG_FIELD", "USE_CODE_WRONG_HOLDER"]
    own = {"holder_id_type_code": "111", "holder_id_number": holder}
    answer = await consume(world, code, face_fields=["KZ_MC"], **own)
    assert set(answer.licence.face) == {"KZ_MC"}


async def test_a_code_for_no_case_or_a_closed_one_is_refused_and_recorded(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    await case_handed_in(world, "case-1", ("item-1", MARKET), closed=True)
    assert await reason_of(issued(world, licence_id, holder, case_id="")) == "USE_CODE_CASE_EMPTY"
    assert await reason_of(issued(world, licence_id, holder)) == "USE_CODE_CASE_CLOSED"
    other = world.citizen()
    assert await reason_of(issued(world, licence_id, other, case_id="case-2")) == "LICENCE_NOT_FOUND"
    listed = (await uses(world, holder)).uses
    assert {(use.kind, use.outcome) for use in listed} == {
        ("issue", "USE_CODE_CASE_EMPTY"),
        ("issue", "USE_CODE_CASE_CLOSED"),
        ("issue", "LICENCE_OF_ANOTHER_HOLDER"),
    }
    assert await world.count("select count(*) from use_code") == 0


async def test_no_code_is_issued_for_a_part_that_the_case_does_not_have(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    assert await issued(world, licence_id, holder)  # the case is a draft: only intake knows of it
    await case_handed_in(world, "case-1", ("item-1", MARKET), ("item-2", FIRE))
    assert await issued(world, licence_id, holder, item_code="item-2", consumer_code=FIRE)
    for other in ({"item_code": "item-99"}, {"consumer_code": FIRE}, {"item_code": "item-2"}):
        assert await reason_of(issued(world, licence_id, holder, **other)) == "USE_CODE_CASE_UNKNOWN"
    assert await world.count("select count(*) from use_code") == 2


async def test_the_consent_of_one_holder_shows_nothing_of_the_other(world: World):
    first, second = world.citizen(), world.citizen()
    shared = {"CZZT": "丰小玉^陈大山", "CZZTDMLXDM": "111^111", "KZ_FDDBR": f"陈大山（{second}）、丰小玉"}
    licence_id = await world.stock_licence(f"{first}^{second}", **shared)
    answer = await consume(world, await issued(world, licence_id, first))
    assert answer.licence.holder_name == "丰小玉、陈**"
    assert answer.holder_id_number.startswith(first)
    assert second not in str(answer)
    assert "陈大山" not in str(answer)
    theirs = await consume(world, await issued(world, licence_id, second))
    assert theirs.holder_id_number.endswith(second)
    assert first not in str(theirs)
    code = await issued(world, licence_id, first)
    async with world.database.transaction() as tx:
        await tx.execute("delete from use_code_holder")  # as with a code of an earlier release
    unknown = str(await consume(world, code))
    assert first not in unknown
    assert second not in unknown


async def test_a_statutory_duty_shows_every_holder(world: World):
    first, second = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(f"{first}^{second}", CZZT="丰小玉^陈大山", CZZTDMLXDM="111^111")
    await case_handed_in(world, "case-1", ("item-1", MARKET), of=second)
    answer = await consume(world, await duty_code(world, licence_id))
    assert answer.holder_id_number == f"{first}、{second}"


async def test_a_repeat_gets_its_answer_for_minutes_and_not_once_the_licence_is_out_of_force(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    code, again = await issued(world, licence_id, holder), {"request_id": str(uuid.uuid4())}
    first = await consume(world, code, **again)
    assert await consume(world, code, **again) == first
    world.clock.offset += timedelta(minutes=11)
    assert await reason_of(consume(world, code, **again)) == "USE_CODE_SPENT"
    other, again = await issued(world, licence_id, holder), {"request_id": str(uuid.uuid4())}
    assert await consume(world, other, **again)
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    assert await reason_of(consume(world, other, **again)) == "LICENCE_NOT_USABLE"
    outcomes = [use.outcome for use in (await uses(world, holder)).uses]
    assert outcomes == ["LICENCE_NOT_USABLE", "allowed", "USE_CODE_SPENT", "allowed"]


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", " - ", "\u2800"])
async def test_a_purpose_a_case_or_an_article_that_nobody_can_read_is_none(world: World, blank: str):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    assert await reason_of(issued(world, licence_id, holder, use_cause=blank)) == "INVALID_REQUEST"
    assert await reason_of(issued(world, licence_id, holder, case_id=blank)) == "USE_CODE_CASE_EMPTY"
    await case_handed_in(world, "case-1", ("item-1", MARKET), of=holder)
    for article in (blank, f"《{blank}》第一条"):
        assert await reason_of(duty_code(world, licence_id, legal_article=article)) == "INVALID_REQUEST"
    for wrong in ({"use_cause": blank}, {"basis": pb.BASIS_CONSENT, "case_id": blank}):
        asked = pb.GetLicenceRequest(licence_id=licence_id, purpose=purpose(**wrong))
        with world.as_department():
            assert await reason_of(world.licences.GetLicence(asked, None)) == "INVALID_REQUEST"


async def test_a_text_that_cannot_be_put_on_record_is_a_wrong_field(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    for name in ("use_cause", "item_code", "case_id", "consumer_code"):
        assert await reason_of(issued(world, licence_id, holder, **{name: "x\0"})) == "INVALID_REQUEST"
    code = await issued(world, licence_id, holder)
    for name in ("use_cause", "item_code", "case_id"):
        assert await reason_of(consume(world, code, **{name: "x\0"})) == "INVALID_REQUEST"
    for wrong in ({"case_id": "\0"}, {"case_id": "", "legal_article": f"{ARTICLE}\0"}):
        assert await reason_of(duty_code(world, licence_id, **wrong)) == "INVALID_REQUEST"


async def test_each_holder_of_a_shared_licence_sees_that_it_was_found_and_nothing_of_the_others_own(
    world: World,
):
    first, second = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(f"{first}^{second}", CZZT="丰小玉^丰大玉", CZZTDMLXDM="111^111")
    await world.stock_licence(second)
    asked = pb.FindLicencesRequest(holder_id_type_code="111", holder_id_number=second, purpose=purpose())
    with world.as_department():
        await world.licences.FindLicences(asked, None)
    assert len((await uses(world, second)).uses) == 2
    assert [use.licence_id for use in (await uses(world, first)).uses] == [licence_id]
