"""The sharing door's copies by holder and its pictures."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from services.certs.usecases import copies_of_holder
from standards.annotated_copy import copy_mark
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World
from tests.integration.certs.evidence_room import ARTICLE
from tests.integration.certs.recourse import Recourse
from tests.integration.certs.test_attacks import outcomes, recourse
from tests.integration.certs.test_http_36906 import Sharing, sharing
from tests.integration.certs.test_http_36906_directory import held, stock
from tests.integration.certs.test_use_codes import set_status, uses
from tongban.certs.v1 import licence_pb2 as pb

__all__ = ["recourse", "sharing"]
COPIES, PICTURE = "/downloadUrlByHolderCode", "/previewCert"


async def lines(world: World, holder: str) -> list[tuple[str, str]]:
    return sorted(await outcomes(world, holder))


async def test_copies_of_a_holders_licences_are_fetched_by_their_addresses_once(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    (_, row), (fallen, _), (_, other) = await stock(world, holder, 3)
    await set_status(world, fallen, pb.LICENCE_STATUS_SUSPENDED)
    answer = await sharing.ask(COPIES, **held(holder))
    assert answer["head"]["status"] == 0
    made = {each["certIdentifier"]: each for each in answer["data"]}
    assert set(made) == {row["ZZBS"], other["ZZBS"]}, "those in force"
    assert {each["certNo"] for each in answer["data"]} == {row["ZZBH"], other["ZZBH"]}
    assert await lines(world, holder) == [("copy", "allowed")] * 2
    assert {each.legal_article for each in (await uses(world, holder)).uses} == {ARTICLE}
    for each in answer["data"]:
        assert each["contentType"] == "url"
        assert holder not in each["content"]
        assert (await sharing.clients[MARKET].get(each["content"])).status_code == 404
        fetched = await sharing.clients[FIRE].get(each["content"])
        assert copy_mark(fetched.content) is not None
        assert holder.encode() not in fetched.content
        assert (await sharing.clients[FIRE].get(each["content"])).status_code == 404


async def test_the_number_picks_one_of_a_holders_licences(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    stored = await stock(world, holder, 2)
    for _, row in stored:
        answer = await sharing.ask(COPIES, **held(holder, certNo=row["ZZBH"]))
        assert [each["certIdentifier"] for each in answer["data"]] == [row["ZZBS"]]
    stranger = world.citizen()
    assert await sharing.status(COPIES, **held(stranger, certNo=stored[0][1]["ZZBH"])) == 10
    assert await lines(world, stranger) == [("find", "allowed")], "the look-up is on record"


async def test_what_is_refused_of_copies_by_holder_has_its_number(
    sharing: Sharing, monkeypatch: pytest.MonkeyPatch
):
    world = sharing.world
    holder = world.citizen()
    (first, _), (second, _) = await stock(world, holder, 2)
    assert await sharing.status(COPIES, **held(world.citizen())) == 10
    assert await sharing.status(COPIES, **held(holder, holderCode="")) == 110
    assert await sharing.status(COPIES, **held(holder, holderTypeCode="777")) == 103
    assert await sharing.status(COPIES, **held(holder), expiryTime="2000-01-01 00:00:00") == 102
    assert await sharing.status(COPIES, **held(holder), expiryTime="soon") == 102
    assert await sharing.status(COPIES, **held(holder), useCause="") == 12
    assert await sharing.status(COPIES, "limited", **held(holder)) == 100
    assert await sharing.status(COPIES, MARKET, **held(holder)) == 12
    assert await lines(world, holder) == []
    with monkeypatch.context() as few:
        few.setattr(copies_of_holder, "COPIES_LIMIT", 1)
        many = await sharing.ask(COPIES, **held(holder))
    assert many["head"]["status"] == 102
    assert "HOLDER_HAS_TOO_MANY" in many["head"]["message"]
    assert await lines(world, holder) == [("find", "HOLDER_HAS_TOO_MANY")]
    for each in (first, second):
        await set_status(world, each, pb.LICENCE_STATUS_CANCELLED)
    assert await sharing.status(COPIES, **held(holder)) == 21
    assert ("copy", "LICENCE_NOT_USABLE") in await lines(world, holder)


async def test_of_a_frozen_licence_there_is_no_copy_and_the_others_come(sharing: Sharing, recourse: Recourse):
    world = sharing.world
    holder = world.citizen()
    (frozen, _), (free, row) = await stock(world, holder, 2)
    await recourse.freeze(await recourse.open(frozen, holder))
    answer = await sharing.ask(COPIES, **held(holder))
    assert [each["certIdentifier"] for each in answer["data"]] == [row["ZZBS"]]
    await recourse.freeze(await recourse.open(free, holder))
    answer = await sharing.ask(COPIES, **held(holder))
    assert answer["head"]["status"] == 23
    assert "LICENCE_IN_DISPUTE" in answer["head"]["message"]
    assert ("copy", "LICENCE_IN_DISPUTE") in await lines(world, holder)


async def test_a_picture_comes_of_a_licence_in_force_and_is_recorded(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    ((licence_id, row),) = await stock(world, holder)
    answer = await sharing.ask(PICTURE, certIdentifier=row["ZZBS"])
    assert answer["head"]["status"] == 0
    assert answer["data"]["contentType"] == "image/png"
    assert answer["data"]["certIdentifier"] == row["ZZBS"]
    assert base64.b64decode(answer["data"]["content"]).startswith(b"\x89PNG")
    (use,) = (await uses(world, holder)).uses
    assert (use.consumer_code, use.legal_article) == (FIRE, ARTICLE)
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    assert await sharing.status(PICTURE, certIdentifier=row["ZZBS"]) == 23
    assert await lines(world, holder) == [("preview", "LICENCE_NOT_USABLE"), ("preview", "allowed")]


async def test_what_is_refused_of_a_picture_has_its_number(sharing: Sharing, recourse: Recourse):
    world = sharing.world
    holder = world.citizen()
    ((licence_id, row),) = await stock(world, holder)
    asked: dict[str, Any] = {"certIdentifier": row["ZZBS"]}
    assert await sharing.status(PICTURE, certIdentifier="x") == 10
    assert await sharing.status(PICTURE, certIdentifier="") == 12
    assert await sharing.status(PICTURE, **asked, useCause="") == 12
    assert await sharing.status(PICTURE, MARKET, **asked) == 12
    assert await sharing.status(PICTURE, "limited", **asked) == 10, BUSINESS
    assert await lines(world, holder) == []
    await recourse.freeze(await recourse.open(licence_id, holder))
    assert await sharing.status(PICTURE, **asked) == 23
    assert await sharing.status(PICTURE, MARKET, **asked, legalArticle=ARTICLE) == 0, "its issuer checks it"


async def test_a_call_that_makes_many_copies_takes_as_much_of_the_budget(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    await stock(world, holder)

    async def taken() -> int:
        return await world.count("select coalesce(sum(hits[2]), 0)::int from rate_window")

    await sharing.ask(COPIES, **held(holder))
    assert await taken() == copies_of_holder.COPIES_LIMIT
    await sharing.ask(PICTURE, certIdentifier="x")
    assert await taken() == copies_of_holder.COPIES_LIMIT + 1
