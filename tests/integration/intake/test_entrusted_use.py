"""An agent acts for who entrusted them, over the real registry: within what was entrusted, and no further."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.auth import TokenVerifier, public_keys
from chassis.errors import PEER_UNAVAILABLE, Fault
from chassis.rpc.channel import open_channel
from chassis.rpc.peer import Peer
from chassis.rpc.server import RpcServer
from chassis.service import TOKEN_ISSUER
from cli.local.authority import open_authority
from services.certs.rpc.evidence import EvidenceServicer
from services.intake.clients.certs import CertsLicences
from services.intake.clients.entrustments import CertsEntrustments
from services.intake.clients.holdings import CertsHoldings
from services.intake.usecases.handing_over import HandedOver, hand_over_waiting
from services.intake.usecases.identity.ports import BusinessLicence
from standards.identifiers import build_licence_identifier, build_uscc
from standards.masking import mask_name
from tests.integration.certs.conftest import ID_CARD, INTAKE_KEY, MARKET, World
from tests.integration.certs.conftest import world as world  # noqa: PLC0414 - a fixture
from tests.integration.certs.recourse import Recourse, Said
from tests.integration.certs.test_use_codes import consume
from tests.integration.intake.stage import Stage, card, headers, key, open_stage
from tests.stacks.postgres import PostgresServer
from tongban.certs.v1 import evidence_pb2_grpc, holder_pb2_grpc, licence_pb2_grpc, use_code_pb2_grpc

CERTS, BUSINESS = Peer("service", "certs"), "11100000MB0143028R001"
ALLOWANCE = "11361123TB200009944000511006000"
"""The old-age allowance as its county names it."""
SHOP = build_uscc("92", "361123", "MATB0001")
GRANTOR, AGENT, STRANGER = card(), card(78, "测试乙某"), card(79, "测试丙某")


@dataclass
class Room:
    """Intake's door over certs' own services, one clock."""

    stage: Stage
    world: World

    def later(self, **length: float) -> None:
        self.stage.pass_time(**length)
        self.world.clock.offset = self.world.clock.offset + (self.stage.moment - self.world.clock())

    def until(self, **length: float) -> str:
        return (self.stage.moment + timedelta(**length)).isoformat()

    async def get(self, path: str, entered: dict[str, str], **params: str) -> httpx.Response:
        return await self.stage.web.get(path, params=params, headers=entered)

    async def entrust(self, entered: dict[str, str], **changed: Any) -> str:
        wish = {
            "agent": {"id_type": "111", "id_number": AGENT["id_number"]},
            "licence_types": [ID_CARD],
            "items": [ALLOWANCE],
            "powers": ["issue_use_code", "apply"],
            "valid_until": self.until(days=90),
        }
        made = await self.stage.web.post("/v1/entrustments", json=wish | changed, headers=entered | key())
        assert made.status_code == 201, made.text
        assert made.json()["state"] == "in_force"
        return str(made.json()["entrustment_id"])

    async def begin(
        self, entered: dict[str, str], name: str, target: str = "old-age-allowance", **changed: Any
    ) -> httpx.Response:
        guide = (await self.stage.web.get(f"/v1/catalogue/items/{target}/guide")).json()
        body = {
            "target": {"kind": "item", "id": target},
            "county": "361123",
            "answers": {each["question_id"]: each["answers"][0]["value"] for each in guide["questions"]},
            "entrustment_id": name,
        }
        return await self.stage.web.post("/v1/cases", json=body | changed, headers=entered | key())

    async def choose(
        self,
        entered: dict[str, str],
        case_id: str,
        licence_id: str,
        material: str = "identity_card",
        **more: str,
    ) -> httpx.Response:
        supply = {"kind": "licence", "agreed": True, "licence_id": licence_id, "consent_version": "2026.1"}
        path = f"/v1/cases/{case_id}/materials/{material}"
        return await self.stage.web.put(path, json={"supply": supply | more}, headers=entered)

    async def acting_for_shop(self, owner: dict[str, str]) -> dict[str, str]:
        self.stage.registry.business[SHOP, GRANTOR["name"]] = BusinessLicence("licence-1", "玉山县测试小馆")
        made = await self.stage.web.post("/v1/me/organisations", json={"uscc": SHOP}, headers=owner)
        body = {"organisation_id": made.json()["organisation_id"]}
        acting = await self.stage.web.post("/v1/sessions/current/acting", json=body, headers=owner)
        return headers(acting.json()["access_token"])

    async def identity_card(self, person: dict[str, str]) -> str:
        serial = person["id_number"]
        face = {"KZ_XM": person["name"], "KZ_XB": "女", "KZ_CSRQ": "1956-05-04", "KZ_ZZ": "玉山县一号"}
        return await self.world.stock_licence(
            serial,
            name=person["name"],
            ZZMC="居民身份证",
            ZZLXDM=ID_CARD,
            ZZBS=build_licence_identifier(ID_CARD, MARKET, serial),
            ZZBH=serial,
            KZ_GMSFHM=serial,
            **face,
        )

    async def uses(self, entered: dict[str, str]) -> list[dict[str, Any]]:
        return list((await self.get("/v1/licences/uses", entered)).json()["uses"])

    async def code_of(self, case_id: str) -> tuple[str, str]:
        """Return the use-code of the identity card, and the department that may use it."""
        async with self.stage.doors.cases() as work:
            case = await work.cases.load(case_id)
        assert case is not None
        (bound,) = case.supplies["identity_card"].use_codes
        return bound.use_code, case.parts[0].item.department_code


@pytest.fixture
async def room(world: World, postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Room]:
    authority = open_authority(tmp_path / "authority")
    async with AsyncExitStack() as stack:
        verifier = TokenVerifier(public_keys([INTAKE_KEY]), TOKEN_ISSUER, now=world.clock)
        server = RpcServer(authority.identity(CERTS), verifier=verifier)
        holders, evidence = Recourse(world, Said()).holders, EvidenceServicer(world.desk)
        server.register(use_code_pb2_grpc.add_UseCodeServiceServicer_to_server, world.use_codes)
        server.register(holder_pb2_grpc.add_HolderServiceServicer_to_server, holders)
        server.register(evidence_pb2_grpc.add_EvidenceServiceServicer_to_server, evidence)
        server.register(licence_pb2_grpc.add_LicenceServiceServicer_to_server, world.licences)
        port = await server.start("127.0.0.1:0")
        stack.push_async_callback(server.drain, notice_seconds=0, grace_seconds=0.2)
        own = authority.identity(Peer("service", "intake"))
        channel = open_channel(f"127.0.0.1:{port}", CERTS, own, limit_seconds=10)
        stack.push_async_callback(channel.close)
        (tmp_path / "stage").mkdir()
        stage = await stack.enter_async_context(
            open_stage(
                postgres_server,
                tmp_path / "stage",
                INTAKE_KEY,
                licences=CertsLicences(channel),
                entrustments=CertsEntrustments(channel),
                holdings=CertsHoldings(channel),
            )
        )
        stage.moment = world.clock()
        yield Room(stage, world)


async def test_an_agent_begins_a_case_for_the_grantor_and_hands_in_their_licence(room: Room) -> None:
    stage, licence_id = room.stage, await room.identity_card(GRANTOR)
    grantor = await stage.enter(GRANTOR, "19900000001")
    name = await room.entrust(grantor)
    agent = await stage.enter(AGENT, "19900000002")
    (seen,) = (
        await room.get("/v1/entrustments", agent, role="received", in_force="true", item=ALLOWANCE)
    ).json()["entrustments"]
    assert (seen["entrustment_id"], seen["other_name_masked"]) == (name, mask_name(GRANTOR["name"]))
    assert GRANTOR["name"] not in str(seen)
    for narrowed in ({"role": "given"}, {"item": "x"}, {"licence_type": BUSINESS}):
        assert (await room.get("/v1/entrustments", agent, **narrowed)).json()["entrustments"] == []
    begun = await room.begin(agent, name)
    assert begun.status_code == 201, begun.text
    case_id = begun.json()["case_id"]
    for who in (grantor, agent):
        listed = (await room.get("/v1/cases", who)).json()["cases"]
        assert [each["case_id"] for each in listed] == [case_id]
    (line, *_) = (await room.get(f"/v1/cases/{case_id}/materials", agent)).json()
    (candidate,) = line["candidates"]
    assert candidate["licence_id"] == licence_id
    assert GRANTOR["id_number"] not in str(line)
    assert GRANTOR["name"] not in str(line)
    chosen = await room.choose(agent, case_id, licence_id)
    assert chosen.status_code == 200, chosen.text
    assert chosen.json()["supplies"]["identity_card"]["entrustment_id"] == name
    fields = chosen.json()["form_fields"]
    form = {
        each["code"]: "19900000000" if each["type"] == "mobile" else "6222020000000000000"[:16]
        for each in fields
    }
    await stage.web.put(f"/v1/cases/{case_id}/form", json={"form": form}, headers=agent)
    handed_in = await stage.web.post(f"/v1/cases/{case_id}/submit", headers=agent | key())
    assert handed_in.status_code == 200, handed_in.text
    code, department = await room.code_of(case_id)
    once = {"department": department, "item_code": ALLOWANCE, "case_id": case_id}
    tried = await asyncio.gather(
        *(consume(room.world, code, **once) for _ in range(4)), return_exceptions=True
    )
    assert sorted(each.code for each in tried if isinstance(each, Fault)) == ["USE_CODE_SPENT"] * 3
    (used,) = (each for each in tried if not isinstance(each, Fault))
    assert used.holder_id_number == GRANTOR["id_number"]
    shown = await room.uses(grantor)
    entrusted = {each["kind"]: each for each in shown if each["entrustment_id"] == name}
    assert set(entrusted) == {"find", "issue", "consume"}
    named = entrusted["consume"]["agent"]
    assert (named["id_type"], named["name_masked"]) == ("111", mask_name(AGENT["name"]))
    assert AGENT["id_number"] not in str(shown)
    assert AGENT["name"] not in str(shown)


async def test_who_is_not_the_agent_learns_nothing(room: Room) -> None:
    await room.identity_card(GRANTOR)
    grantor = await room.stage.enter(GRANTOR, "19900000001")
    name = await room.entrust(grantor)
    agent = await room.stage.enter(AGENT, "19900000002")
    case_id = (await room.begin(agent, name)).json()["case_id"]
    stranger = await room.stage.enter(STRANGER, "19900000003")
    nobodys = str(uuid.uuid4())
    for given in (name, nobodys, "x"):
        refused = await room.begin(stranger, given)
        assert (refused.status_code, refused.json()["code"]) == (404, "ENTRUSTMENT_NOT_FOUND")
    own = (await room.begin(stranger, "")).json()["case_id"]
    for given in (name, nobodys):
        looked = await room.get(f"/v1/cases/{own}/materials", stranger, entrustment_id=given)
        chosen = await room.choose(stranger, own, str(uuid.uuid4()), entrustment_id=given)
        assert {looked.json()["code"], chosen.json()["code"]} == {"ENTRUSTMENT_NOT_FOUND"}
    for path in ("", "/materials", "/timeline"):
        assert (await room.get(f"/v1/cases/{case_id}{path}", stranger)).json()["code"] == "CASE_NOT_FOUND"
    assert await room.uses(grantor) == []


async def test_outside_what_was_entrusted_each_attempt_is_refused_and_on_record(room: Room) -> None:
    licence_id = await room.identity_card(GRANTOR)
    grantor = await room.stage.enter(GRANTOR, "19900000001")
    agent = await room.stage.enter(AGENT, "19900000002")
    shows = await room.entrust(grantor, powers=["present"])
    for name in (shows, await room.entrust(grantor, powers=["issue_use_code"])):
        refused = await room.begin(agent, name)
        assert (refused.status_code, refused.json()["code"]) == (403, "ENTRUSTMENT_NOT_COVERING")
    elsewhere = await room.begin(agent, await room.entrust(grantor), "social-security-card")
    assert elsewhere.json()["code"] == "ENTRUSTMENT_NOT_COVERING", "another item"
    other_type = await room.entrust(grantor, licence_types=[BUSINESS])
    case_id = (await room.begin(agent, other_type)).json()["case_id"]
    (line, *_) = (await room.get(f"/v1/cases/{case_id}/materials", agent)).json()
    assert line["candidates"] == []
    refused = await room.choose(agent, case_id, licence_id)
    assert (refused.status_code, refused.json()["code"]) == (403, "ENTRUSTMENT_OUT_OF_SCOPE")
    (shown,) = await room.uses(grantor)
    assert (shown["outcome"], shown["entrustment_id"]) == ("ENTRUSTMENT_OUT_OF_SCOPE", other_type)
    assert shown["agent"]["name_masked"]
    handing = await room.entrust(grantor)
    case_id = (await room.begin(agent, handing)).json()["case_id"]
    own = await room.identity_card(AGENT)
    assert (await room.choose(agent, case_id, own)).json()["code"] == "LICENCE_NOT_ACCEPTED", (
        "the agent's own"
    )


async def test_after_it_was_taken_back_nothing_goes_and_its_codes_are_gone(room: Room) -> None:
    licence_id = await room.identity_card(GRANTOR)
    grantor = await room.stage.enter(GRANTOR, "19900000001")
    name = await room.entrust(grantor)
    agent = await room.stage.enter(AGENT, "19900000002")
    case_id = (await room.begin(agent, name)).json()["case_id"]
    assert (await room.choose(agent, case_id, licence_id)).status_code == 200
    code, department = await room.code_of(case_id)
    back = await room.stage.web.post(f"/v1/entrustments/{name}/revocation", json={}, headers=grantor | key())
    assert back.json()["revoked_use_codes"] == 1
    refused = await room.choose(agent, case_id, licence_id)
    assert (refused.status_code, refused.json()["code"]) == (422, "ENTRUSTMENT_REVOKED")
    looked = await room.get(f"/v1/cases/{case_id}/materials", agent)
    assert looked.json()["code"] == "ENTRUSTMENT_REVOKED"
    again = await room.begin(agent, name)
    assert (again.status_code, again.json()["code"]) == (422, "ENTRUSTMENT_NOT_IN_FORCE")
    assert again.json()["metadata"]["state"] == "revoked"
    for route in ("", "/timeline"):
        assert (await room.get(f"/v1/cases/{case_id}{route}", agent)).json()[
            "code"
        ] == "ENTRUSTMENT_NOT_IN_FORCE"
    assert (await room.get("/v1/cases", agent)).json()["cases"] == []
    assert (await room.get("/v1/entrustments", agent, in_force="true")).json()["entrustments"] == []
    with pytest.raises(Fault) as spent:
        await consume(room.world, code, department, item_code=ALLOWANCE, case_id=case_id)
    assert spent.value.code == "USE_CODE_REVOKED"
    outcomes = [each["outcome"] for each in await room.uses(grantor) if each["agent"]]
    assert outcomes.count("ENTRUSTMENT_REVOKED") == 2
    handed_in = await room.stage.web.post(f"/v1/cases/{case_id}/submit", headers=grantor | key())
    wrong = {each["field"]: each["code"] for each in handed_in.json()["violations"]}
    assert wrong["materials.identity_card"] == "USE_CODE_MISSING", "the grantor is told that the code is gone"


async def test_after_its_end_nothing_goes(room: Room) -> None:
    licence_id = await room.identity_card(GRANTOR)
    grantor = await room.stage.enter(GRANTOR, "19900000001")
    name = await room.entrust(grantor, valid_until=room.until(days=2))
    agent = await room.stage.enter(AGENT, "19900000002")
    case_id = (await room.begin(agent, name)).json()["case_id"]
    room.later(days=3)
    agent = await room.stage.enter(AGENT, "19900000002")
    refused = await room.choose(agent, case_id, licence_id)
    assert (refused.status_code, refused.json()["code"]) == (422, "ENTRUSTMENT_EXPIRED")
    assert (await room.begin(agent, name)).json()["metadata"]["state"] == "ended"
    grantor = await room.stage.enter(GRANTOR, "19900000001")
    assert [each["outcome"] for each in await room.uses(grantor)] == ["ENTRUSTMENT_EXPIRED"]


async def test_a_business_entrusts_its_licence_for_a_case_of_the_agents_own(room: Room) -> None:
    stage = room.stage
    licence_id = await room.world.stock_licence(SHOP, CZZTDMLXDM="001", KZ_TYSHXYDM=SHOP)
    owner = await stage.enter(GRANTOR, "19900000001")
    for_shop = await room.acting_for_shop(owner)
    name = await room.entrust(for_shop, licence_types=[BUSINESS], items=[], powers=["issue_use_code"])
    agent = await stage.enter(AGENT, "19900000002")
    begun = await room.begin(agent, "", "food-operation-renewal", form={"business_uscc": SHOP})
    assert begun.status_code == 201, begun.text
    case_id = begun.json()["case_id"]

    async def candidates(**named: str) -> list[str]:
        lines = (await room.get(f"/v1/cases/{case_id}/materials", agent, **named)).json()
        return [found["licence_id"] for each in lines for found in each["candidates"]]

    assert await candidates() == []
    assert await candidates(entrustment_id=name) == [licence_id]
    without = await room.choose(agent, case_id, licence_id, "business_licence")
    assert without.json()["code"] == "LICENCE_NOT_ACCEPTED"
    chosen = await room.choose(agent, case_id, licence_id, "business_licence", entrustment_id=name)
    assert chosen.status_code == 200, chosen.text
    as_card = await room.choose(agent, case_id, licence_id, "identity_card", entrustment_id=name)
    assert as_card.json()["code"] == "ENTRUSTMENT_NOT_COVERING", "not the material of this holder"
    other = await room.begin(
        agent, "", "food-operation-renewal", form={"business_uscc": build_uscc("91", "361123", "TB900012")}
    )
    refused = await room.choose(
        agent, other.json()["case_id"], licence_id, "business_licence", entrustment_id=name
    )
    assert refused.json()["code"] == "ENTRUSTMENT_NOT_COVERING", "another business"
    issued = [each for each in await room.uses(for_shop) if each["kind"] == "issue"]
    assert [(each["outcome"], each["agent"]["name_masked"]) for each in issued] == [
        ("allowed", mask_name(AGENT["name"]))
    ]


async def test_an_agent_who_may_only_apply_uses_no_licence_of_the_business(room: Room) -> None:
    stage = room.stage
    licence_id = await room.world.stock_licence(SHOP, CZZTDMLXDM="001", KZ_TYSHXYDM=SHOP)
    owner = await stage.enter(GRANTOR, "19900000001")
    for_shop = await room.acting_for_shop(owner)
    applies = await room.entrust(for_shop, licence_types=[BUSINESS], items=[], powers=["apply"])
    agent = await stage.enter(AGENT, "19900000002")
    form = {"business_uscc": SHOP}
    case_id = (await room.begin(agent, applies, "food-operation-renewal", form=form)).json()["case_id"]
    of_owner = await room.entrust(owner, items=[], powers=["issue_use_code"])
    for named, reason in (
        ({}, "ENTRUSTMENT_OUT_OF_SCOPE"),
        ({"entrustment_id": applies}, "ENTRUSTMENT_OUT_OF_SCOPE"),
        ({"entrustment_id": of_owner}, "ENTRUSTMENT_NOT_COVERING"),
    ):
        refused = await room.choose(agent, case_id, licence_id, "business_licence", **named)
        assert (refused.status_code, refused.json()["code"]) == (403, reason)
        looked = await room.get(f"/v1/cases/{case_id}/materials", agent, **named)
        assert (looked.status_code, looked.json()["code"]) == (403, reason)
    hands_out = await room.entrust(for_shop, licence_types=[BUSINESS], items=[], powers=["issue_use_code"])
    chosen = await room.choose(agent, case_id, licence_id, "business_licence", entrustment_id=hands_out)
    assert chosen.status_code == 200, chosen.text


async def test_an_entrustment_that_waited_is_recorded_without_anybody_logged_in(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    grantor = await room.stage.enter(GRANTOR, "19900000001")

    async def down(*_: object) -> None:
        raise PEER_UNAVAILABLE(peer="certs")

    monkeypatch.setattr(CertsEntrustments, "record", down)
    with pytest.raises(AssertionError, match="PEER_UNAVAILABLE"):
        await room.entrust(grantor)
    monkeypatch.undo()
    agent = await room.stage.enter(AGENT, "19900000002")
    (waiting,) = (await room.get("/v1/entrustments", agent)).json()["entrustments"]
    early = await room.begin(agent, waiting["entrustment_id"])
    assert (early.json()["code"], early.json()["metadata"]["state"]) == (
        "ENTRUSTMENT_NOT_IN_FORCE",
        "pending",
    )
    room.later(minutes=2)
    done = await hand_over_waiting(room.stage.doors.open_entrustments, room.stage.doors.entrustments)
    assert done == HandedOver(recorded=1)
    assert (await room.begin(agent, waiting["entrustment_id"])).status_code == 201
