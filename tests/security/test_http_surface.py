"""Every route of every service, found in the applications themselves: headers, fields, methods, CSRF, forwarding."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chassis.errors import INTERNAL
from chassis.web import web_app
from chassis.web.app import WebOptions
from services.certs.app.evidence import sharing_app
from services.intake.api import api_router
from services.notify.api import sandbox_routes

ALWAYS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}
PERMISSIONS = {"geolocation=()", "microphone=()", "payment=()", "camera=()"}
POLICY = {
    "frame-ancestors 'none'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "default-src 'self'",
}
CALLBACK = "/v1/sessions/oidc/callback"
"""Where a browser comes back from the platform: its cookie ties the answer to the question, and speaks for nobody;
``code`` is the platform's, good once and only with a secret that never left us."""
OWN_DOOR = ("/healthz", "/readyz", "/metrics", "/openapi.json")


class Broken:
    """Whatever a route asks of it fails, so that its error answer is seen."""

    def __getattr__(self, name: str) -> Any:
        raise INTERNAL(incident="of-a-test")


def application(service: str) -> FastAPI:
    """Return a service's door with nothing behind it."""
    app = web_app(service, options=WebOptions(behind_tls=True, show_documentation=True))
    if service == "intake":
        app.include_router(api_router(Broken()))  # type: ignore[arg-type]
    if service == "certs":
        app = sharing_app(Broken())  # type: ignore[arg-type]
    if service == "notify":
        app.include_router(sandbox_routes(Broken()))  # type: ignore[arg-type]
    return app


APPS = {name: application(name) for name in ("intake", "certs", "seal", "notify")}


def operations() -> Iterator[tuple[str, str, str]]:
    """Yield (service, method, path) of every route there is."""
    for service, app in APPS.items():
        for path, methods in app.openapi()["paths"].items():
            yield from ((service, method.upper(), path) for method in methods)
        yield from ((service, "GET", path) for path in OWN_DOOR)


OPERATIONS = [*operations()]


@pytest.fixture
async def clients() -> AsyncIterator[dict[str, httpx.AsyncClient]]:
    made = {
        name: httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="https://t.example"
        )
        for name, app in APPS.items()
    }
    yield made
    for each in made.values():
        await each.aclose()


def filled(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "00000000-0000-7000-8000-000000000000", path)


def guarded(answer: httpx.Response) -> None:
    assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
    assert {each.strip() for each in answer.headers["content-security-policy"].split(";")} >= POLICY
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert {each.strip() for each in answer.headers["permissions-policy"].split(",")} >= PERMISSIONS
    for forbidden in ("server", "x-powered-by", "set-cookie", "access-control-allow-origin"):
        assert forbidden not in answer.headers
    if answer.status_code >= 400 and answer.status_code != 503:
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("service", "method", "path"), OPERATIONS)
async def test_every_answer_of_every_route_is_guarded(clients, service: str, method: str, path: str) -> None:
    client, at = clients[service], filled(path)
    for given in (
        {},
        {"headers": {"authorization": "Bearer x", "x-terminal-id": "K"}},
        {"content": b"{", "headers": {"content-type": "application/json"}},
        {"content": b"\xff\xfe", "headers": {"content-type": "text/plain"}},
    ):
        guarded(await client.request(method, at, **given))


@pytest.mark.parametrize("service", APPS)
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PATCH", "OPTIONS", "PROPFIND", "DEBUG"])
async def test_a_method_that_no_route_takes_is_refused(clients, service: str, method: str) -> None:
    for path in ("/healthz", "/nowhere", "/v1/cases"):
        answer = await clients[service].request(method, path)
        assert answer.status_code in {404, 405}
        guarded(answer)


def test_every_json_body_refuses_unknown_fields_at_every_level() -> None:
    open_bodies = []
    for service, app in APPS.items():
        schema = app.openapi()
        shapes = schema.get("components", {}).get("schemas", {})
        for path, methods in schema["paths"].items():
            for method, described in methods.items():
                body = described.get("requestBody", {}).get("content", {}).get("application/json")
                if body:
                    open_bodies += [(service, method, path, name) for name in lax(body["schema"], shapes)]
    assert open_bodies == []


def lax(schema: dict[str, Any], shapes: dict[str, Any], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the shapes below a schema that take fields nobody named."""
    reference = schema.get("$ref", "").rpartition("/")[2]
    if reference and reference not in seen:
        shape = shapes[reference]
        if shape.get("type") == "object" and shape.get("additionalProperties", True) is not False:
            yield reference
        for each in shape.get("properties", {}).values():
            yield from lax(each, shapes, seen | {reference})
    for part in ("items", "anyOf", "allOf", "oneOf"):
        inner = schema.get(part, [])
        for each in inner if isinstance(inner, list) else [inner]:
            yield from lax(each, shapes, seen)


def test_nothing_but_a_bearer_token_speaks_for_a_person_so_there_is_nothing_to_forge() -> None:
    """CSRF: a browser adds cookies and client certificates by itself, never an Authorization header."""
    for app in APPS.values():
        schemes = app.openapi().get("components", {}).get("securitySchemes", {})
        assert {(each["type"], each["scheme"]) for each in schemes.values()} <= {("http", "bearer")}
        for path, methods in app.openapi()["paths"].items():
            for described in methods.values():
                cookies = {each["name"] for each in described.get("parameters", []) if each["in"] == "cookie"}
                assert cookies <= ({"__Host-tongban-log-in"} if path == CALLBACK else set())


def test_no_personal_value_may_stand_in_an_address() -> None:
    named = {"phone", "name", "id_number", "code", "token", "address", "receipt"}
    for app in APPS.values():
        for path, methods in app.openapi()["paths"].items():
            for described in methods.values():
                inside = {
                    each["name"]
                    for each in described.get("parameters", [])
                    if each["in"] in {"query", "path"}
                }
                assert not inside & named - ({"code"} if path == CALLBACK else set()), path


async def test_a_get_has_no_effect_under_another_name(clients) -> None:
    """The method is what was sent: no header or field overrides it."""
    for header in ("x-http-method-override", "x-method-override", "x-http-method"):
        answer = await clients["intake"].get("/v1/sessions", headers={header: "POST"})
        assert answer.status_code == 405
    assert (await clients["intake"].get("/v1/sessions?_method=POST")).status_code == 405
