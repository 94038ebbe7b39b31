"""Log-in through a real Keycloak: its own pages, authorisation code with PKCE, its keys and its ID token."""

from __future__ import annotations

import html
import ipaddress
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import yaml
from pydantic import SecretStr

from chassis.clock import system_clock
from chassis.egress import Egress, EgressPolicy, Inside
from cli.local.authority import open_authority
from services.intake.clients.openid import OpenIdPlatform, RelyingParty
from services.intake.store.identity.attempts import EncryptedAttempts
from services.intake.usecases.identity.platform_log_in import PlatformLogIn
from tests.integration.intake.open_id_provider import CLIENT, SECRET, brought_back
from tests.integration.intake.stage import card, headers, open_stage
from tests.integration.intake.test_platform_log_in import CALLBACK, HERE, START, browser
from tests.stacks import keycloak as stack
from tests.stacks.keycloak import Keycloak
from tests.stacks.postgres import PostgresServer

pytestmark = [pytest.mark.timeout(600)]
REALM, CITIZEN, PASSWORD, ACR = "county", "citizen-1", "a password: of this+test", "urn:example:data"
CARD = card()
COMPOSE = Path(__file__).resolve().parents[3] / "deploy" / "docker-compose.yml"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """Keycloak with a realm as a county sets one up: one client, one citizen whose number was checked."""
    directory = tmp_path_factory.mktemp("keycloak")
    with stack.keycloak(directory, open_authority(directory / "authority")) as made:
        made.put("", {"realm": REALM, "enabled": True, "attributes": {"acr.loa.map": f'{{"{ACR}":"1"}}'}})
        named = [{"name": name, "permissions": {"view": ["admin"], "edit": ["admin"]}} for name in _PROFILE]
        profile = {"attributes": named, "unmanagedAttributePolicy": "ADMIN_EDIT"}
        made.put(f"/{REALM}/users/profile", profile, method="PUT")
        made.put(f"/{REALM}/clients", _CLIENT)
        made.put(f"/{REALM}/users", _USER)
        yield made


_PROFILE = ("username", "email", "firstName", "lastName")
_CLIENT: dict[str, Any] = {
    "clientId": CLIENT,
    "secret": SECRET,
    "redirectUris": [HERE],
    "standardFlowEnabled": True,
    "directAccessGrantsEnabled": False,
    "attributes": {"pkce.code.challenge.method": "S256"},
    "protocolMappers": [
        {
            "name": "id number",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-usermodel-attribute-mapper",
            "config": {
                "user.attribute": "id_number",
                "claim.name": "id_number",
                "jsonType.label": "String",
                "id.token.claim": "true",
            },
        }
    ],
}
_USER: dict[str, Any] = {
    "username": CITIZEN,
    "enabled": True,
    "firstName": CARD["name"],
    "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
    "attributes": {
        "id_number": [CARD["id_number"]],
        "phoneNumber": ["+8619900001234"],
        "phoneNumberVerified": ["true"],
    },
}


@dataclass
class Visit:
    """A browser at intake's door, and the one in which Keycloak's pages open."""

    web: httpx.AsyncClient
    pages: httpx.AsyncClient

    async def start(self) -> tuple[str, str]:
        answer = await self.web.get(START)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"], brought_back(answer)

    async def log_in(self, location: str, password: str = PASSWORD) -> httpx.Response:
        """Fill in Keycloak's form as a citizen does; return its answer."""
        page = await self.pages.get(location)
        assert page.status_code == 200, page.text
        form = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        assert form is not None, page.text
        return await self.pages.post(html.unescape(form[1]), data={"username": CITIZEN, "password": password})


@pytest.fixture
async def visit(server: Keycloak, postgres_server: PostgresServer, tmp_path: Path) -> AsyncIterator[Visit]:
    port = urlsplit(server.address).port or 0
    policy = EgressPolicy(
        ports=frozenset({port}),
        inside=(Inside("127.0.0.1", port, (ipaddress.ip_network("127.0.0.0/8"),)),),
        hosts=frozenset({"127.0.0.1"}),
    )
    trust = ssl.create_default_context(cafile=str(server.authority.root_file))
    egress = Egress(policy, trust=trust)
    party = RelyingParty(f"{server.address}/realms/{REALM}", CLIENT, SecretStr(SECRET), HERE, {ACR: 2})
    async with open_stage(postgres_server, tmp_path) as stage:
        platform = OpenIdPlatform(party, egress, system_clock)
        doors = replace(stage.doors, platform=PlatformLogIn(platform, EncryptedAttempts(stage.cipher)))
        async with (
            browser(doors) as web,
            httpx.AsyncClient(verify=trust, trust_env=False, timeout=30) as pages,
        ):
            yield Visit(web, pages)
    await egress.close()


def test_it_is_the_version_of_the_deployments_profile() -> None:
    image = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["idp"]["image"]
    assert image.rpartition(":")[2] == stack.VERSION


async def test_a_citizen_logs_in_with_keycloaks_own_pages_and_is_known(visit: Visit) -> None:
    location, cookie = await visit.start()
    answer = await visit.log_in(location)
    assert answer.status_code == 302, answer.text
    brought = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert answer.headers["location"].startswith(f"{HERE}?")
    back = await visit.web.get(CALLBACK, params=brought, headers={"cookie": cookie})
    assert back.status_code == 200, back.text
    token = back.json()
    assert token["assurance"] == 2
    seen = await visit.web.get("/v1/me", headers=headers(token["access_token"], token["terminal_id"]))
    assert seen.json()["phone_masked"] == "199****1234"
    again = await visit.web.get(CALLBACK, params=brought, headers={"cookie": cookie})
    assert again.status_code >= 400, "a code is redeemed once"


async def test_a_code_is_worth_nothing_without_the_proof_of_who_asked_for_it(visit: Visit) -> None:
    """Keycloak itself refuses another attempt's verifier: PKCE holds on both sides."""
    location, cookie = await visit.start()
    _, other_cookie = await visit.start()
    answer = await visit.log_in(location)
    brought = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    stolen = await visit.web.get(CALLBACK, params=brought, headers={"cookie": other_cookie})
    assert stolen.status_code >= 400
    assert (await visit.web.get(CALLBACK, params=brought, headers={"cookie": cookie})).status_code == 200


async def test_without_the_password_nobody_comes_back(visit: Visit) -> None:
    location, _ = await visit.start()
    answer = await visit.log_in(location, "another")
    assert answer.status_code == 200
    assert "location" not in answer.headers
