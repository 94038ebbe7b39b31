"""A holder learns who used what, which fields, when, why and on which basis, and may dispute it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.intake.usecases.holdings import DISPUTES_BY_PERSON, EXPORTS_BY_PERSON
from tests.integration.intake.holdings import use_of
from tests.integration.intake.stage import Stage, card, key, open_stage, own_licence
from tests.stacks.postgres import PostgresServer

USES, DISPUTES = "/v1/licences/uses", "/v1/disputes"
HOLDER = "111", card()["id_number"]
WORDS = {"kind": "content", "statement": "经营场所登记有误"}


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        opened.registry.held[HOLDER] = [own_licence("l-1")]
        opened.holdings.used[HOLDER] = [use_of("l-1"), use_of("l-2", basis="statutory_duty", kind="answer")]
        yield opened


async def test_the_holder_reads_who_used_what_when_why_and_on_which_basis(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    first, second = (await stage.web.get(USES, headers=entered)).json()["uses"]
    assert (first["consumer_name"], first["face_fields"]) == ("玉山县某局", ["KZ_JYCS"])
    assert (first["consent_id"], first["use_cause"]) == ("consent-1", "核对经营场所")
    assert first["basis_text"] == {"zh": "经您同意", "en": "your consent"}
    assert second["kind_text"]["zh"] == "是否核验"
    given = {"licence_id": "l-2", "used_from": "2026-03-01T00:00:00+08:00"}
    (only,) = (await stage.web.get(USES, params=given, headers=entered)).json()["uses"]
    assert only["licence_id"] == "l-2"
    assert stage.holdings.asked[-1].used_from.isoformat() == "2026-02-28T16:00:00+00:00"
    other = await stage.enter(card(78, "测试乙某"), "19900000002")
    assert (await stage.web.get(USES, headers=other)).json() == {"uses": [], "next_page_token": ""}


@pytest.mark.parametrize(
    "moment", ["2026-03-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"]
)
async def test_a_moment_without_offset_or_out_of_our_time_is_named(stage: Stage, moment: str) -> None:
    entered = await stage.enter(card(), "19900000001")
    answer = await stage.web.get(USES, params={"used_from": moment}, headers=entered)
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["violations"]] == ["used_from"]


async def test_the_record_can_be_taken_away_signed_but_not_all_day(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    found = await stage.web.get(f"{USES}/export", headers=entered)
    assert found.json() == {"signed": "a.b.c", "salt": "salt", "uses": 2, "next_page_token": ""}
    answers = [
        (await stage.web.get(f"{USES}/export", headers=entered)).status_code
        for _ in range(EXPORTS_BY_PERSON.amount)
    ]
    assert set(answers[:-1]) == {200}
    assert answers[-1] == 429


async def opened(stage: Stage, entered: dict[str, str], **said: Any) -> Any:
    path = "/v1/licences/l-1/disputes"
    return await stage.web.post(path, json=WORDS | said, headers=entered | key())


async def test_a_dispute_is_opened_once_per_key_seen_and_taken_back(stage: Stage) -> None:
    entered, once = await stage.enter(card(), "19900000001"), key()
    path = "/v1/licences/l-1/disputes"
    made = await stage.web.post(path, json=WORDS, headers=entered | once)
    assert made.status_code == 201, made.text
    assert (await stage.web.post(path, json=WORDS, headers=entered | once)).content == made.content
    (listed,) = (await stage.web.get(DISPUTES, headers=entered)).json()["disputes"]
    assert (listed["state"], listed["state_text"]["zh"]) == ("opened", "已提出")
    assert listed["statement"] == WORDS["statement"]
    back = f"{DISPUTES}/{listed['dispute_id']}/withdrawal"
    stale = await stage.web.post(back, json={"etag": "0"}, headers=entered | key())
    assert stale.json()["code"] == "ETAG_MISMATCH"
    taken = await stage.web.post(back, json={"etag": listed["etag"]}, headers=entered | key())
    assert (taken.status_code, taken.json()["state"]) == (200, "withdrawn")


async def test_a_stranger_neither_disputes_nor_sees_nor_takes_back(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    dispute = (await opened(stage, entered)).json()
    other = await stage.enter(card(78, "测试乙某"), "19900000002")
    assert (await opened(stage, other)).status_code == 404
    assert (await stage.web.get(DISPUTES, headers=other)).json()["disputes"] == []
    back = f"{DISPUTES}/{dispute['dispute_id']}/withdrawal"
    taken = await stage.web.post(back, json={"etag": dispute["etag"]}, headers=other | key())
    assert taken.status_code == 404


async def test_one_person_opens_so_many_disputes_a_day_and_not_more(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    for _ in range(DISPUTES_BY_PERSON.amount):
        assert (await opened(stage, entered)).status_code == 201
    refused = await opened(stage, entered)
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert "retry-after" in refused.headers
