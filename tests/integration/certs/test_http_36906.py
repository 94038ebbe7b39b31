"""The sharing door over real mutual TLS: who asks is whom the certificate names, the answer is in the envelope."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.limits import RateLimits
from chassis.rpc.peer import Peer
from chassis.rpc.suspended import SuspendedCallers
from chassis.web import bind, serve_web
from cli.local.authority import open_authority
from services.certs.api import Door
from services.certs.app.evidence import read_agreements, sharing_app
from services.certs.domain.agreement import Agreement
from standards.annotated_copy import copy_mark
from tests.integration.certs.conftest import BUSINESS, CATALOGUE, FIRE, MARKET, World
from tests.integration.certs.evidence_room import ARTICLE, offline
from tests.integration.certs.test_issuing import FOOD
from tests.integration.certs.test_presentations import in_force
from tests.integration.certs.test_use_codes import set_status, uses
from tongban.certs.v1 import licence_pb2 as pb

CAUSE = {"useCause": "食品经营许可审查", "itemCode": "item-1", "caseId": "case-1"}


@dataclass
class Sharing:
    world: World
    clients: dict[str, httpx.AsyncClient]
    suspended: Path
    app: Any

    async def ask(self, path: str, _by: str = FIRE, _head: dict[str, str] | None = None, **data: Any) -> Any:
        """Return the whole answer of a call as a department."""
        body = {"head": _head or {"accessId": _by, "accessToken": "not read"}, "data": CAUSE | data}
        answer = await self.clients[_by].post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def status(self, path: str, _by: str = FIRE, **data: Any) -> int:
        answer = await self.ask(path, _by, **data)
        assert (answer["data"] is None) == (answer["head"]["status"] != 0)
        return int(answer["head"]["status"])


@pytest.fixture
async def sharing(world: World, tmp_path: Path) -> AsyncIterator[Sharing]:
    authority, stop = open_authority(tmp_path / "ca"), asyncio.Event()
    desk, suspended = world.desk, tmp_path / "suspended.txt"
    agreements = {
        FIRE: Agreement(FIRE, ARTICLE),
        "limited": Agreement("limited", ARTICLE, frozenset({FOOD})),
    }
    door = Door(
        desk.database,
        desk.registry_of,
        desk.documents,
        desk.types,
        desk.departments,
        desk.signer,
        world.clock,
        agreements,
        SuspendedCallers(suspended),
        RateLimits(desk.database, b"0123456789abcdef"),
    )
    app = sharing_app(door)
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    tls = authority.identity(Peer("service", "certs"))
    serving = asyncio.ensure_future(
        serve_web(app, "", 0, stop, listener=listener, tls=tls, client_certificates=True, grace_seconds=1)
    )
    clients = {}
    for peer in (
        *(Peer("department", name) for name in (FIRE, MARKET, "limited")),
        Peer("service", "intake"),
    ):
        context = ssl.create_default_context(cafile=str(authority.root_file))
        shown = authority.identity(peer)
        context.load_cert_chain(shown.certificate, shown.key)
        clients[peer.name] = httpx.AsyncClient(verify=context, base_url=f"https://127.0.0.1:{port}")
    yield Sharing(world, clients, suspended, app)
    for client in clients.values():
        await client.aclose()
    stop.set()
    await serving


async def test_a_holders_licence_comes_masked_in_the_envelope_and_is_recorded(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        await world.import_rows(row)
    by = {"holderCode": holder, "holderTypeCode": "111", "certTypeCode": BUSINESS}
    answer = await sharing.ask("/queryCertInfoByHolderCode", **by)
    assert answer["head"] == {"status": 0, "message": "成功"}
    (found,) = answer["data"]
    assert found["cert_identifier"] == row["ZZBS"]
    assert found["certData"]["CertificateHolderName"] == "丰**"
    assert found["certData"]["KZ_JYFW"] == "餐饮服务"
    assert holder not in str(answer)
    again = await sharing.ask("/queryCertInfo", certIdentifier=row["ZZBS"])
    assert again["data"]["certData"]["CertificateTypeCode"] == BUSINESS
    listed = (await uses(world, holder)).uses
    assert [(use.consumer_code, use.legal_article, use.use_cause) for use in listed] == [
        (FIRE, ARTICLE, "食品经营许可审查")
    ] * 2


async def test_every_refusal_has_its_number(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (stored,) = await world.import_rows(row)
    by = {"holderCode": holder, "holderTypeCode": "111", "certTypeCode": BUSINESS}
    query, path = {"certIdentifier": row["ZZBS"]}, "/queryCertInfo"
    assert await sharing.status(path, certIdentifier="x") == 10
    assert await sharing.status(path, certIdentifier="") == 12
    assert await sharing.status(path, **query, useCause=" ") == 12
    assert await sharing.status(path, **query, useCause="\u200b") == 12
    for name in ("useCause", "itemCode", "caseId", "legalArticle"):
        assert await sharing.status(path, **query, **{name: f"{ARTICLE}\0"}) == 102
    assert await sharing.status(path, MARKET, **query) == 12  # no agreement, no article stated
    assert await sharing.status(path, MARKET, **query, legalArticle=ARTICLE) == 0
    assert await sharing.status(path, MARKET, **query, legalArticle="工作需要") == 102
    assert await sharing.status(path, "limited", **query) == 10
    holders = "/queryCertInfoByHolderCode"
    assert await sharing.status(holders, "limited", **by) == 100
    assert await sharing.status(holders, **by | {"holderTypeCode": "777"}) == 103
    assert await sharing.status(holders, **by | {"holderCode": ""}) == 110
    nothing = await sharing.clients[FIRE].post("/getCertRemark", json={"data": {"certTypeCode": "nothing"}})
    assert nothing.json()["head"]["status"] == 113
    await set_status(world, stored.licence_id, pb.LICENCE_STATUS_SUSPENDED)
    assert await sharing.status(path, **query) == 23
    await set_status(world, stored.licence_id, pb.LICENCE_STATUS_CANCELLED)
    assert await sharing.status(path, **query) == 21
    assert await sharing.status(holders, **by) == 21


async def test_the_certificate_says_who_asks_and_nothing_else_does(sharing: Sharing):
    world = sharing.world
    row = world.row(world.citizen())
    with world.as_department():
        await world.import_rows(row)
    query = {"certIdentifier": row["ZZBS"]}
    other = await sharing.ask("/queryCertInfo", _head={"accessId": MARKET}, **query)
    assert other["head"]["status"] == 11
    nameless = await sharing.ask("/queryCertInfo", _head={"accessId": ""}, **query)
    assert nameless["head"]["status"] == 0
    service = await sharing.ask("/queryCertInfo", "intake", **query)
    assert service["head"]["status"] == 11
    sharing.suspended.write_text(f"department/{FIRE} out\n")
    assert (await sharing.ask("/queryCertInfo", **query))["head"]["status"] == 11
    through_asgi = httpx.ASGITransport(sharing.app)
    async with httpx.AsyncClient(transport=through_asgi, base_url="https://t.example") as stranger:
        body = {"head": {"accessId": MARKET}, "data": CAUSE | query}
        assert (await stranger.post("/queryCertInfo", json=body)).json()["head"]["status"] == 11


async def test_an_unknown_field_and_a_body_that_is_none_are_refused_before_anything(sharing: Sharing):
    client = sharing.clients[FIRE]
    wrong = await client.post("/queryCertInfo", json={"data": {"certIdentifer": "x"}})
    assert (wrong.status_code, wrong.headers["content-type"]) == (400, "application/problem+json")
    assert (await client.post("/queryCertInfo", content=b"{")).status_code == 400
    assert (await client.post("/verifyFile", content=b"0" * (14 * 1024 * 1024))).status_code == 413


async def test_the_shown_qr_code_is_basis_enough_for_whoever_sees_it(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    shown = await offline(world, await in_force(world, holder), holder)
    answer = await sharing.ask("/queryCertInfoByQRcode", MARKET, qrcode=shown.qr_text)
    assert answer["data"]["certData"]["CertificateTypeCode"] == FOOD
    assert await sharing.status("/queryCertInfoByQRcode", qrcode="TB2.x.y.z") == 102
    world.clock.offset += timedelta(hours=25)
    assert await sharing.status("/queryCertInfoByQRcode", qrcode=shown.qr_text) == 22


async def identifier_of(world: World, licence_id: str) -> str:
    import uuid

    async with world.database.transaction() as tx:
        found = await tx.fetchval(
            "select identifier from licence where licence_id = $1", uuid.UUID(licence_id)
        )
    return str(found)


async def test_a_copy_is_fetched_once_by_its_address_by_the_same_caller(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    identifier = await identifier_of(world, await in_force(world, holder))
    answer = await sharing.ask("/downloadUrl", certIdentifier=identifier, expiryTime="2099-01-01 00:00:00")
    assert answer["head"]["status"] == 102
    answer = await sharing.ask("/downloadUrl", certIdentifier=identifier)
    address = answer["data"]["content"]
    assert holder not in address
    other = await sharing.clients[MARKET].get(address)
    assert (other.status_code, other.json()["code"]) == (404, "COPY_NOT_FOUND")
    fetched = await sharing.clients[FIRE].get(address)
    assert fetched.headers["content-type"] == "application/ofd"
    assert copy_mark(fetched.content) is not None
    assert (await sharing.clients[FIRE].get(address)).status_code == 404
    late = (await sharing.ask("/downloadUrl", certIdentifier=identifier))["data"]["content"]
    world.clock.offset += timedelta(minutes=11)
    assert (await sharing.clients[FIRE].get(late)).status_code == 404


async def test_a_copy_comes_as_a_layout_file_or_a_picture(sharing: Sharing):
    world = sharing.world
    identifier = await identifier_of(world, await in_force(world, world.citizen()))
    asked = {"certificateIdentifier": identifier, "certificateCopyCause": "食品经营许可审查"}
    body = {"head": {}, "data": asked | {"fileType": "ofd"}}
    ofd = (await sharing.clients[FIRE].post("/downloadFile", json=body)).json()
    mark = copy_mark(base64.b64decode(ofd["data"]["content"]))
    assert mark is not None
    assert mark.expires_at == ofd["data"]["certificateCopyExpiringTime"]
    body["data"] = asked | {"fileType": "png"}
    png = (await sharing.clients[FIRE].post("/downloadFile", json=body)).json()
    assert base64.b64decode(png["data"]["content"]).startswith(b"\x89PNG")
    body["data"] = asked | {"certificateCopyCause": "", "fileType": "ofd"}
    assert (await sharing.clients[FIRE].post("/downloadFile", json=body)).json()["head"]["status"] == 12


async def test_what_was_said_of_a_licence_is_verified_without_telling_what_it_says(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        await world.import_rows(row)
    said = {"holderCode": holder, "holder": "丰小玉", "certNo": row["ZZBH"], "KZ_JYFW": "餐饮服务"}
    path = "/verifyCertInfo"
    answer = await sharing.ask(path, certTypeCode=BUSINESS, certData=said)
    assert answer["data"]["result"] == "true"
    for wrong in ({"holder": "某"}, {"KZ_JYFW": "烟草"}, {"certNo": "1"}, {"nothing": "x"}):
        answer = await sharing.ask(path, certTypeCode=BUSINESS, certData=said | wrong)
        assert answer["data"]["result"] == "false"
        assert "餐饮" not in str(answer)
    assert await sharing.status(path, certTypeCode=BUSINESS, certData=said | {"holder": ""}) == 111
    assert await sharing.status(path, certTypeCode=BUSINESS, certData=said | {"certNo": ""}) == 109


async def test_only_the_issued_file_itself_verifies_and_a_copy_is_called_one(sharing: Sharing):
    import hashlib
    import uuid

    from services.certs.domain.ofd import render

    world = sharing.world
    licence_id = await in_force(world, world.citizen())
    async with world.database.transaction() as tx:
        licence = await world.desk.registry_of(tx).licences.get(licence_id)
        assert licence is not None
        original = render(licence, world.desk.types[FOOD]).ofd
        digest = hashlib.sha256(original).hexdigest()
        await tx.execute(
            "update licence set sealed_sha256 = $1 where licence_id = $2", digest, uuid.UUID(licence_id)
        )

    async def verified(content: bytes) -> dict[str, str]:
        file = {"contentType": "base64", "content": base64.b64encode(content).decode()}
        answer = await sharing.ask("/verifyFile", certTypeCode=FOOD, **file)
        found: dict[str, str] = answer["data"]
        return found

    assert (await verified(original))["result"] == "true"
    assert (await verified(original + b" "))["result"] == "false"
    assert (await verified(b"nothing"))["result"] == "false"
    identifier = await identifier_of(world, licence_id)
    asked = {"certificateIdentifier": identifier, "certificateCopyCause": "核验", "fileType": "ofd"}
    body = {"head": {}, "data": asked}
    made = (await sharing.clients[FIRE].post("/downloadFile", json=body)).json()["data"]["content"]
    copy = await verified(base64.b64decode(made))
    assert copy["result"] == "false"
    assert copy["message"].startswith("加注件")
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    assert (await verified(original))["result"] == "false"


async def test_the_field_dictionary_names_the_fields_of_a_type(sharing: Sharing):
    body = {"head": {}, "data": {"certTypeCode": BUSINESS}}
    answer = (await sharing.clients[FIRE].post("/getCertRemark", json=body)).json()
    assert {"name": "KZ_JYFW", "label": "经营范围", "required": True} in answer["data"]


def test_the_catalogues_agreements_are_read() -> None:
    assert isinstance(read_agreements(CATALOGUE), dict)
