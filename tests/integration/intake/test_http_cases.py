from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.auth import read_jwks, verify_document
from cli.demo.supplying import paper
from services.intake.api.uploads import MAX_UPLOAD_BYTES
from services.intake.usecases.identity.ports import BusinessLicence
from standards.identifiers import build_uscc
from tests.integration.intake.stage import KIOSK, Stage, card, key, open_stage, own_licence
from tests.security.hostile_files import jpeg, ofd
from tests.stacks.postgres import PostgresServer

PHONE, OTHER_PHONE = "19900000001", "19900000002"
SHOP = build_uscc("92", "361123", "MATB0001")
PAPER = paper("test")
BUNDLE = {"kind": "bundle", "id": "open-restaurant"}
COUNTY = "361123"


@pytest.fixture
async def stage(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(postgres_server, tmp_path) as opened:
        yield opened


async def answers(stage: Stage) -> dict[str, str]:
    guide = (await stage.web.get("/v1/catalogue/bundles/open-restaurant/guide")).json()
    return {each["question_id"]: each["answers"][0]["value"] for each in guide["questions"]}


def filled(field: dict[str, Any]) -> str:
    if field["code"] == "business_uscc":
        return SHOP
    simple = {"mobile": "19900000000", "date": "2026-03-01", "uscc": SHOP}
    if field["type"] in simple:
        return simple[field["type"]]
    if field["type"] == "choice":
        return field["choices"][0]["value"]
    return (field["minimum"] or "1") if field["type"] == "number" else "测试"


async def begin(stage: Stage, entered: dict[str, str], **changed: Any) -> httpx.Response:
    body = {"target": BUNDLE, "county": COUNTY, "answers": await answers(stage), "form": {}}
    return await stage.web.post("/v1/cases", json=body | changed, headers=entered | key())


async def represented(stage: Stage) -> dict[str, str]:
    """Log in someone whom the shop's business licence names."""
    entered = await stage.enter(card(), PHONE)
    stage.registry.business[SHOP, card()["name"]] = BusinessLicence("licence-1", "玉山县测试小馆")
    made = await stage.web.post("/v1/me/organisations", json={"uscc": SHOP}, headers=entered)
    assert made.status_code == 201
    return entered


async def ready(stage: Stage, entered: dict[str, str]) -> str:
    case = (await begin(stage, entered)).json()
    path = f"/v1/cases/{case['case_id']}"
    form = {each["code"]: filled(each) for each in case["form_fields"]}
    assert (await stage.web.put(f"{path}/form", json={"form": form}, headers=entered)).status_code == 200
    lines = (await stage.web.get(f"{path}/materials", headers=entered)).json()
    for line in lines:
        material, supplies = line["need"]["material"]["code"], line["need"]["supplies"]
        if not supplies:
            continue
        if line["candidates"]:
            supply = {
                "kind": "licence",
                "agreed": True,
                "licence_id": line["candidates"][0]["licence_id"],
                "consent_version": "2026.1",
            }
        elif "upload" in supplies:
            sent = await upload(stage, entered, case["case_id"], material)
            assert sent.status_code == 200, sent.text
            continue
        else:
            supply = {"kind": supplies[-1], "agreed": True}
        put = await stage.web.put(f"{path}/materials/{material}", json={"supply": supply}, headers=entered)
        assert put.status_code == 200, put.text
    return str(case["case_id"])


async def upload(
    stage: Stage,
    entered: dict[str, str],
    case_id: str,
    material: str,
    content: bytes = PAPER,
    name: str = "扫描件.pdf",
) -> httpx.Response:
    return await stage.web.post(
        f"/v1/cases/{case_id}/materials/{material}/file",
        files={"file": (name, content, "application/octet-stream")},
        headers=entered,
    )


async def uploadable(stage: Stage, entered: dict[str, str], case_id: str) -> str:
    lines = (await stage.web.get(f"/v1/cases/{case_id}/materials", headers=entered)).json()
    return next(line["need"]["material"]["code"] for line in lines if "upload" in line["need"]["supplies"])


async def test_the_guide_tells_the_exact_list_to_everyone(stage: Stage) -> None:
    body = {"target": BUNDLE, "county": COUNTY, "answers": await answers(stage)}
    told = await stage.web.post("/v1/guides", json=body)
    assert told.status_code == 200
    assert len(told.json()["parts"]) == 3
    assert told.json()["materials"]
    missing = await stage.web.post("/v1/guides", json=body | {"answers": {}})
    assert missing.status_code == 400
    assert {each["code"] for each in missing.json()["violations"]} == {"GUIDE_ANSWER_MISSING"}


@pytest.mark.parametrize("path", ["items", "bundles"])
async def test_everything_of_the_catalogue_can_be_read(stage: Stage, path: str) -> None:
    listed = (await stage.web.get(f"/v1/catalogue/{path}")).json()
    assert listed
    for each in listed:
        name = each.get("item_id") or each["bundle_id"]
        for end in ("", "/guide"):
            assert (await stage.web.get(f"/v1/catalogue/{path}/{name}{end}")).status_code == 200
    assert (await stage.web.get(f"/v1/catalogue/{path}/none")).status_code == 404


async def test_a_case_goes_from_draft_to_a_receipt_that_anyone_can_verify(stage: Stage) -> None:
    entered = await represented(stage)
    case_id = await ready(stage, entered)
    once = key()
    path = f"/v1/cases/{case_id}/submit"
    receipt = await stage.web.post(path, headers=entered | once)
    assert receipt.status_code == 200, receipt.text
    again = await stage.web.post(path, headers=entered | once)
    assert again.content == receipt.content
    other = await stage.web.post(path, headers=entered | key())
    assert (other.status_code, other.json()["code"]) == (422, "CASE_ALREADY_SUBMITTED")
    assert other.json()["metadata"]["case_no"] == receipt.json()["case_no"]

    signed = receipt.json()["receipt"]
    jwks = (await stage.web.get("/.well-known/jwks.json")).json()
    assert "d" not in jwks["keys"][0]
    assert verify_document(signed, read_jwks(json.dumps(jwks))) == receipt.json()["document"]
    checked = await stage.web.post("/v1/verifications/receipt", json={"receipt": signed})
    assert checked.json()["genuine"] is True
    broken = await stage.web.post("/v1/verifications/receipt", json={"receipt": signed[:-6] + "AAAAAA"})
    assert broken.json() == {"genuine": False, "document": None}

    timeline = (await stage.web.get(f"/v1/cases/{case_id}/timeline", headers=entered)).json()
    assert "case_submitted" in {each["what"] for each in timeline}
    shown = (await stage.web.get(f"/v1/cases/{case_id}", headers=entered)).json()
    assert shown["state"] == "submitted"
    assert "use-" not in json.dumps(shown["supplies"])
    assert {order.consumer_code for order in stage.registry.orders} <= {
        part["department_code"] for part in shown["parts"]
    }


async def test_submitting_an_empty_case_names_everything_at_once(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    case = (await begin(stage, entered)).json()
    answer = await stage.web.post(f"/v1/cases/{case['case_id']}/submit", headers=entered | key())
    assert answer.status_code == 400
    fields = {each["field"] for each in answer.json()["violations"]}
    assert any(each.startswith("form.") for each in fields)
    assert any(each.startswith("materials.") for each in fields)
    assert fields == {each["field"] for each in case["problems"]}


async def test_the_same_key_makes_one_case_and_with_other_content_none(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    body = {"target": BUNDLE, "county": COUNTY, "answers": await answers(stage), "form": {}}
    once = key()
    first = await stage.web.post("/v1/cases", json=body, headers=entered | once)
    second = await stage.web.post("/v1/cases", json=body, headers=entered | once)
    assert first.status_code == second.status_code == 201
    assert first.json()["case_id"] == second.json()["case_id"]
    other = await stage.web.post("/v1/cases", json=body | {"county": "361103"}, headers=entered | once)
    assert other.json()["code"] == "REQUEST_ID_REUSED"
    listed = (await stage.web.get("/v1/cases", headers=entered)).json()
    assert [each["case_id"] for each in listed["cases"]] == [first.json()["case_id"]]


async def test_creating_needs_a_key_that_is_a_uuid(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    body = {"target": BUNDLE, "county": COUNTY, "answers": {}}
    for given in ({}, {"idempotency-key": "1"}):
        answer = await stage.web.post("/v1/cases", json=body, headers=entered | given)
        assert answer.status_code == 400
        assert [each["field"] for each in answer.json()["violations"]] == ["Idempotency-Key"]


async def test_the_list_of_cases_comes_in_pages(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    made = []
    for _ in range(3):
        stage.pass_time(seconds=1)
        made.append((await begin(stage, entered)).json()["case_id"])
    seen, token = [], ""
    while True:
        page = (
            await stage.web.get("/v1/cases", params={"page_size": 2, "page_token": token}, headers=entered)
        ).json()
        seen += [each["case_id"] for each in page["cases"]]
        token = page["next_page_token"]
        if not token:
            break
    assert seen == made[::-1]
    foreign = await stage.web.get("/v1/cases", params={"page_token": "x"}, headers=entered)
    assert foreign.status_code == 400


async def test_a_case_of_someone_else_is_no_case_at_all(stage: Stage) -> None:
    owner = await stage.enter(card(), PHONE)
    case_id = (await begin(stage, owner)).json()["case_id"]
    other = await stage.enter(card(78, "测试乙某"), OTHER_PHONE)
    none = "0198d3a5-0000-7000-8000-000000000001"
    calls = [
        ("GET", "", None),
        ("GET", "/timeline", None),
        ("GET", "/materials", None),
        ("GET", "/archive", None),
        ("PUT", "/form", {"form": {}}),
        ("POST", "/submit", {}),
        ("POST", "/supplements", {}),
        ("POST", "/withdraw", {}),
        ("POST", "/rating", {"grade": 5}),
        ("PUT", "/materials/x", {"supply": {"kind": "promise", "agreed": True}}),
    ]
    for method, end, body in calls:
        theirs, unknown = [
            await stage.web.request(method, f"/v1/cases/{each}{end}", json=body, headers=other | key())
            for each in (case_id, none)
        ]
        assert (theirs.status_code, theirs.json()["code"]) == (404, "CASE_NOT_FOUND"), end
        assert unknown.json()["code"] == "CASE_NOT_FOUND"
        assert (
            await stage.web.request(method, f"/v1/cases/{case_id}{end}", json=body, headers=key())
        ).status_code == 401


async def test_an_upload_is_what_its_content_says(stage: Stage) -> None:
    entered = await represented(stage)
    case_id = (await begin(stage, entered)).json()["case_id"]
    material = await uploadable(stage, entered, case_id)
    good = [
        (PAPER, "a.pdf", "application/pdf"),
        (jpeg(), "a.JPG", "image/jpeg"),
        (ofd(), "a.ofd", "application/ofd"),
    ]
    for content, name, media_type in good:
        answer = await upload(stage, entered, case_id, material, content, name)
        assert answer.status_code == 200, answer.text
        assert answer.json()["supplies"][material]["media_type"] == media_type
    bad = [(b"<html>", "a.pdf"), (PAPER, "a.png"), (b"PK\x05\x06 zip", "a.ofd"), (b"", "a.pdf")]
    for content, name in bad:
        answer = await upload(stage, entered, case_id, material, content, name)
        assert (answer.status_code, answer.json()["code"]) == (400, "UPLOAD_TYPE_UNKNOWN")


async def test_an_upload_over_twenty_megabytes_is_refused(stage: Stage) -> None:
    entered = await represented(stage)
    case_id = (await begin(stage, entered)).json()["case_id"]
    material = await uploadable(stage, entered, case_id)
    answer = await upload(stage, entered, case_id, material, b"%PDF-" + bytes(MAX_UPLOAD_BYTES + 100_000))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_submitted_case_can_be_rated_once_and_withdrawn(stage: Stage) -> None:
    entered = await represented(stage)
    case_id = await ready(stage, entered)
    path = f"/v1/cases/{case_id}"
    assert (await stage.web.post(f"{path}/submit", headers=entered | key())).status_code == 200
    bad = await stage.web.post(f"{path}/rating", json={"grade": 1}, headers=entered | key())
    assert bad.json()["violations"][0]["code"] == "BAD_RATING_NEEDS_REASON"
    body = {"grade": 2, "text": "等候太久"}
    rated = await stage.web.post(f"{path}/rating", json=body, headers=entered | key())
    assert rated.status_code == 201
    assert rated.json()["order_id"]
    twice = await stage.web.post(f"{path}/rating", json=body, headers=entered | key())
    assert twice.json()["code"] == "CASE_ALREADY_RATED"
    withdrawn = await stage.web.post(f"{path}/withdraw", json={}, headers=entered)
    assert withdrawn.json()["case"]["state"] == "withdrawn"
    assert withdrawn.json()["use_codes_revoked"] is True
    gone = await stage.web.get(f"{path}/archive", headers=entered)
    assert (gone.status_code, gone.json()["code"]) == (404, "CASE_NOT_ARCHIVED")


async def test_a_person_sees_shows_and_fetches_own_licences_only(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    stage.registry.held["111", card()["id_number"]] = [own_licence("own")]
    stage.registry.held["111", card(78)["id_number"]] = [own_licence("foreign")]
    listed = (await stage.web.get("/v1/licences", headers=entered)).json()
    assert [each["licence_id"] for each in listed] == ["own"]
    once = key()
    shown = await stage.web.post("/v1/licences/own/presentation", headers=entered | once)
    assert shown.status_code == 201
    again = await stage.web.post("/v1/licences/own/presentation", headers=entered | once)
    assert shown.json()["code"] == again.json()["code"]
    document = await stage.web.get("/v1/licences/own/document", headers=entered)
    assert document.headers["content-type"] == "application/ofd"
    pdf = await stage.web.get("/v1/licences/own/document?format=pdf", headers=entered)
    assert (pdf.content[:5], pdf.headers["content-type"]) == (b"%PDF-", "application/pdf")
    assert 'filename="licence.pdf"' in pdf.headers["content-disposition"]
    other = await stage.web.get("/v1/licences/own/document?format=docx", headers=entered)
    assert (other.status_code, other.json()["code"]) == (400, "INVALID_REQUEST")
    for answer in (
        await stage.web.post("/v1/licences/foreign/presentation", headers=entered | key()),
        await stage.web.get("/v1/licences/foreign/document", headers=entered),
        await stage.web.get("/v1/licences/foreign/document?format=pdf", headers=entered),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "OWN_LICENCE_NOT_FOUND")


async def test_public_verification_is_limited_by_source(stage: Stage) -> None:
    stage.registry.held["111", card()["id_number"]] = [own_licence("own")]
    first = await stage.web.post("/v1/verifications/presentation", json={"code": "x"})
    assert first.json()["verdict"] == "VALID"
    document = await stage.web.post("/v1/verifications/document", content=b"PK\x03\x04")
    assert document.json() == {"verdict": "UNSIGNED", "signatures": [], "is_annotated_copy": False}
    last = [await stage.web.post("/v1/verifications/receipt", json={"receipt": "x"}) for _ in range(30)][-1]
    assert (last.status_code, last.json()["code"]) == (429, "TOO_MANY_REQUESTS")


async def test_messages_are_listed_and_marked(stage: Stage) -> None:
    entered = await stage.enter(card(), PHONE)
    assert (await stage.web.get("/v1/messages", headers=entered)).json()["messages"] == []
    path = "/v1/messages/0198d3a5-0000-7000-8000-000000000001/read"
    assert (await stage.web.post(path, headers=entered)).status_code == 200
    assert (await stage.web.post(path)).status_code == 401


async def test_no_route_takes_personal_values_in_its_address(stage: Stage) -> None:
    document = (await stage.web.get("/openapi.json")).json()
    personal = {"name", "phone", "id_number", "uscc", "token", "code", "address"}
    taken = {
        parameter["name"]
        for path, methods in document["paths"].items()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] in {"path", "query"}
        # OpenID Connect sends its code this way: good once, and only for whom the attempt's verifier was kept.
        and (path, parameter["name"]) != ("/v1/sessions/oidc/callback", "code")
    }
    assert taken & personal == set()
    assert all(
        operation["summary"] and operation["description"]
        for methods in document["paths"].values()
        for operation in methods.values()
    )
    assert KIOSK in {each["terminal_id"] for each in (await stage.web.get("/v1/terminals")).json()}
