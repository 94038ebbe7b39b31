"""A holder entrusts an agent: kept encrypted with a code, signed, handed over once, open to revocation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.auth import public_keys, verify_document
from services.certs.domain.use_code import read_entrustment
from services.certs.domain.use_code.entrustment import ENTRUSTMENT_DIFFERS
from services.intake.usecases.entrusting import ENTRUSTMENTS_BY_PERSON
from services.intake.usecases.handing_over import WITHDRAWN, HandedOver, hand_over_waiting
from tests.integration.intake.stage import Stage, card, key, open_stage
from tests.stacks.postgres import PostgresServer

PATH = "/v1/entrustments"
BUSINESS = "11100000MB0143028R001"
HOLDER, AGENT = card()["id_number"], card(78)["id_number"]
WISH: dict[str, Any] = {
    "agent": {"id_type": "111", "id_number": AGENT},
    "licence_types": [BUSINESS],
    "items": [],
    "powers": ["present", "issue_use_code"],
    "valid_until": "2026-06-01T00:00:00+08:00",
}


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def entrust(
    stage: Stage, entered: dict[str, str], once: dict[str, str] | None = None, **changed: Any
) -> httpx.Response:
    return await stage.web.post(PATH, json=WISH | changed, headers=entered | (once or key()))


async def test_an_entrustment_is_signed_as_the_registry_reads_it_and_both_see_it(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    item = next(iter(stage.doors.catalogue().items.values())).offers[0].task_code
    made = await entrust(stage, entered, items=[item])
    assert made.status_code == 201, made.text
    told = made.json()
    assert (told["role"], told["state"], told["state_text"]["en"]) == ("given", "in_force", "in force")
    (statement,) = stage.holdings.recorded
    claims = verify_document(statement, public_keys([stage.token_key]), kind="entrustment")
    read = read_entrustment(claims)
    assert (read.entrustment_id, read.grantor, read.agent) == (
        told["entrustment_id"],
        ("111", HOLDER),
        ("111", AGENT),
    )
    assert (read.type_codes, read.item_codes, read.expires_at.isoformat()) == (
        (BUSINESS,),
        (item,),
        "2026-05-31T16:00:00+00:00",
    )
    assert AGENT not in made.text
    agent = await stage.enter(card(78, "测试乙某"), "19900000002")
    (got,) = (await stage.web.get(PATH, headers=agent)).json()["entrustments"]
    assert (got["role"], got["entrustment_id"]) == ("received", told["entrustment_id"])
    third = await stage.enter(card(79, "测试丙某"), "19900000003")
    assert (await stage.web.get(PATH, headers=third)).json()["entrustments"] == []


async def test_a_repeat_is_the_same_and_another_wish_under_the_key_is_refused(stage: Stage) -> None:
    entered, once = await stage.enter(card(), "19900000001"), key()
    first = await entrust(stage, entered, once)
    assert (await entrust(stage, entered, once)).json() == first.json()
    assert len(stage.holdings.recorded) == 1
    other = await entrust(stage, entered, once, powers=["present"])
    assert (other.status_code, other.json()["code"]) == (400, "REQUEST_ID_REUSED")
    listed = (await stage.web.get(PATH, params={"page_size": 1}, headers=entered)).json()
    assert (len(listed["entrustments"]), listed["next_page_token"]) == (1, "")


async def test_what_could_not_be_handed_over_waits_and_the_same_key_hands_it_over(stage: Stage) -> None:
    entered, once = await stage.enter(card(), "19900000001"), key()
    stage.holdings.is_down = True
    assert (await entrust(stage, entered, once)).status_code == 503
    (waiting,) = (await stage.web.get(PATH, headers=entered)).json()["entrustments"]
    assert waiting["state"] == "pending"
    stage.holdings.is_down = False
    stage.pass_time(days=1, seconds=-60)
    entered = await stage.enter(card(), None)
    again = await entrust(stage, entered, once)
    assert (again.status_code, again.json()["entrustment_id"]) == (201, waiting["entrustment_id"])
    assert (again.json()["state"], len(stage.holdings.recorded)) == ("in_force", 1)


async def test_every_wrong_field_is_named_at_once(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    wrong = {"agent": {"id_type": "111", "id_number": HOLDER}, "licence_types": ["x"], "powers": []}
    answer = await entrust(stage, entered, **wrong, items=["y"], valid_until="2036-01-01T00:00:00Z")
    assert {each["field"]: each["reason"] for each in answer.json()["violations"]} == {
        "agent.id_number": "AGENT_IS_GRANTOR",
        "licence_types[0]": "ENTRUSTED_TYPE_UNKNOWN",
        "items[0]": "ENTRUSTED_ITEM_UNKNOWN",
        "powers": "FIELD_REQUIRED",
        "valid_until": "ENTRUSTMENT_TERM",
    }
    bad = await entrust(stage, entered, agent={"id_type": "111", "id_number": AGENT[:-1] + "Y"})
    assert [each["field"] for each in bad.json()["violations"]] == ["agent.id_number"]
    assert stage.holdings.recorded == []


async def test_only_the_grantor_takes_it_back_and_the_registry_hears_first(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    name = (await entrust(stage, entered)).json()["entrustment_id"]
    back = f"{PATH}/{name}/revocation"
    agent = await stage.enter(card(78, "测试乙某"), "19900000002")
    assert (await stage.web.post(back, json={}, headers=agent | key())).status_code == 404
    stage.holdings.is_down = True
    assert (await stage.web.post(back, json={}, headers=entered | key())).status_code == 503
    assert (await stage.web.get(PATH, headers=entered)).json()["entrustments"][0]["state"] == "in_force"
    stage.holdings.is_down = False
    taken = await stage.web.post(back, json={"reason": "本人自办"}, headers=entered | key())
    assert (taken.json()["entrustment"]["state"], taken.json()["revoked_use_codes"]) == ("revoked", 2)
    assert stage.holdings.revoked == [(name, ("111", HOLDER), "本人自办")]


async def test_a_reason_that_says_nothing_does_not_keep_an_entrustment_in_force(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    name = (await entrust(stage, entered)).json()["entrustment_id"]
    taken = await stage.web.post(f"{PATH}/{name}/revocation", json={"reason": "——"}, headers=entered | key())
    assert taken.json()["entrustment"]["state"] == "revoked"
    assert stage.holdings.revoked == [(name, ("111", HOLDER), WITHDRAWN)]


async def test_no_number_lies_in_the_database_and_a_row_altered_there_is_told(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    await entrust(stage, entered)
    async with stage.database.transaction() as tx:
        row = await tx.fetchrow("select * from entrustment")
        assert row is not None
        seen = " ".join(str(value) for value in row.values())
        assert not {HOLDER, AGENT, BUSINESS} & set(seen.split())
        assert HOLDER.encode() not in row["content"]
        await tx.execute("update entrustment set expires_at = expires_at + interval '1 year'")
    assert (await stage.web.get(PATH, headers=entered)).status_code == 500


async def test_one_person_entrusts_so_often_a_day_and_not_more(stage: Stage) -> None:
    entered, once = await stage.enter(card(), "19900000001"), key()
    answers = [
        (await entrust(stage, entered, once)).status_code for _ in range(ENTRUSTMENTS_BY_PERSON.amount)
    ]
    assert set(answers) == {201}
    assert (await entrust(stage, entered, once)).status_code == 429


async def test_one_taken_back_while_it_is_handed_over_is_taken_back_at_the_registry_too(stage: Stage) -> None:
    entered, hand_over = await stage.enter(card(), "19900000001"), stage.holdings.record

    async def meanwhile(statement: str, request_id: str) -> None:
        await hand_over(statement, request_id)
        back = await stage.web.post(f"{PATH}/{request_id}/revocation", json={}, headers=entered | key())
        assert back.status_code == 200
        stage.holdings.revoked.clear()  # the registry did not have it yet

    stage.holdings.record = meanwhile  # type: ignore[method-assign]
    made = (await entrust(stage, entered)).json()
    assert made["state"] == "revoked"
    assert [name for name, *_ in stage.holdings.revoked] == [made["entrustment_id"]]


async def handed_over(stage: Stage) -> HandedOver:
    return await hand_over_waiting(stage.doors.open_entrustments, stage.doors.entrustments)


async def state_of(stage: Stage, entered: dict[str, str]) -> tuple[str, str]:
    (seen,) = (await stage.web.get(PATH, headers=entered)).json()["entrustments"]
    return seen["state"], seen["refusal"]


async def test_what_the_registry_did_not_answer_is_handed_over_later_once_and_seldomer(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    stage.holdings.is_down = True
    assert (await entrust(stage, entered)).status_code == 503
    assert await handed_over(stage) == HandedOver(), "the request itself may still be under way"
    turns = []
    for minutes in range(1, 16):
        stage.pass_time(minutes=1)
        if (await handed_over(stage)).waiting:
            turns.append(minutes)
    assert turns == [1, 3, 7, 15]
    entered = await stage.enter(card(), None)
    assert await state_of(stage, entered) == ("pending", "")
    stage.holdings.is_down = False
    stage.pass_time(minutes=16)
    both = await asyncio.gather(handed_over(stage), handed_over(stage))
    assert sum(each.recorded for each in both) == len(stage.holdings.recorded) == 1
    entered = await stage.enter(card(), None)
    assert await state_of(stage, entered) == ("in_force", "")
    stage.pass_time(days=1)
    assert await handed_over(stage) == HandedOver()


async def test_what_the_registry_refuses_for_good_is_shown_as_refused_and_not_tried_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = await stage.enter(card(), "19900000001")

    async def refuse(statement: str, request_id: str) -> None:
        raise ENTRUSTMENT_DIFFERS()

    monkeypatch.setattr(stage.holdings, "record", refuse)
    made = (await entrust(stage, entered)).json()
    assert (made["state"], made["refusal"]) == ("refused", "ENTRUSTMENT_DIFFERS")
    monkeypatch.undo()
    stage.pass_time(hours=1)
    assert await handed_over(stage) == HandedOver()
    assert stage.holdings.recorded == []
    entered = await stage.enter(card(), None)
    assert await state_of(stage, entered) == ("refused", "ENTRUSTMENT_DIFFERS")


async def test_one_taken_back_before_the_registry_had_it_is_never_handed_over(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    stage.holdings.is_down = True
    await entrust(stage, entered)
    stage.holdings.is_down = False
    (waiting,) = (await stage.web.get(PATH, headers=entered)).json()["entrustments"]
    name = waiting["entrustment_id"]
    await stage.web.post(f"{PATH}/{name}/revocation", json={}, headers=entered | key())
    stage.holdings.revoked.clear()
    stage.pass_time(minutes=2)
    assert (await handed_over(stage)).recorded == 1
    assert (stage.holdings.recorded, [each[0] for each in stage.holdings.revoked]) == ([], [name])
    stage.pass_time(hours=7)
    assert await handed_over(stage) == HandedOver()
    entered = await stage.enter(card(), None)
    assert await state_of(stage, entered) == ("revoked", "")


async def test_one_taken_back_while_the_worker_hands_it_over_is_taken_back_at_the_registry(
    stage: Stage,
) -> None:
    entered, hand_over = await stage.enter(card(), "19900000001"), stage.holdings.record
    stage.holdings.is_down = True
    await entrust(stage, entered)
    stage.holdings.is_down = False
    stage.pass_time(minutes=2)

    async def meanwhile(statement: str, request_id: str) -> None:
        await stage.web.post(f"{PATH}/{request_id}/revocation", json={}, headers=entered | key())
        stage.holdings.revoked.clear()  # the registry did not have it yet
        await hand_over(statement, request_id)

    stage.holdings.record = meanwhile  # type: ignore[method-assign]
    assert (await handed_over(stage)).recorded == 1
    assert len(stage.holdings.recorded) == len(stage.holdings.revoked) == 1
