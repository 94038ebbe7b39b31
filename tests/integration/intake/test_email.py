"""A person's e-mail address: theirs to give and to take back, told to notify, encrypted at rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.intake.usecases.identity.contacts import get_contact
from tests.integration.intake.stage import Stage, card, open_stage
from tests.stacks.postgres import PostgresServer

EMAIL = "li.lei@example.org"


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def contact_email(stage: Stage, person_id: str) -> str:
    async with stage.log_in.open_work() as work:
        return (await get_contact(work, person_id, "notify", "case:c")).email


async def test_an_email_is_given_masked_told_to_notify_and_taken_back(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900001234")
    me = (await stage.web.get("/v1/me", headers=entered)).json()
    assert me["email_masked"] == "" == await contact_email(stage, me["person_id"])
    answer = await stage.web.put("/v1/me/email", json={"email": EMAIL}, headers=entered)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await contact_email(stage, me["person_id"]) == EMAIL
    masked = (await stage.web.get("/v1/me", headers=entered)).json()["email_masked"]
    assert masked.endswith("@example.org")
    assert masked != EMAIL
    async with stage.database.transaction() as tx:
        for row in await tx.fetch("select p::text as line from person p"):
            assert "li.lei" not in row["line"]
            assert EMAIL.encode().hex() not in row["line"]
    await stage.web.put("/v1/me/email", json={"email": None}, headers=entered)
    assert await contact_email(stage, me["person_id"]) == ""


@pytest.mark.parametrize(
    "email", ["x", "a@localhost", "a@b.example\r\nBcc: c@d.example", "a@b..example", "é@b.example"]
)
async def test_what_is_no_address_is_refused_by_field(stage: Stage, email: str) -> None:
    entered = await stage.enter(card(), "19900001234")
    answer = await stage.web.put("/v1/me/email", json={"email": email}, headers=entered)
    assert answer.status_code == 400
    assert [each["field"] for each in answer.json()["violations"]] == ["email"]
