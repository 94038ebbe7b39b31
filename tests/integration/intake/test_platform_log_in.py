"""Log-in through an identity platform: a real provider over TLS, the kiosk's session at the end, no forgery."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import SecretStr

from chassis.egress import Egress, EgressPolicy, Inside
from chassis.web import WebOptions, web_app
from cli.local.authority import open_authority
from services.intake.api import api_router
from services.intake.api.doors import Doors
from services.intake.clients.openid import OpenIdPlatform, RelyingParty
from services.intake.store.identity.attempts import EncryptedAttempts
from services.intake.usecases.identity.platform_log_in import PlatformLogIn
from tests.integration.intake.open_id_provider import (
    CLIENT,
    SECRET,
    Provider,
    brought_back,
    open_id_provider,
    without_signature,
)
from tests.integration.intake.stage import KIOSK, Stage, card, headers, open_stage
from tests.stacks.postgres import PostgresServer

START, CALLBACK = "/v1/sessions/oidc/start", "/v1/sessions/oidc/callback"
HERE = "https://intake.test/v1/sessions/oidc/callback"
PHONE = "19900001234"
CARD = card()
CITIZEN: dict[str, Any] = {
    "id_number": CARD["id_number"],
    "name": CARD["name"],
    "acr": "urn:example:card",
    "phone_number": f"+86 {PHONE}",
    "phone_number_verified": True,
}


@dataclass
class Home:
    """A browser at home, intake, and the platform between them."""

    stage: Stage
    provider: Provider
    web: httpx.AsyncClient

    async def start(self) -> tuple[str, str]:
        answer = await self.web.get(START)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"], brought_back(answer)

    async def back(self, brought: dict[str, str], cookie: str) -> httpx.Response:
        return await self.web.get(CALLBACK, params=brought, headers={"cookie": cookie} if cookie else {})

    async def log_in(self) -> httpx.Response:
        location, cookie = await self.start()
        return await self.back(await self.provider.log_in(location), cookie)


@pytest.fixture
async def home(postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Home]:
    authority = open_authority(tmp_path / "authority")
    async with open_stage(postgres_server, tmp_path) as stage:
        provider = Provider(stage.now, claims=dict(CITIZEN))
        async with open_id_provider(provider, authority):
            port = urlsplit(provider.issuer).port or 0
            policy = EgressPolicy(
                ports=frozenset({port}),
                inside=(Inside("127.0.0.1", port, (ipaddress.ip_network("127.0.0.0/8"),)),),
                hosts=frozenset({"127.0.0.1"}),
            )
            egress = Egress(policy, trust=ssl.create_default_context(cafile=str(authority.root_file)))
            levels = {"urn:example:card": 3, "urn:example:data": 2, "urn:example:phone": 1}
            party = RelyingParty(provider.issuer, CLIENT, SecretStr(SECRET), HERE, levels)
            platform = OpenIdPlatform(party, egress, stage.now)
            doors = replace(stage.doors, platform=PlatformLogIn(platform, EncryptedAttempts(stage.cipher)))
            async with browser(doors) as web:
                yield Home(stage, provider, web)
            await egress.close()


def browser(doors: Doors) -> httpx.AsyncClient:
    app = web_app("intake", options=WebOptions(behind_tls=False, show_documentation=True))
    app.include_router(api_router(doors))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://intake.test")


async def test_a_citizen_logs_in_at_home_and_is_the_person_the_kiosk_knows(home: Home) -> None:
    at_kiosk = await home.stage.enter(CARD, PHONE)
    known = (await home.stage.web.get("/v1/me", headers=at_kiosk)).json()
    answer = await home.log_in()
    assert answer.status_code == 200, answer.text
    token = answer.json()
    assert (token["person_id"], token["assurance"]) == (known["person_id"], 3)
    assert token["terminal_id"].startswith("DEVICE-")
    me = await home.web.get("/v1/me", headers=headers(token["access_token"], token["terminal_id"]))
    assert me.status_code == 200
    assert me.json()["session_expires_at"] == token["expires_at"]
    for elsewhere in (KIOSK, "DEVICE-00000000-0000-4000-8000-000000000000"):
        stolen = await home.web.get("/v1/me", headers=headers(token["access_token"], elsewhere))
        assert stolen.status_code == 401


async def test_a_first_log_in_registers_the_person_with_the_checked_number(home: Home) -> None:
    token = (await home.log_in()).json()
    me = (await home.web.get("/v1/me", headers=headers(token["access_token"], token["terminal_id"]))).json()
    assert me["phone_masked"] == "199****1234"
    again = (await home.log_in()).json()
    assert again["person_id"] == token["person_id"]
    assert again["terminal_id"] != token["terminal_id"]


async def test_a_first_log_in_without_a_checked_number_is_sent_to_a_kiosk(home: Home) -> None:
    for claims in (
        {"phone_number_verified": False},
        {"phone_number": None},
        {"phone_number_verified": "true"},
    ):
        home.provider.lies = claims
        assert (await home.log_in()).json()["code"] == "FIRST_LOG_IN_ELSEWHERE"
    await home.stage.enter(CARD, PHONE)
    assert (await home.log_in()).status_code == 200


async def test_what_leaves_for_the_platform_is_bound_to_one_browser_and_says_nothing(home: Home) -> None:
    first, second = await home.start(), await home.start()
    asked = [parse_qs(urlsplit(each[0]).query) for each in (first, second)]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 43
    answer = await home.web.get(START)
    for attribute in (
        "__Host-tongban-log-in=",
        "HttpOnly",
        "Secure",
        "SameSite=lax",
        "Path=/",
        "Max-Age=600",
    ):
        assert attribute in answer.headers["set-cookie"]
    assert asked[0]["state"][0] not in first[1], "the cookie is sealed"


async def test_only_the_browser_that_began_finishes_and_only_once(home: Home) -> None:
    location, cookie = await home.start()
    _, others_cookie = await home.start()
    brought = await home.provider.log_in(location)
    for wrong, kept in (
        (brought, ""),
        (brought, others_cookie),
        (brought, cookie[:-8] + "AAAAAAA="),
        ({**brought, "state": "x"}, cookie),
        ({**brought, "code": ""}, cookie),
    ):
        assert (await home.back(wrong, kept)).status_code == 401
    assert (await home.back(brought, cookie)).status_code == 200
    again = await home.provider.log_in(location)
    assert (await home.back(again, cookie)).status_code == 401, "an attempt is finished once"


async def test_an_attempt_ends_after_ten_minutes(home: Home) -> None:
    location, cookie = await home.start()
    brought = await home.provider.log_in(location)
    home.stage.pass_time(minutes=11)
    assert (await home.back(brought, cookie)).status_code == 401


async def test_a_code_stolen_for_another_attempt_is_of_no_use(home: Home) -> None:
    victim, _ = await home.start()
    stolen = await home.provider.log_in(victim)
    location, cookie = await home.start()
    own = await home.provider.log_in(location)
    injected = await home.back({**own, "code": stolen["code"]}, cookie)
    assert injected.status_code == 401


async def test_an_answer_of_another_platform_is_refused(home: Home) -> None:
    for issuer in ("https://evil.example", None):
        location, cookie = await home.start()
        brought = await home.provider.log_in(location)
        brought.pop("iss")
        answer = await home.back(brought | ({"iss": issuer} if issuer else {}), cookie)
        assert answer.status_code == 401


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "another-client"},
    {"aud": [CLIENT, "another-client"]},
    {"aud": [CLIENT, "another-client"], "azp": "another-client"},
    {"azp": "another-client"},
    {"nonce": "another"},
    {"nonce": None},
    {"exp": 1},
    {"exp": None},
    {"iat": None},
    {"nbf": 4_000_000_000},
    {"sub": None},
    {"auth_time": None},
    {"auth_time": 1},
    {"auth_time": 4_000_000_000},
    {"auth_time": "now"},
    {"id_number": None},
    {"id_number": 7},
    {"id_number": "110105194912310021"},
    {"name": None},
    {"name": ""},
    {"phone_number": "12345"},
]


async def test_no_token_with_a_wrong_claim_opens_a_session(home: Home) -> None:
    for lies in WRONG_CLAIMS:
        home.provider.lies = lies
        answer = await home.log_in()
        assert (answer.status_code, answer.json()["code"]) == (401, "PLATFORM_LOG_IN_REFUSED"), lies
        assert CARD["id_number"] not in answer.text
    home.provider.lies = {}
    assert (await home.log_in()).status_code == 200


async def test_a_way_of_logging_in_that_proves_too_little_is_refused(home: Home) -> None:
    for acr in ("urn:example:phone", "urn:example:unknown", None, 3):
        home.provider.lies = {"acr": acr}
        answer = await home.log_in()
        assert (answer.status_code, answer.json()["code"]) == (403, "ASSURANCE_TOO_LOW")


async def test_the_level_of_the_session_is_that_of_the_way_of_logging_in(home: Home) -> None:
    home.provider.lies = {"acr": "urn:example:data"}
    assert (await home.log_in()).json()["assurance"] == 2


async def test_a_number_registered_under_another_name_is_not_entered(home: Home) -> None:
    await home.stage.enter(CARD, PHONE)
    home.provider.lies = {"name": "测试乙某"}
    assert (await home.log_in()).json()["code"] == "CARD_NOT_CONFIRMED"


async def test_no_token_that_the_platform_did_not_sign_is_believed(home: Home) -> None:
    public = home.provider.key.as_pem(private=False)
    foreign = RSAKey.generate_key(2_048, {"kid": home.provider.key.kid})

    def with_the_public_key_as_secret(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode({**header, "alg": "HS256"}, claims, OctKey.import_key(public), ["HS256"])

    def with_a_foreign_key(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode(header, claims, foreign, ["RS256"])

    def with_its_own_key_inside(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return jwt.encode({**header, "jwk": foreign.as_dict(private=False)}, claims, foreign, ["RS256"])

    def with_text(header: dict[str, Any], claims: dict[str, Any]) -> str:
        return "x.y.z"

    import warnings

    for sign in (
        without_signature,
        with_the_public_key_as_secret,
        with_a_foreign_key,
        with_its_own_key_inside,
        with_text,
    ):
        home.provider.sign = sign
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert (await home.log_in()).status_code == 401, sign.__name__


async def test_a_new_key_of_the_platform_is_read_and_an_unknown_one_not_for_ever(home: Home) -> None:
    assert (await home.log_in()).status_code == 200
    home.provider.key = RSAKey.generate_key(2_048, auto_kid=True)
    for _ in range(3):
        assert (await home.log_in()).status_code == 401, "not published, and looked for once a minute"
    assert home.provider.asked_for_keys == 1


async def test_a_platform_that_signs_with_an_elliptic_key_is_understood(home: Home) -> None:
    home.provider.key = ECKey.generate_key("P-256", auto_kid=True)
    home.provider.published.append(home.provider.key)
    assert (await home.log_in()).status_code == 200


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "https://evil.example/token"},
        {"token_endpoint": "http://127.0.0.1/token"},
        {"jwks_uri": "https://169.254.169.254/keys"},
        {"authorization_endpoint": "http://127.0.0.1/authorize"},
    ],
    ids=str,
)
async def test_metadata_that_leads_elsewhere_leads_nowhere(home: Home, metadata: dict[str, str]) -> None:
    home.provider.metadata = metadata
    answer = await home.web.get(START)
    if answer.status_code == 303:
        cookie = brought_back(answer)
        answer = await home.back(await home.provider.log_in(answer.headers["location"]), cookie)
    assert answer.status_code in {401, 422}


async def test_an_attempt_of_the_past_does_not_outlive_its_session(home: Home) -> None:
    token = (await home.log_in()).json()
    entered = headers(token["access_token"], token["terminal_id"])
    assert (await home.web.delete("/v1/sessions/current", headers=entered)).status_code == 204
    assert (await home.web.get("/v1/me", headers=entered)).status_code == 401
    again = (await home.log_in()).json()
    home.stage.moment += timedelta(minutes=16)
    late = headers(again["access_token"], again["terminal_id"])
    assert (await home.web.get("/v1/me", headers=late)).status_code == 401


async def test_without_a_platform_the_door_says_so(home: Home) -> None:
    async with browser(home.stage.doors) as web:
        assert (await web.get(START)).json()["code"] == "PLATFORM_NOT_OFFERED"
        assert (await web.get(CALLBACK)).json()["code"] == "PLATFORM_NOT_OFFERED"


async def test_every_way_through_the_platform_leaves_a_line_with_nothing_personal(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (await home.log_in()).status_code == 200
    _, cookie = await home.start()
    assert (await home.back({"state": "x", "code": "y"}, cookie)).status_code == 401
    assert (await home.back({"state": "x", "code": "y"}, "")).status_code == 401
    home.provider.lies = {"acr": None}
    assert (await home.log_in()).status_code == 403
    told = capsys.readouterr().out
    assert told.count("log_in_accepted") == 1
    assert told.count("log_in_refused") == 3
    assert "ASSURANCE_TOO_LOW" in told
    for value in (CITIZEN["id_number"], CITIZEN["name"], PHONE):
        assert value not in told


async def test_a_token_of_an_earlier_log_in_is_not_taken_for_another(home: Home) -> None:
    kept: list[str] = []

    def kept_and_given_again(header: dict[str, Any], claims: dict[str, Any]) -> str:
        kept.append(jwt.encode(header, claims, home.provider.key, [header["alg"]]))
        return kept[0]

    home.provider.sign = kept_and_given_again
    assert (await home.log_in()).status_code == 200
    for _ in range(2):
        assert (await home.log_in()).status_code == 401, "its nonce is that of the first attempt"
    assert len(kept) == 3
