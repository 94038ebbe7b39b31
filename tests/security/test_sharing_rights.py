"""The authorisation matrix of the sharing door: every route × every wrong caller; nothing opens, all answer alike."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from chassis.rpc.peer import Peer
from chassis.rpc.suspended import SuspendedCallers
from chassis.web.client import CHAIN, EXTENSION
from cli.local.authority import Authority, open_authority
from services.certs.api import Door
from services.certs.app.evidence import sharing_app
from tests.security.rights import SHARING
from tests.security.test_http_surface import Broken

pytestmark = [pytest.mark.promise("P24")]
OFFICE = "11361103TB1000011X"
BODIES: dict[str, dict[str, Any]] = {
    "POST /queryCertCatalog": {},
    "POST /queryCertList": {"holderCode": "x", "certTypeCode": "x"},
    "POST /queryCertInfoByHolderCode": {"holderCode": "x", "holderTypeCode": "111", "certTypeCode": "x"},
    "POST /queryCertInfo": {"certIdentifier": "x"},
    "POST /queryCertInfoByQRcode": {"qrcode": "TB2.x"},
    "POST /getCertRemark": {"certTypeCode": "x"},
    "POST /downloadUrl": {"certIdentifier": "x"},
    "POST /downloadUrlByHolderCode": {"holderCode": "x", "holderTypeCode": "111", "certTypeCode": "x"},
    "POST /previewCert": {"certIdentifier": "x"},
    "POST /downloadFile": {"certificateIdentifier": "x", "fileType": "ofd"},
    "POST /verifyCertInfo": {"certTypeCode": "x", "certData": {"holderCode": "x"}},
    "POST /verifyFile": {"certTypeCode": "x", "contentType": "base64", "content": "eA=="},
}


class Watched(Broken):
    """Behind the door: whoever gets this far was let in."""

    def __init__(self) -> None:
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.__dict__["asked"] += 1
        return super().__getattr__(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("ca"))


def shown(app: FastAPI, pem: str | None) -> Any:
    """Return the application as a connection that shows a certificate would see it."""

    async def knowing(scope: Any, receive: Any, send: Any) -> None:
        given = {**scope, "extensions": {EXTENSION: {CHAIN: [pem]}}} if pem else scope
        await app(given, receive, send)

    return knowing


def door(inner: Watched, suspended: Path) -> Door:
    nothing: Any = inner
    named: Any = {}

    class Departments:
        def find(self, code: str) -> Any:
            return type("Department", (), {"name": code})

    listed: Any = Departments()
    return Door(
        nothing,
        nothing,
        nothing,
        nothing,
        listed,
        nothing,
        nothing,
        named,
        SuspendedCallers(suspended),
        nothing,
    )


def test_every_route_has_its_row_and_no_row_is_left_over() -> None:
    paths = sharing_app(Broken()).openapi()["paths"].items()  # type: ignore[arg-type]
    assert {f"{method.upper()} {path}" for path, methods in paths for method in methods} == SHARING
    assert set(BODIES) == {each for each in SHARING if each.startswith("POST")}


def test_the_page_of_the_door_names_every_route_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "sharing.md").read_text("utf-8")
    assert set(re.findall(r"`((?:GET|POST) /[^`]*)`", page)) == SHARING


@pytest.mark.parametrize("route", sorted(SHARING))
async def test_a_route_opens_to_a_departments_certificate_and_to_no_other(
    route: str, authority: Authority, tmp_path: Path
) -> None:
    inner, suspended = Watched(), tmp_path / "suspended.txt"
    app = sharing_app(door(inner, suspended))
    method, path = route.split(" ")
    at = re.sub(r"\{[^}]+\}", "AAAAAAAAAAAA", path)

    async def ask(peer: Peer | None, access_id: str = "") -> Any:
        pem = authority.identity(peer).certificate.read_text() if peer else None
        transport = httpx.ASGITransport(shown(app, pem))
        async with httpx.AsyncClient(transport=transport, base_url="https://t.example") as client:
            body = {"head": {"accessId": access_id}, "data": BODIES.get(route, {})}
            return await client.request(method, at, **({"json": body} if method == "POST" else {}))

    office = Peer("department", OFFICE)
    refused = [
        await ask(None),
        await ask(Peer("service", "intake")),
        await ask(Peer("service", "seal")),
        await ask(Peer("terminal", "KIOSK-361123-01")),
        await ask(Peer("operator", "op-1")),
    ]
    if method == "POST":
        refused.append(await ask(office, "another"))
    suspended.write_text(f"department/{OFFICE} out\n")
    refused.append(await ask(office))
    for answer in refused:
        if method == "POST":
            assert (answer.status_code, answer.json()["head"]["status"]) == (200, 11), answer.text
            assert answer.json()["data"] is None
        else:
            assert answer.status_code in {401, 403}, answer.text
    assert inner.asked == 0
    suspended.write_text("")
    await ask(office)
    assert inner.asked > 0
