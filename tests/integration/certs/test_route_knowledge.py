"""The sharing door tells of what its caller may not know as of nothing: every route × states of a licence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET
from tests.integration.certs.known_things import STATES, Thing, anew, nothing
from tests.integration.certs.test_http_36906 import CAUSE, Sharing, sharing
from tests.security.rights import SHARING

pytestmark = [pytest.mark.promise("P24")]
__all__ = ["sharing"]

ROUTES: dict[str, Any] = {
    "POST /queryCertInfoByHolderCode": lambda t: {
        "holderCode": t.holder,
        "holderTypeCode": "111",
        "certTypeCode": t.type_code,
    },
    "POST /queryCertList": lambda t: {
        "holderCode": t.holder,
        "holderTypeCode": "111",
        "certTypeCode": t.type_code,
    },
    "POST /queryCertInfo": lambda t: {"certIdentifier": t.identifier},
    "POST /downloadUrl": lambda t: {"certIdentifier": t.identifier},
    "POST /downloadUrlByHolderCode": lambda t: {
        "holderCode": t.holder,
        "holderTypeCode": "111",
        "certTypeCode": t.type_code,
        "certNo": t.number,
    },
    "POST /previewCert": lambda t: {"certIdentifier": t.identifier},
    "POST /downloadFile": lambda t: {
        "certificateIdentifier": t.identifier,
        "fileType": "ofd",
        "certificateCopyCause": CAUSE["useCause"],
    },
    "POST /verifyCertInfo": lambda t: {
        "certTypeCode": t.type_code,
        "certData": {"holderCode": t.holder, "holder": "丰小玉", "certNo": t.number},
    },
}
OPEN_ROUTES = {
    "POST /queryCertInfoByQRcode": "whoever is shown the code may know",
    "POST /queryCertCatalog": "no licence: types",
    "POST /getCertRemark": "no licence: types",
    "GET /copies/{ticket}": "whoever made the copy, once: test_attacks",
    "POST /verifyFile": "whoever has the file knows of it; of a wrong one: test_http_36906",
}


def test_every_route_has_its_row_or_its_reason() -> None:
    assert set(ROUTES) | set(OPEN_ROUTES) == SHARING
    assert not set(ROUTES) & set(OPEN_ROUTES)


@pytest.mark.parametrize("state", ["published", "pending_seal", "erased", "other_county"])
async def test_a_route_tells_of_what_its_caller_may_not_know_as_of_nothing(sharing: Sharing, state: str):
    """Not in force yet: for every department but the issuer; else: for one whose agreement leaves the type out."""
    world = sharing.world
    thing = await STATES[state](world)
    absent = nothing(world, thing)
    caller = FIRE if state == "pending_seal" else "limited"
    for route, build in ROUTES.items():
        told = []
        for each in (thing, absent):
            body = {"data": build(each) | ({} if "File" in route else CAUSE)}
            answer = await sharing.clients[caller].post(route.split(" ")[1], json=body)
            told.append((answer.status_code, json.dumps(answer.json(), sort_keys=True)))
        assert told[0] == told[1], route


@pytest.mark.parametrize("route", sorted(ROUTES))
async def test_a_route_without_purpose_or_article_is_refused_naming_what_is_missing(
    sharing: Sharing, route: str
):
    world = sharing.world
    body = ROUTES[route](nothing(world, Thing(anew(), "x1", "1", "")) if route else None)
    body |= {"certTypeCode": BUSINESS} if "certTypeCode" in body else {}
    causeless = {key: value for key, value in body.items() if key != "certificateCopyCause"}
    answer = await sharing.clients[FIRE].post(route.split(" ")[1], json={"data": causeless})
    assert answer.json()["head"]["status"] != 0
    assert "ause" in answer.json()["head"]["message"] or "use_cause" in answer.json()["head"]["message"]
    stated = body | ({} if "File" in route else {"useCause": "核查"})
    answer = await sharing.clients[MARKET].post(route.split(" ")[1], json={"data": stated})
    assert answer.json()["head"]["status"] == 12
    assert "legalArticle" in answer.json()["head"]["message"]
