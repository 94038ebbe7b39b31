"""The sharing door's directory of types and its list of a holder's licences."""

from __future__ import annotations

import uuid
from typing import Any

from services.certs.api import asking, directory
from services.certs.domain.licence_type.terms import AuthorityLevel, Category, HolderCategory
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World
from tests.integration.certs.evidence_room import ARTICLE
from tests.integration.certs.test_attacks import outcomes
from tests.integration.certs.test_http_36906 import Sharing, sharing
from tests.integration.certs.test_issuing import FOOD, Issuing
from tests.integration.certs.test_use_codes import set_status
from tongban.certs.v1 import licence_pb2 as pb

__all__ = ["sharing"]
TYPES, LICENCES = "/queryCertCatalog", "/queryCertList"


async def listed(sharing: Sharing, _by: str = FIRE, **data: Any) -> Any:
    """Return the whole answer of the directory of types."""
    body = {"head": {"accessId": _by}, "data": data}
    answer = await sharing.clients[_by].post(TYPES, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def held(holder: str, **more: Any) -> dict[str, Any]:
    return {"holderCode": holder, "holderTypeCode": "111", "certTypeCode": BUSINESS} | more


async def stock(world: World, holder: str, times: int = 1) -> list[tuple[str, dict[str, str]]]:
    """Import licences of a holder; return id and row of each."""
    rows = [world.row(holder) for _ in range(times)]
    with world.as_department():
        stored = await world.import_rows(*rows)
    return [(each.licence_id, row) for each, row in zip(stored, rows, strict=True)]


async def test_the_directory_has_the_catalogue_record_of_every_type_in_pages(sharing: Sharing):
    whole = (await listed(sharing))["data"]
    codes = [each["CertificateTypeCode"] for each in whole["types"]]
    assert codes == sorted(sharing.world.desk.types)
    assert whole["nextPageToken"] == ""
    record = next(each for each in whole["types"] if each["CertificateTypeCode"] == BUSINESS)
    assert record["CertificateTypeName"] == "营业执照"
    assert record["CertificateDefineAuthorityCode"] == BUSINESS[:18]
    assert record["CertificateDefineAuthorityLevel"] == "国家级"
    assert record["CertificateIssuingAuthorityLevel"] == "区县"
    assert record["CertificateHolderCategory"] == "法人和其他组织"
    walked, token = [], ""
    while True:
        page = (await listed(sharing, pageSize=3, pageToken=token))["data"]
        walked += [each["CertificateTypeCode"] for each in page["types"]]
        token = page["nextPageToken"]
        if not token:
            break
        assert len(page["types"]) == 3
    assert walked == codes


async def test_the_directory_is_searched_by_code_name_definer_and_holder(sharing: Sharing):
    async def codes(**asked: Any) -> list[str]:
        return [each["CertificateTypeCode"] for each in (await listed(sharing, **asked))["data"]["types"]]

    assert await codes(certTypeCode=FOOD) == [FOOD]
    assert BUSINESS in await codes(certName="营业")
    assert set(await codes(defineAuthorityCode=BUSINESS[:18])) >= {BUSINESS, FOOD}
    assert BUSINESS not in await codes(holderCategory="自然人")
    assert BUSINESS in await codes(holderCategory="法人和其他组织", certName="营业执照")


async def test_the_directory_says_what_the_callers_agreement_covers(sharing: Sharing):
    for caller, covered in (("limited", {FOOD}), (FIRE, set(sharing.world.desk.types))):
        types = (await listed(sharing, caller))["data"]["types"]
        assert {each["CertificateTypeCode"] for each in types if each["shared"]} == covered


async def test_what_the_directory_refuses_has_its_number(sharing: Sharing):
    async def status(**asked: Any) -> int:
        answer = await listed(sharing, **asked)
        assert (answer["data"] is None) == (answer["head"]["status"] != 0)
        return int(answer["head"]["status"])

    assert await status(certTypeCode="nothing") == 13
    assert await status(certName="没有这种证照") == 13
    assert await status(holderCategory="谁") == 102
    assert await status(pageSize=-1) == 102
    assert await status(pageToken="小") == 102
    assert (await listed(sharing, "intake"))["head"]["status"] == 11


async def test_a_holders_licences_are_listed_with_where_they_stand_and_nothing_of_their_face(
    sharing: Sharing,
):
    world = sharing.world
    holder = world.citizen()
    (first, row), (second, other) = await stock(world, holder, 2)
    await set_status(world, second, pb.LICENCE_STATUS_SUSPENDED)
    answer = await sharing.ask(LICENCES, **held(holder))
    found = {each["certIdentifier"]: each for each in answer["data"]["licences"]}
    assert {name: each["certStatus"] for name, each in found.items()} == {row["ZZBS"]: 0, other["ZZBS"]: 23}
    assert found[row["ZZBS"]] == {
        "certIdentifier": row["ZZBS"],
        "certTypeCode": BUSINESS,
        "certName": "营业执照",
        "certNo": row["ZZBH"],
        "certStatus": 0,
    }
    assert holder not in str(answer)
    assert await outcomes(world, holder) == [("find", "allowed")] * 2
    in_force = await sharing.ask(LICENCES, **held(holder, certStatus=0))
    assert [each["certIdentifier"] for each in in_force["data"]["licences"]] == [row["ZZBS"]]
    assert await sharing.status(LICENCES, **held(holder, certStatus=21)) == 10
    assert first


async def test_a_holders_licences_are_listed_in_pages(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    stored = await stock(world, holder, 5)
    walked, token = [], ""
    while True:
        page = (await sharing.ask(LICENCES, **held(holder, pageSize=2, pageToken=token)))["data"]
        walked += [each["certIdentifier"] for each in page["licences"]]
        token = page["nextPageToken"]
        if not token:
            break
    assert sorted(walked) == sorted(row["ZZBS"] for _, row in stored)
    assert holder not in token


async def test_what_the_list_refuses_has_its_number(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    await stock(world, holder)
    assert await sharing.status(LICENCES, **held(world.citizen())) == 10
    assert await sharing.status(LICENCES, **held(holder, holderCode="")) == 110
    assert await sharing.status(LICENCES, **held(holder, certTypeCode="")) == 12
    assert await sharing.status(LICENCES, **held(holder, holderTypeCode="777")) == 103
    assert await sharing.status(LICENCES, **held(holder, pageToken="x")) == 102
    assert await sharing.status(LICENCES, **held(holder, pageSize=-1)) == 102
    assert await sharing.status(LICENCES, "limited", **held(holder)) == 100
    assert await sharing.status(LICENCES, MARKET, **held(holder)) == 12
    assert await sharing.status(LICENCES, MARKET, **held(holder), legalArticle=ARTICLE) == 0
    assert await sharing.status(LICENCES, **held(holder), useCause="") == 12


async def test_what_is_not_sealed_yet_is_in_no_list_not_even_its_issuers(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    await Issuing(world).approve(holder)
    asked = held(holder, certTypeCode=FOOD, legalArticle=ARTICLE)
    for caller in (MARKET, FIRE):
        assert await sharing.status(LICENCES, caller, **asked) == 10


async def test_information_by_holder_and_number_finds_it_among_many(sharing: Sharing, monkeypatch: Any):
    monkeypatch.setattr(asking, "LARGEST_PAGE", 2)
    world = sharing.world
    holder = world.citizen()
    stored = await stock(world, holder, 3)
    path = "/queryCertInfoByHolderCode"
    for _, row in stored:
        answer = await sharing.ask(path, **held(holder, certNo=row["ZZBH"]))
        assert [each["cert_identifier"] for each in answer["data"]] == [row["ZZBS"]]
    assert await sharing.status(path, **held(world.citizen(), certNo=stored[0][1]["ZZBH"])) == 10
    said = {"holderCode": holder, "holder": "丰小玉", "certNo": stored[0][1]["ZZBH"]}
    told = await sharing.ask("/verifyCertInfo", certTypeCode=BUSINESS, certData=said)
    assert told["data"]["result"] == "true", "the oldest of them too"
    said["certNo"] = "nothing"
    told = await sharing.ask("/verifyCertInfo", certTypeCode=BUSINESS, certData=said)
    assert told["data"]["result"] == "false"
    many = await sharing.ask(path, **held(holder))
    assert many["head"]["status"] == 102
    assert "HOLDER_HAS_TOO_MANY" in many["head"]["message"]


async def test_a_number_that_is_not_indexed_yet_is_found_through_its_holder(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    ((licence_id, row),) = await stock(world, holder)
    async with world.database.transaction() as tx:
        await tx.execute("update licence set number_key = null where licence_id = $1", uuid.UUID(licence_id))
    for path in (LICENCES, "/queryCertInfoByHolderCode", "/downloadUrlByHolderCode"):
        assert await sharing.status(path, **held(holder, certNo=row["ZZBH"])) == 0
        assert await sharing.status(path, **held(holder, certNo="nothing")) == 10


def test_every_word_of_the_directory_has_its_chinese_one() -> None:
    assert set(directory.DEFINED_AT) == set(directory.ISSUED_AT) == set(AuthorityLevel)
    assert set(directory.HELD_BY) == set(HolderCategory)
    assert set(directory.LISTED_AS) == set(Category)
