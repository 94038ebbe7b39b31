"""The HTTP door without a socket: what a browser or kiosk may rely on in every answer."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import httpx
import pytest
from fastapi import Body, Depends, FastAPI, File
from pydantic import BaseModel, ConfigDict, Field

from chassis import errors
from chassis.auth import ActingPerson
from chassis.rpc.call import act_as, caller
from chassis.web import WebOptions, idempotency_key, web_app


class Applicant(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=5)]
    kind: Literal["person", "company"]


class Draft(BaseModel):
    item_code: str
    applicants: list[Applicant]


def service(**options: Any) -> FastAPI:
    options.setdefault("show_metrics", True)
    app = web_app("test", missing=lambda: ["schema"], options=WebOptions(**options))

    @app.post("/drafts")
    async def save_draft(draft: Draft, page: int = 1) -> dict[str, str]:
        return {"item": draft.item_code}

    @app.get("/refused")
    async def refused() -> None:
        raise errors.TOO_MANY_REQUESTS(retry_after_seconds=12.2, budget="otp")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret inside")

    @app.get("/forgotten")
    async def forgotten() -> None:
        raise errors.PEER_UNAVAILABLE(other="x")

    @app.get("/remaining")
    async def remaining() -> float | None:
        return caller().deadline_remaining_seconds

    async def logged_in() -> None:
        act_as(ActingPerson("p-1", 2), "token-1")

    @app.get("/own", dependencies=[Depends(logged_in)])
    async def own() -> list[str | None]:
        return [caller().acting().person_id, caller().token]

    @app.get("/cached")
    async def cached() -> Any:
        from starlette.responses import PlainTextResponse

        return PlainTextResponse("x", headers={"cache-control": "public, max-age=60"})

    @app.post("/upload", max_body_size=4000)
    async def upload(content: Annotated[bytes, File()]) -> int:
        return len(content)

    @app.post("/text")
    async def text(text: Annotated[str, Body(embed=True)]) -> int:
        return len(text)

    @app.post("/ignored")
    async def ignored() -> str:
        return "never read the body"

    @app.post("/once")
    async def once(key: Annotated[str, Depends(idempotency_key)], page: int = 0) -> str:
        return key

    return app


@pytest.fixture
async def client() -> Any:
    transport = httpx.ASGITransport(service(max_body_bytes=1000))
    async with httpx.AsyncClient(transport=transport, base_url="https://test") as opened:
        yield opened


async def test_every_wrong_field_is_named_at_once_and_no_value_comes_back(client) -> None:
    body = {"applicants": [{"name": "", "kind": "person"}, {"name": "欧阳欧阳欧阳", "kind": "城管", "id": 1}]}
    answer = await client.post("/drafts?page=x", json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "INVALID_REQUEST"
    assert {(each["field"], each["code"]) for each in problem["violations"]} == {
        ("page", "FIELD_MALFORMED"),
        ("item_code", "FIELD_REQUIRED"),
        ("applicants[0].name", "FIELD_REQUIRED"),
        ("applicants[1].name", "FIELD_TOO_LONG"),
        ("applicants[1].kind", "FIELD_MALFORMED"),
        ("applicants[1].id", "FIELD_UNKNOWN"),
    }
    long = next(each for each in problem["violations"] if each["code"] == "FIELD_TOO_LONG")
    assert (long["title"], long["title_en"]) == ("最多 5 个字符", "At most 5 characters")
    for each in (problem, *problem["violations"]):
        assert each["reason"] == each["code"]
        assert (each["detail"], each["detail_en"]) == (each["title"], each["title_en"])
    assert "欧阳" not in answer.text
    assert "城管" not in answer.text


async def test_a_missing_key_is_named_with_the_other_wrong_fields(client) -> None:
    async def wrong(**headers: str) -> dict[str, str]:
        answer = await client.post("/once?page=x", headers=headers)
        return {each["field"]: each["reason"] for each in answer.json()["violations"]}

    assert await wrong() == {"Idempotency-Key": "FIELD_REQUIRED", "page": "FIELD_MALFORMED"}
    for value in ("", "tap"):
        assert (await wrong(**{"Idempotency-Key": value})).keys() == {"Idempotency-Key", "page"}


async def test_a_fault_carries_texts_retry_time_and_ids(client) -> None:
    answer = await client.get("/refused", headers={"x-request-id": "kiosk-7-0001"})
    problem = answer.json()
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "13"
    assert problem["type"] == "urn:tongban:reason:TOO_MANY_REQUESTS"
    assert problem["metadata"] == {"budget": "otp"}
    assert problem["request_id"] == answer.headers["x-request-id"] == "kiosk-7-0001"
    assert problem["trace_id"] == answer.headers["traceparent"].split("-")[1]


async def test_the_trace_of_the_caller_goes_on(client) -> None:
    sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await client.get("/refused", headers={"traceparent": sent})
    assert answer.json()["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("path", ["/broken", "/forgotten"])
async def test_an_unexpected_error_shows_nothing_but_an_incident(client, path) -> None:
    answer = await client.get(path)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (500, "INTERNAL")
    assert problem["metadata"]["incident"] in problem["title"]
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_unknown_addresses_and_methods_are_problems_too(client) -> None:
    assert (await client.get("/nowhere")).json()["code"] == "ROUTE_UNKNOWN"
    wrong = await client.delete("/drafts")
    assert (wrong.status_code, wrong.json()["code"], wrong.headers["allow"]) == (
        405,
        "METHOD_UNKNOWN",
        "POST",
    )
    unreadable = await client.post("/drafts", content=b"{", headers={"content-type": "application/json"})
    assert [each["code"] for each in unreadable.json()["violations"]] == ["BODY_MALFORMED"]


async def chunks(count: int) -> Any:
    for _ in range(count):
        yield b"x" * 500


@pytest.mark.parametrize("path", ["/text", "/ignored"])
async def test_a_body_over_the_limit_is_refused_by_its_announced_length(client, path) -> None:
    answer = await client.post(path, json={"text": "x" * 2000})
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")
    assert answer.json()["metadata"] == {"limit_bytes": "1000"}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_body_over_the_limit_is_refused_while_it_streams(client) -> None:
    answer = await client.post("/text", content=chunks(10), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


async def test_a_route_may_have_its_own_limit(client) -> None:
    assert (await client.post("/upload", files={"content": b"x" * 3000})).json() == 3000
    answer = await client.post("/upload", files={"content": b"x" * 5000})
    assert answer.json()["metadata"] == {"limit_bytes": "4000"}


async def test_security_headers_are_set_and_give_way_to_the_route(client) -> None:
    answer = await client.get("/cached")
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")
    assert (await client.get("/refused")).headers["cache-control"] == "no-store"


async def test_calls_made_for_a_request_have_its_deadline(client) -> None:
    began = time.monotonic()
    assert 20 < (await client.get("/remaining")).json() <= 25
    assert time.monotonic() - began < 5


async def test_a_dependency_can_say_whom_the_rest_of_the_request_acts_for(client) -> None:
    assert (await client.get("/own")).json() == ["p-1", "token-1"]
    assert (await client.get("/remaining")).status_code == 200


async def test_operation_addresses_answer(client) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    unready = await client.get("/readyz")
    assert (unready.status_code, unready.json()["missing"]) == (503, ["schema"])
    metrics = (await client.get("/metrics")).text
    assert 'tongban_http_server_seconds_count{method="GET",route="/healthz",status="200"}' in metrics


@pytest.mark.parametrize(("key", "code"), [(None, "FIELD_REQUIRED"), ("17", "FIELD_MALFORMED")])
async def test_a_mutating_route_wants_an_idempotency_key(client, key, code) -> None:
    answer = await client.post("/once", headers={"idempotency-key": key} if key else {})
    assert [(each["field"], each["code"]) for each in answer.json()["violations"]] == [
        ("Idempotency-Key", code)
    ]
