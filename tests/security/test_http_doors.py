"""Hostile files at intake's HTTP doors: refused, nothing kept, within a quota; and what a refusal carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.intake.clients.files import FileInspector
from services.intake.usecases.identity.ports import Allowance
from tests.integration.intake.stage import Stage, card, open_stage
from tests.integration.intake.test_http_cases import begin, upload, uploadable
from tests.security.hostile_files import CORPUS, jpeg, pdf
from tests.stacks.postgres import PostgresServer

pytestmark = [pytest.mark.promise("P22")]
SMALL = [each for each in CORPUS if each.refused_as and "bomb" not in each.what]


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def test_every_hostile_upload_is_refused_whole_and_nothing_is_kept(
    stage: Stage, tmp_path: Path
) -> None:
    entered = await stage.enter(card(), "19900000001")
    case_id = (await begin(stage, entered)).json()["case_id"]
    material = await uploadable(stage, entered, case_id)
    for each in SMALL:
        answer = await upload(stage, entered, case_id, material, each.make(), each.name)
        assert answer.status_code == 400, (each.what, answer.text)
        problem = answer.json()
        codes = {problem["code"], *(found["code"] for found in problem.get("violations", ()))}
        assert codes & set(each.refused_as), (each.what, codes)
    assert [each for each in (tmp_path / "files").rglob("*") if each.is_file()] == []
    case = (await stage.web.get(f"/v1/cases/{case_id}", headers=entered)).json()
    assert case["supplies"] == {}


async def test_what_is_kept_is_what_was_inspected(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    case_id = (await begin(stage, entered)).json()["case_id"]
    material = await uploadable(stage, entered, case_id)
    sent = jpeg(comment=b"where it was taken")
    supply = (await upload(stage, entered, case_id, material, sent, "a.jpg")).json()["supplies"][material]
    assert supply["media_type"] == "image/jpeg"
    assert supply["size_bytes"] < len(sent)


async def test_a_person_has_a_quota_of_bytes_across_cases(stage: Stage, monkeypatch) -> None:
    from services.intake.usecases import uploads

    monkeypatch.setattr(uploads, "UPLOADED_MIB_BY_PERSON", Allowance("uploaded_mib_by_person", 3, 86_400))
    entered = await stage.enter(card(), "19900000001")
    case_id = (await begin(stage, entered)).json()["case_id"]
    material = await uploadable(stage, entered, case_id)
    for _ in range(3):
        assert (await upload(stage, entered, case_id, material, pdf(), "a.pdf")).status_code == 200
    refused = await upload(stage, entered, case_id, material, pdf(), "a.pdf")
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert refused.json()["metadata"] == {"budget": "uploaded_mib_by_person"}
    assert int(refused.headers["retry-after"]) > 3_600


async def test_guessing_codes_is_limited_by_source_and_counted(stage: Stage) -> None:
    from services.intake.api.verifications import MISSES, MISSES_BY_SOURCE

    before = MISSES.labels("presentation")._value.get()
    answers = []
    for number in range(MISSES_BY_SOURCE.amount + 3):
        stage.pass_time(seconds=3)
        answers.append(
            await stage.web.post("/v1/verifications/presentation", json={"code": f"guess-{number}"})
        )
    codes = [each.status_code for each in answers]
    assert codes == [404] * MISSES_BY_SOURCE.amount + [429] * 3
    assert MISSES.labels("presentation")._value.get() - before == MISSES_BY_SOURCE.amount
    stage.pass_time(seconds=3_601)
    assert (await stage.web.post("/v1/verifications/presentation", json={"code": "x"})).status_code == 404


async def test_uploads_at_the_same_time_each_meet_the_gate(stage: Stage) -> None:
    inspector = FileInspector()
    found = await asyncio.gather(*(inspector.inspect(jpeg(), "image/jpeg") for _ in range(4)))
    assert len(set(found)) == 1
