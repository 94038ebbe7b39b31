"""What an attacker tries at the evidence: probe what is frozen or hidden, replay an answer, take a copy too late."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from chassis.errors import Fault
from services.certs.domain.evidence.predicate import Covers, Operator, asked_digest, subject_digest
from services.certs.domain.licence_type.sights import Matrix, Sight
from services.certs.domain.purpose import PurposeCategory
from services.certs.rpc.confirmations import ConfirmationServicer
from services.certs.rpc.life import LicenceLifeServicer
from services.certs.store.licences import LicenceStore
from services.certs.usecases.held_uses import USES_KIND, holder_digest
from tests.integration.certs.conftest import BUSINESS, FIRE, MARKET, World, purpose
from tests.integration.certs.evidence_room import (
    case_handed_in,
    covers,
    duty_code,
    entrusted,
    entrustment,
    offline,
)
from tests.integration.certs.recourse import Recourse, Said, reason_of
from tests.integration.certs.test_evidence import ask, copy, of, search
from tests.integration.certs.test_http_36906 import CAUSE, Sharing, identifier_of, sharing
from tests.integration.certs.test_issuing import FOOD
from tests.integration.certs.test_presentations import in_force, present
from tests.integration.certs.test_use_codes import issued, set_status, uses
from tongban.certs.v1 import confirmation_pb2, holder_pb2, licence_life_pb2
from tongban.certs.v1 import licence_pb2 as pb

__all__ = ["sharing"]
HIDDEN = "KZ_ZS"
HIDING = Matrix({each: {HIDDEN: Sight.HIDDEN} for each in PurposeCategory})


@pytest.fixture
def recourse(world: World) -> Recourse:
    return Recourse(world, Said())


@pytest.fixture
def hiding(world: World) -> Iterator[World]:
    """A registry whose business licences hide the address from every purpose, and food licences their place."""
    types = world.desk.types
    kept = [types[code] for code in types]
    food = Matrix({each: {"KZ_JYCS": Sight.HIDDEN} for each in PurposeCategory})
    types.take(
        replace(each, matrix={BUSINESS: HIDING, FOOD: food}.get(each.code, each.matrix)) for each in kept
    )
    yield world
    types.take(kept)


async def confirm(world: World, holder: str, **face: str) -> bool:
    request = confirmation_pb2.ConfirmFaceRequest(
        holder_id_type_code="111",
        holder_id_number=holder,
        type_code=BUSINESS,
        face=face,
        purpose=purpose(),
    )
    with world.as_intake():
        return bool((await ConfirmationServicer(world.desk).ConfirmFace(request, None)).confirmed)


async def outcomes(world: World, holder: str) -> list[tuple[str, str]]:
    return sorted((use.kind, use.outcome) for use in (await uses(world, holder)).uses)


async def test_no_is_no_answer_either_while_a_licence_is_frozen(world: World, recourse: Recourse):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    assert await confirm(world, holder, KZ_LX="公司") is False
    assert await world.count("select count(*) from usage where kind = 'answer' and outcome = 'allowed'") == 1
    await recourse.freeze(await recourse.open(licence_id, holder))
    for value in ("个体工商户", "公司"):
        assert await reason_of(confirm(world, holder, KZ_LX=value)) == "LICENCE_IN_DISPUTE"
    assert (await outcomes(world, holder)).count(("answer", "LICENCE_IN_DISPUTE")) == 2


async def test_who_finds_a_frozen_licence_reads_where_it_stands_and_nothing_on_its_face(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    frozen, other = await world.stock_licence(holder), await world.stock_licence(holder)
    await recourse.freeze(await recourse.open(frozen, holder))
    asked = pb.FindLicencesRequest(holder_id_type_code="111", holder_id_number=holder, purpose=purpose())
    with world.as_department(FIRE):
        found = {each.licence_id: each for each in (await world.licences.FindLicences(asked, None)).licences}
    searched = {each.licence_id: each for each in (await search(world, holder=of(holder))).licences}
    for seen in (found, searched):
        assert seen[frozen].status == pb.LICENCE_STATUS_VALID
        assert dict(seen[frozen].face) == {}
        assert seen[other].face["KZ_JYFW"] == "餐饮服务"
    with world.as_department():
        own = {each.licence_id: each for each in (await world.licences.FindLicences(asked, None)).licences}
    assert own[frozen].face["KZ_JYFW"] == "餐饮服务", "its issuer checks it"


async def test_a_search_reads_its_licences_in_one_statement(world: World, monkeypatch: pytest.MonkeyPatch):
    holder = world.citizen()
    for _ in range(5):
        await world.stock_licence(holder)

    async def alone(_self: LicenceStore, _licence_id: str) -> None:
        pytest.fail("a statement for each licence of a page")

    monkeypatch.setattr(LicenceStore, "get", alone)
    assert len((await search(world, holder=of(holder))).licences) == 5


async def test_verified_information_is_an_answer_and_refused_of_a_frozen_licence(
    sharing: Sharing, recourse: Recourse
):
    world = sharing.world
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (stored,) = await world.import_rows(row)
    said = {"holderCode": holder, "holder": "丰小玉", "certNo": row["ZZBH"], "KZ_JYFW": "餐饮服务"}
    told = await sharing.ask("/verifyCertInfo", certTypeCode=BUSINESS, certData=said)
    assert told["data"]["result"] == "true"
    assert await outcomes(world, holder) == [("answer", "allowed")]
    await recourse.freeze(await recourse.open(stored.licence_id, holder))
    for wrong in ({}, {"KZ_JYFW": "烟草"}):
        answer = await sharing.ask("/verifyCertInfo", certTypeCode=BUSINESS, certData=said | wrong)
        assert answer["data"] is None
        assert "LICENCE_IN_DISPUTE" in answer["head"]["message"]
    assert (await outcomes(world, holder)).count(("answer", "LICENCE_IN_DISPUTE")) == 2


async def test_the_address_of_a_copy_opens_nothing_once_the_licence_is_frozen_or_out_of_force(
    sharing: Sharing, recourse: Recourse
):
    world = sharing.world
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    identifier = await identifier_of(world, licence_id)

    async def address() -> str:
        return str((await sharing.ask("/downloadUrl", certIdentifier=identifier))["data"]["content"])

    first, second, third = await address(), await address(), await address()
    assert (await sharing.clients[FIRE].get(first)).status_code == 200
    assert (await outcomes(world, holder)).count(("copy", "allowed")) == 4, "three made, one fetched"
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    fetched = await sharing.clients[FIRE].get(second)
    assert fetched.json()["code"] == "LICENCE_NOT_USABLE"
    assert ("copy", "LICENCE_NOT_USABLE") in await outcomes(world, holder)
    await set_status(world, licence_id, pb.LICENCE_STATUS_VALID)
    await recourse.freeze(await recourse.open(licence_id, holder))
    fetched = await sharing.clients[FIRE].get(third)
    assert fetched.json()["code"] == "LICENCE_IN_DISPUTE"
    assert ("copy", "LICENCE_IN_DISPUTE") in await outcomes(world, holder)


async def test_a_type_outside_the_agreement_is_as_if_it_were_not_there(sharing: Sharing):
    world = sharing.world
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (stored,) = await world.import_rows(row)
    for status in (None, pb.LICENCE_STATUS_SUSPENDED):
        if status:
            await set_status(world, stored.licence_id, status)
        for path, name in (("/downloadUrl", "certIdentifier"), ("/queryCertInfo", "certIdentifier")):
            there = await sharing.ask(path, "limited", **{name: row["ZZBS"]})
            nowhere = await sharing.ask(path, "limited", **{name: "no such identifier"})
            assert there == nowhere
        told = []
        for identifier in (row["ZZBS"], "no such identifier"):
            asked = {
                "certificateIdentifier": identifier,
                "certificateCopyCause": CAUSE["useCause"],
                "fileType": "ofd",
            }
            answer = await sharing.clients["limited"].post("/downloadFile", json={"data": asked})
            told.append(answer.json())
        assert told[0] == told[1]
    assert await outcomes(world, holder) == [], "nothing was read of it"


async def test_an_answer_is_about_its_own_question_and_licence_and_nobody_elses(world: World):
    holder, other = world.citizen(), world.citizen()
    await world.stock_licence(holder)
    answer = await ask(world, covers("KZ_JYFW", "CONTAINS", "餐饮"), holder=of(holder))
    claims = world.desk.signer.read(answer.statement, "answer")
    assert claims["about"] == subject_digest("holder", ("111", holder), (), answer.salt)
    assert claims["about"] != subject_digest("holder", ("111", other), (), answer.salt)
    absent = await ask(world, covers("KZ_JYFW", "CONTAINS", "餐饮"), holder=of(other))
    unknown = world.desk.signer.read(absent.statement, "answer")
    assert unknown["about"] == subject_digest("holder", ("111", other), (), absent.salt)
    assert unknown["basis"] == "statutory_duty"
    assert holder not in json.dumps(claims)
    tricky = Covers("KZ_JYFW", Operator.IN, ("餐饮\x1e烟草",))
    split = (
        Covers("KZ_JYFW", Operator.IN, ("餐饮\x1f烟草",)),
        Covers("KZ_JYFW", Operator.IN, ("餐饮", "烟草")),
    )
    assert len({asked_digest([each], "salt") for each in (tricky, *split)}) == 3


async def test_what_is_taken_away_says_whose_uses_it_lists_and_from_where_on(
    world: World, recourse: Recourse
):
    holder, other = world.citizen(), world.citizen()
    with world.as_intake():
        taken = await recourse.holders.ExportHolderUses(
            holder_pb2.ExportHolderUsesRequest(holder_id_type_code="111", holder_id_number=holder), None
        )
    claims = world.desk.signer.read(taken.signed_json, USES_KIND)
    assert claims["holder"] == holder_digest(("111", holder), taken.salt)
    assert claims["holder"] != holder_digest(("111", other), taken.salt)
    assert taken.salt not in json.dumps(claims)
    assert claims["after"] == ""


async def test_a_code_for_a_field_that_the_type_hides_is_refused_when_it_is_asked_for(hiding: World):
    world = hiding
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    entrustment_id = await entrusted(world, entrustment(world, holder, agent))
    for by in (
        {},
        {"entrustment_id": entrustment_id, "agent_id_type_code": "111", "agent_id_number": agent},
    ):
        with pytest.raises(Fault) as refused:
            await issued(world, licence_id, holder, face_fields=["KZ_MC", HIDDEN], **by)
        (wrong,) = refused.value.violations
        assert (wrong.field_path, wrong.reason.code) == ("face_fields[1]", "FACE_FIELD_NOT_DISCLOSED")

    await case_handed_in(world, "case-1", ("item-1", MARKET), of=holder)
    with pytest.raises(Fault) as refused:
        await duty_code(world, licence_id, face_fields=[HIDDEN])
    assert [each.reason.code for each in refused.value.violations] == ["FACE_FIELD_NOT_DISCLOSED"]
    assert await world.count("select count(*) from use_code") == 0


async def test_what_the_type_hides_is_not_probed_by_yes_or_no(hiding: World, sharing: Sharing):
    world = hiding
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (stored,) = await world.import_rows(row)
    for value in (row[HIDDEN], "别处"):
        answer = await ask(world, covers(HIDDEN, "EQ", value), licence_id=stored.licence_id)
        assert answer.reason == "FIELD_NOT_FOR_THIS_PURPOSE"
        assert await confirm(world, holder, **{HIDDEN: value}) is False
        said = {"holderCode": holder, "holder": "丰小玉", "certNo": row["ZZBH"], HIDDEN: value}
        told = await sharing.ask("/verifyCertInfo", certTypeCode=BUSINESS, certData=said)
        assert told["data"]["result"] == "false"


def texts(ofd: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(ofd)) as package:
        return "".join(
            package.read(each).decode() for each in package.namelist() if each.endswith((".xml", ".json"))
        )


async def test_a_copy_and_a_picture_show_no_more_than_their_reader_may_see(
    hiding: World, monkeypatch: pytest.MonkeyPatch
):
    import services.certs.rpc.life as adapter

    world = hiding
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    made = texts((await copy(world, licence_id)).ofd)
    assert "餐饮服务经营者" in made
    assert "永丰街道" not in made
    assert holder not in made
    handed = pb.GetLicenceDocumentRequest(licence_id=licence_id, purpose=purpose())
    with world.as_department(FIRE):
        document = await world.licences.GetLicenceDocument(handed, None)
    assert document.is_annotated_copy
    assert "永丰街道" not in texts(document.ofd)
    drawn: list[Any] = []
    monkeypatch.setattr(adapter, "preview", lambda licence, _kind: drawn.append(licence) or b"")
    request = licence_life_pb2.GetLicencePreviewRequest(licence_id=licence_id, purpose=purpose())
    with world.as_department(FIRE):
        await LicenceLifeServicer(world.desk).GetLicencePreview(request, None)
    with world.as_department():
        await LicenceLifeServicer(world.desk).GetLicencePreview(request, None)
    assert ["KZ_JYCS" in each.face for each in drawn] == [False, True], "its issuer sees the whole page"
    assert holder not in str([each.holders[0].id_number for each in drawn[:1]])


async def test_trying_to_show_the_licence_of_another_is_recorded_for_its_holder(world: World):

    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    for call in (present, offline, issued):
        assert await reason_of(call(world, licence_id, world.citizen())) == "LICENCE_NOT_FOUND"
    assert await outcomes(world, holder) == [
        ("issue", "LICENCE_OF_ANOTHER_HOLDER"),
        ("present", "LICENCE_OF_ANOTHER_HOLDER"),
        ("present", "LICENCE_OF_ANOTHER_HOLDER"),
    ]
