"""The replay window: captured bytes sent again, clocks that are wrong, ids used twice, also after a restart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from chassis.auth.assertions import LEEWAY_SECONDS, LIFETIME_SECONDS
from services.intake.usecases.identity.sweeping import forget_expired
from tests.integration.intake.stage import KIOSK, Stage, card, open_stage
from tests.stacks.postgres import PostgresServer

pytestmark = [pytest.mark.promise("P20")]
PHONE = "19900000001"
WINDOW_SECONDS = LIFETIME_SECONDS + LEEWAY_SECONDS


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def captured(stage: Stage) -> bytes:
    """Return the bytes of a log-in that was let in."""
    body = json.dumps({"assertion": stage.assertion(card()), "reading": card(), "phone": PHONE}).encode()
    assert (await send(stage, body)).status_code == 202
    return body


async def send(stage: Stage, body: bytes) -> httpx.Response:
    return await stage.web.post("/v1/sessions", content=body, headers={"content-type": "application/json"})


def test_the_window_is_well_under_five_minutes() -> None:
    assert WINDOW_SECONDS <= 120


async def test_captured_bytes_open_nothing_at_any_time(stage: Stage) -> None:
    """At once, while the assertion lives, in its leeway, after it; with the sweep run each time."""
    body = await captured(stage)
    sent = len(stage.handset.sent)
    for _ in range(2 * WINDOW_SECONDS // 5):
        assert (await send(stage, body)).status_code == 401
        stage.pass_time(seconds=5)
        await forget_expired(stage.log_in)
    assert len(stage.handset.sent) == sent


@pytest.mark.parametrize("minutes", [-10, -5, -2, 2, 5, 10])
async def test_a_terminal_whose_clock_is_wrong_is_not_believed(stage: Stage, minutes: int) -> None:
    assertion = stage.assertion(card(), now=stage.now() + timedelta(minutes=minutes))
    answer = await stage.web.post(
        "/v1/sessions", json={"assertion": assertion, "reading": card(), "phone": PHONE}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "NOT_AUTHENTICATED")
    assert stage.handset.sent == []


@pytest.mark.parametrize("seconds", [-20, 20])
async def test_a_clock_that_is_a_little_off_is_believed(stage: Stage, seconds: int) -> None:
    assertion = stage.assertion(card(), now=stage.now() + timedelta(seconds=seconds))
    body = {"assertion": assertion, "reading": card(), "phone": PHONE}
    assert (await stage.web.post("/v1/sessions", json=body)).status_code == 202


async def test_a_restart_forgets_no_used_assertion(stage: Stage, postgres_server, tmp_path) -> None:
    """A second door over the same database, as after a restart, and as beside it."""
    from services.intake.store.identity import IdentityWorks
    from services.intake.store.identity.terminal_keys import AUDIENCE, TerminalKeys  # noqa: F401

    body = await captured(stage)
    proved = stage.log_in.terminals.prove(json.loads(body)["assertion"], card(), stage.now())
    async with AsyncExitStack() as stack:
        from chassis.db import Database

        database = await Database.open(stage.dsn, now=stage.now)
        stack.push_async_callback(database.close)
        async with IdentityWorks(database, stage.cipher)() as work:
            assert not await work.assertions.use(proved)


async def test_a_session_token_is_of_its_terminal_and_ends_with_its_session(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    assert (await stage.web.get("/v1/me", headers=entered)).status_code == 200
    stage.pass_time(minutes=10, seconds=1)
    late = await stage.web.get("/v1/me", headers=entered)
    assert (
        await stage.web.get("/v1/me", headers=entered | {"x-terminal-id": f"{KIOSK}x"})
    ).status_code == 401
    stage.pass_time(minutes=10)
    assert (await stage.web.get("/v1/me", headers=entered)).status_code == 401
    assert late.status_code in {200, 401}


async def test_a_code_that_was_taken_opens_nothing_twice(stage: Stage) -> None:
    opened = (await stage.open(card(), PHONE)).json()
    code = stage.handset.sent[-1]["code"]
    assert (await stage.verify(opened["session_id"], code)).status_code == 200
    assert (await stage.verify(opened["session_id"], code)).status_code == 401
    stage.pass_time(minutes=6)
    assert (await stage.verify(opened["session_id"], code)).status_code == 401
