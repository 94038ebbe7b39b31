"""The authorisation matrix of HTTP: every route × every wrong bearer, and other citizens' objects."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from chassis.auth import ActingPerson, DocumentSigner, TokenSigner, new_signing_key
from chassis.service import TOKEN_ISSUER, Runtime
from services.intake.app import end_all_sessions
from services.intake.domain.identity.session import new_session
from services.intake.usecases.identity.verifying import logged_in
from tests.integration.intake.stage import KIOSK, OTHER_KIOSK, Stage, card, headers, key, open_stage
from tests.integration.intake.test_http_cases import answers, begin
from tests.security.hostile_files import pdf
from tests.security.rights import ITEM, LEVELS, OWN_CASE, OWN_LICENCE, OWN_OTHER, PUBLIC, ROLES, ROUTES
from tests.stacks.postgres import PostgresServer

pytestmark = [pytest.mark.promise("P24")]
NOBODY = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


def routes(stage: Stage) -> set[str]:
    paths = stage.app.openapi()["paths"].items()
    return {f"{method.upper()} {path}" for path, methods in paths for method in methods}


async def test_every_route_has_its_row_and_no_row_is_left_over(stage: Stage) -> None:
    assert routes(stage) == set(ROUTES)
    assert set(LEVELS) == {route for route, right in ROUTES.items() if right != PUBLIC}


BODIES: dict[str, dict[str, Any]] = {
    "PUT /v1/cases/{case_id}/form": {"json": {"form": {}}},
    "PUT /v1/cases/{case_id}/materials/{material_code}": {
        "json": {"supply": {"kind": "promise", "agreed": True}}
    },
    "POST /v1/cases/{case_id}/materials/{material_code}/file": {"files": {"file": ("a.pdf", pdf(), "x/y")}},
    "POST /v1/cases/{case_id}/submit": {"json": {}},
    "POST /v1/cases/{case_id}/supplements": {"json": {}},
    "POST /v1/cases/{case_id}/withdraw": {"json": {}},
    "POST /v1/cases/{case_id}/rating": {"json": {"grade": 5}},
    "POST /v1/sessions/current/acting": {"json": {}},
    "PUT /v1/me/email": {"json": {"email": None}},
    "POST /v1/licences/{licence_id}/disputes": {"json": {"kind": "content", "statement": "姓名有误"}},
    "POST /v1/entrustments": {
        "json": {
            "agent": {"id_type": "111", "id_number": "11010519491231002X"},
            "licence_types": ["11100000MB0143028R001"],
            "powers": ["present"],
            "valid_until": "2026-06-01T00:00:00+08:00",
        }
    },
    "POST /v1/entrustments/{entrustment_id}/revocation": {"json": {}},
    "POST /v1/disputes/{dispute_id}/withdrawal": {"json": {"etag": "1"}},
    "POST /v1/me/organisations": {"json": {"uscc": "91361123MATB00012X"}},
}


async def ask(stage: Stage, route: str, entered: dict[str, str], **ids: str) -> httpx.Response:
    method, path = route.split(" ")
    at = re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], NOBODY), path)
    return await stage.web.request(method, at, headers=entered | key(), **BODIES.get(route, {}))


async def test_behind_a_log_in_no_wrong_bearer_opens_anything(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    good = entered["authorization"].removeprefix("Bearer ")
    person = stage_person(stage, good)
    own = TokenSigner(stage.token_key, TOKEN_ISSUER, now=stage.now)
    wrong: dict[str, dict[str, str]] = {
        "no token": {"x-terminal-id": KIOSK},
        "no terminal": {"authorization": f"Bearer {good}"},
        "another terminal": headers(good, OTHER_KIOSK),
        "an unknown terminal": headers(good, "KIOSK-000000-00"),
        "another scheme": {"authorization": f"Basic {good}", "x-terminal-id": KIOSK},
        "an assertion": headers(stage.assertion(card())),
        "a receipt": headers(DocumentSigner(stage.token_key).sign_document({"a": 1}, kind="receipt")),
        "another audience": headers(own.sign(person, audience="elsewhere")),
        "another issuer": headers(TokenSigner(stage.token_key, "x", now=stage.now).sign(person)),
        "another key": headers(TokenSigner(new_signing_key(), TOKEN_ISSUER, now=stage.now).sign(person)),
        "another citizen": headers(own.sign(replace(person, person_id=NOBODY))),
        "another session": headers(own.sign(replace(person, session_id=NOBODY))),
        "no session": headers(own.sign(replace(person, session_id=None))),
        "an organisation not represented": headers(own.sign(replace(person, acting_for=NOBODY))),
        "expired": headers(
            TokenSigner(stage.token_key, TOKEN_ISSUER, now=lambda: stage.now() - timedelta(hours=1)).sign(
                person
            )
        ),
    }
    for route, right in sorted(ROUTES.items()):
        if right == PUBLIC:
            continue
        for what, given in wrong.items():
            answer = await ask(stage, route, given)
            assert answer.status_code == 401, (route, what, answer.text)
            assert answer.json()["code"] == "NOT_AUTHENTICATED"
    assert (await stage.web.get("/v1/me", headers=entered)).status_code == 200


def stage_person(stage: Stage, token: str) -> ActingPerson:
    from chassis.auth import TokenVerifier, public_keys

    return TokenVerifier(public_keys([stage.token_key]), TOKEN_ISSUER, now=stage.now).verify(token)


async def test_another_citizens_object_and_one_that_is_not_there_have_the_same_answer(stage: Stage) -> None:
    holder = await stage.enter(card(), "19900000001")
    case_id = (await begin(stage, holder)).json()["case_id"]
    stage.pass_time(seconds=61)
    other = await stage.enter(card(78, "测试乙某"), "19900000002")
    for route, right in sorted(ROUTES.items()):
        if right not in {OWN_CASE, OWN_LICENCE, OWN_OTHER}:
            continue
        theirs = await ask(stage, route, other, case_id=case_id, material_code="floor_plan")
        nobodys = await ask(stage, route, other, material_code="floor_plan")
        assert theirs.status_code == nobodys.status_code == 404, (route, theirs.text, nobodys.text)
        assert theirs.json()["code"] == nobodys.json()["code"], route
        assert theirs.json().get("metadata") == nobodys.json().get("metadata"), route
    listed = (await stage.web.get("/v1/cases", headers=other)).json()
    assert case_id not in str(listed)
    assert (await stage.web.get(f"/v1/cases/{case_id}", headers=holder)).status_code == 200
    assert await answers(stage)


async def weaker(stage: Stage, person_id: str, assurance: int) -> dict[str, str]:
    """Return the headers of a session of a person that proved less than a card at a kiosk does."""
    session = new_session(str(uuid.uuid4()), person_id, KIOSK, assurance, stage.now())
    async with stage.log_in.open_work() as work:
        await work.sessions.add(session)
    return headers(logged_in(stage.log_in, session, stage.now()).token)


async def test_a_weaker_log_in_does_nothing_that_asks_for_a_stronger_one(stage: Stage) -> None:
    strong = await stage.enter(card(), "19900000001")
    case_id = (await begin(stage, strong)).json()["case_id"]
    person_id = (await stage.web.get("/v1/me", headers=strong)).json()["person_id"]
    for assurance in (1, 2):
        for route, level in sorted(LEVELS.items(), key=lambda each: each[0].startswith("DELETE")):
            entered = await weaker(stage, person_id, assurance)
            if route == "POST /v1/cases":
                answer = await begin(stage, entered)
            else:
                answer = await ask(stage, route, entered, case_id=case_id, material_code="floor_plan")
            if level == ITEM:
                found = answer.status_code, answer.json()["code"]
                assert found == (403, "REAL_NAME_LEVEL_TOO_LOW"), (route, answer.text)
            else:
                assert answer.status_code not in {401, 403}, (route, answer.text)
    case = (await stage.web.get(f"/v1/cases/{case_id}", headers=strong)).json()
    assert (case["state"], case["form"]) == ("draft", {})
    assert stage.registry.orders == [], "no use-code was asked for"


@pytest.mark.parametrize("role", ROLES)
async def test_an_administrators_role_opens_nothing(stage: Stage, role: str) -> None:
    holder = await stage.enter(card(), "19900000001")
    case_id = (await begin(stage, holder)).json()["case_id"]
    stage.pass_time(seconds=61)
    other = await stage.enter(card(78, "测试乙某"), "19900000002")
    own = TokenSigner(stage.token_key, TOKEN_ISSUER, now=stage.now)
    citizen = replace(stage_person(stage, other["authorization"].removeprefix("Bearer ")), roles=(role,))
    nobody = replace(citizen, person_id=NOBODY, session_id=NOBODY)
    for route, right in sorted(ROUTES.items(), key=lambda each: each[0].startswith("DELETE")):
        if right == PUBLIC:
            continue
        without = await ask(stage, route, headers(own.sign(nobody)), case_id=case_id)
        assert without.status_code == 401, route
        if right in {OWN_CASE, OWN_LICENCE, OWN_OTHER}:
            given = headers(own.sign(citizen))
            answer = await ask(stage, route, given, case_id=case_id, material_code="floor_plan")
            assert answer.status_code == 404, (route, answer.text)


async def test_an_operator_ends_the_sessions_of_one_person_or_of_all(stage: Stage) -> None:
    first = await stage.enter(card(), "19900000001")
    again = headers(
        (await stage.web.post("/v1/sessions/current/acting", json={}, headers=first)).json()["access_token"]
    )
    stage.pass_time(seconds=61)
    second = await stage.enter(card(78, "测试乙某"), "19900000002")
    person_id = (await stage.web.get("/v1/me", headers=first)).json()["person_id"]

    async def ended(whose: str | None) -> int:
        runtime = SimpleNamespace(database=stage.database, cipher=stage.cipher)
        return await end_all_sessions(cast("Runtime", runtime), whose)

    assert await ended(NOBODY) == 0
    assert await ended(person_id) == 1
    for entered, status in ((first, 401), (again, 401), (second, 200)):
        assert (await stage.web.get("/v1/me", headers=entered)).status_code == status
    assert await ended(person_id) == 0
    assert await ended(None) == 1
    assert (await stage.web.get("/v1/me", headers=second)).status_code == 401


async def test_an_ended_session_and_a_late_one_open_nothing_on_the_next_call(stage: Stage) -> None:
    entered = await stage.enter(card(), "19900000001")
    assert (await stage.web.delete("/v1/sessions/current", headers=entered)).status_code == 204
    for route, right in sorted(ROUTES.items()):
        if right != PUBLIC:
            assert (await ask(stage, route, entered)).status_code == 401, route
