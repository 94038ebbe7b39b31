"""Acting for an organisation: proved by its licence, ended with it, and by nobody else's word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from events.certs import LicenceStatusChanged
from services.intake.consumers import identity_handlers
from services.intake.store.identity import IdentityWorks
from services.intake.usecases.identity.ports import BusinessLicence
from standards.identifiers import build_uscc
from tests.integration.intake.stage import Stage, card, headers, open_stage
from tests.stacks.postgres import PostgresServer

PHONE, OTHER_PHONE = "19900000001", "19900000002"


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def test_a_person_acts_for_an_organisation_only_when_its_licence_names_them(stage: Stage) -> None:
    uscc = build_uscc("91", "361123", "TB900012")
    entered = await stage.enter(card(), PHONE)
    refused = await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=entered)
    assert (refused.status_code, refused.json()["code"]) == (422, "REPRESENTATION_NOT_CONFIRMED")
    stage.registry.business[uscc, card()["name"]] = BusinessLicence("licence-1", "玉山县测试餐饮店")
    made = await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=entered)
    assert made.status_code == 201
    organisation_id = made.json()["organisation_id"]
    again = await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=entered)
    assert again.json()["organisation_id"] == organisation_id
    acting = await stage.web.post(
        "/v1/sessions/current/acting", json={"organisation_id": organisation_id}, headers=entered
    )
    for_it = headers(acting.json()["access_token"])
    assert (await stage.web.get("/v1/me", headers=for_it)).json()["acting_for"] == organisation_id
    stop = await stage.web.delete(f"/v1/me/organisations/{organisation_id}", headers=entered)
    assert stop.status_code == 204
    assert (await stage.web.get("/v1/me", headers=for_it)).status_code == 401
    assert (await stage.web.get("/v1/me", headers=entered)).status_code == 200


async def test_a_business_licence_that_ends_ends_who_represents_by_it(stage: Stage) -> None:
    uscc = build_uscc("91", "361123", "TB900012")
    stage.registry.business[uscc, card()["name"]] = BusinessLicence("licence-1", "玉山县测试餐饮店")
    entered = await stage.enter(card(), PHONE)
    made = await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=entered)
    body = {"organisation_id": made.json()["organisation_id"]}
    acting = await stage.web.post("/v1/sessions/current/acting", json=body, headers=entered)
    for_it = headers(acting.json()["access_token"])
    (handler,) = identity_handlers(IdentityWorks(stage.database, stage.cipher).within)

    async def hear(licence_id: str, status: str, **ago: float) -> None:
        at = stage.now() - timedelta(**ago)
        event = LicenceStatusChanged(
            licence_id=licence_id,
            identifier="",
            previous="valid",
            status=status,
            effective_at=at,
            changed_at=at,
        )
        async with stage.database.transaction() as tx:
            await handler.apply(tx, event, None, None)

    await hear("licence-2", "revoked")
    await hear("licence-1", "suspended")
    await hear("licence-1", "expired", hours=1)
    assert (await stage.web.get("/v1/me", headers=for_it)).status_code == 200
    await hear("licence-1", "revoked")
    assert (await stage.web.get("/v1/me", headers=for_it)).status_code == 401
    again = await stage.web.post("/v1/sessions/current/acting", json=body, headers=entered)
    assert again.json()["code"] == "REPRESENTATION_NOT_FOUND"


async def test_a_namesake_does_not_come_to_represent_beside_who_does(stage: Stage) -> None:
    uscc = build_uscc("91", "361123", "TB900012")
    stage.registry.business[uscc, card()["name"]] = BusinessLicence("licence-1", "玉山县测试餐饮店")
    first = await stage.enter(card(), PHONE)
    await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=first)
    namesake = await stage.enter(card(78), OTHER_PHONE)
    refused = await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=namesake)
    assert (refused.status_code, refused.json()["code"]) == (422, "REPRESENTATION_CONTESTED")
    assert (await stage.web.get("/v1/me/organisations", headers=namesake)).json() == []


async def test_a_new_representative_takes_the_place_of_the_one_the_licence_names_no_more(
    stage: Stage,
) -> None:
    uscc = build_uscc("91", "361123", "TB900012")
    stage.registry.business[uscc, card()["name"]] = BusinessLicence("licence-1", "玉山县测试餐饮店")
    former = await stage.enter(card(), PHONE)
    await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=former)
    stage.registry.business[uscc, "测试乙某"] = stage.registry.business.pop((uscc, card()["name"]))
    latter = await stage.enter(card(78, "测试乙某"), OTHER_PHONE)
    made = await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=latter)
    assert made.status_code == 201
    assert (await stage.web.get("/v1/me/organisations", headers=former)).json() == []
    (own,) = (await stage.web.get("/v1/me/organisations", headers=latter)).json()
    assert own["uscc"] == uscc


async def test_nobody_acts_for_an_organisation_of_others(stage: Stage) -> None:
    uscc = build_uscc("91", "361123", "TB900012")
    stage.registry.business[uscc, card()["name"]] = BusinessLicence("licence-1", "玉山县测试餐饮店")
    owner = await stage.enter(card(), PHONE)
    made = await stage.web.post("/v1/me/organisations", json={"uscc": uscc}, headers=owner)
    other = await stage.enter(card(78, "测试乙某"), OTHER_PHONE)
    answer = await stage.web.post(
        "/v1/sessions/current/acting",
        json={"organisation_id": made.json()["organisation_id"]},
        headers=other,
    )
    assert (answer.status_code, answer.json()["code"]) == (404, "REPRESENTATION_NOT_FOUND")
