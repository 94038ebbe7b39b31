"""Searches, answers and copies on a real PostgreSQL: what may be known is told, everything is recorded."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import uuid
import zipfile
from datetime import timedelta

import pytest

from chassis.auth import read_jwks, verify_document
from services.certs.app.evidence import numbers_step
from services.certs.domain.evidence.predicate import Covers, Operator, asked_digest
from standards.annotated_copy import copy_mark
from standards.identifiers import build_licence_identifier
from tests.integration.certs.conftest import FIRE, MARKET, World, purpose
from tests.integration.certs.evidence_room import (
    covers,
    entrusted,
    entrustment,
    evidence,
    offline,
    stamp,
    today,
)
from tests.integration.certs.life_desk import Desk
from tests.integration.certs.test_presentations import in_force
from tests.integration.certs.test_use_codes import reason_of, set_status, uses
from tongban.certs.v1 import evidence_pb2 as pb
from tongban.certs.v1 import licence_pb2

DUTY = licence_pb2.BASIS_STATUTORY_DUTY
CONSENT = licence_pb2.BASIS_CONSENT
YES, NO, UNKNOWN = (
    pb.PREDICATE_VERDICT_YES,
    pb.PREDICATE_VERDICT_NO,
    pb.PREDICATE_VERDICT_UNKNOWN,
)


async def search(world: World, department: str = FIRE, basis: int = DUTY, **query: object):
    page = {key: query.pop(key) for key in ("page_size", "page_token") if key in query}
    request = pb.SearchLicencesRequest(query=pb.LicenceQuery(**query), purpose=purpose(basis), **page)
    with world.as_department(department):
        return await evidence(world).SearchLicences(request, None)


def of(holder: str) -> pb.HolderQuery:
    return pb.HolderQuery(holder_id_type_code="111", holder_id_number=holder)


async def test_a_licence_is_found_by_holder_identifier_and_number_masked(world: World):
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (stored,) = await world.import_rows(row)
    for query in (
        {"holder": of(holder)},
        {"identifier": row["ZZBS"]},
        {"licence_id": stored.licence_id},
        {"number": pb.NumberQuery(number=f" {row['ZZBH']} ")},
    ):
        (found,) = (await search(world, **query)).licences
        assert found.licence_id == stored.licence_id
        assert found.holder_name == "丰**"
    assert (await search(world, number=pb.NumberQuery(number="20260000009999"))).licences == []
    assert {use.kind for use in (await uses(world, holder)).uses} == {"find", "read"}
    assert await world.count("select count(*) from usage where licence_id is null") == 1


async def test_every_writer_indexes_the_number_and_older_rows_get_theirs_once(world: World):
    desk, holder = Desk(world), world.citizen()
    stocked = await world.stock_licence(holder)
    made = await desk.in_force()
    changed = await desk.change(made)
    written = {each: (await desk.row(each))["number_key"] for each in (stocked, made, changed)}
    assert all(written.values())
    async with world.database.transaction() as tx:
        await tx.execute("update licence set number_key = null")
    step = numbers_step(world.database, world.desk.registry_of)
    await asyncio.gather(*(step() for _ in range(3)))
    assert {each: (await desk.row(each))["number_key"] for each in written} == written
    assert await world.count("select count(*) from licence where number_key is null") == 0
    async with world.database.transaction() as tx:
        await tx.execute("update licence set number_key = null")
        await tx.execute("update licence set subject = '\\x00' where licence_id = $1", uuid.UUID(made))
    await step()
    found = {each: (await desk.row(each))["number_key"] for each in written}
    assert found == written | {made: None}, "one that no key opens keeps none from theirs"


async def test_a_number_that_a_licence_made_here_has_is_not_taken_by_an_import(world: World):
    desk = Desk(world)
    made, _ = await desk.history(await desk.in_force())
    row = world.row(world.citizen(), ZZLXDM=made.type_code, ZZMC=made.type_name, ZZBH=made.number)
    stranger = {name: value for name, value in row.items() if not name.startswith("KZ_")} | dict(made.face)
    stranger["ZZBS"] = build_licence_identifier(made.type_code, MARKET, "2026777777")
    with world.as_department():
        (refused,) = await world.import_rows(stranger)
    assert [each.reason for each in refused.problems] == ["DUPLICATE_NUMBER"]


async def test_what_a_department_may_not_know_of_looks_absent_in_every_way(world: World):
    holder = world.citizen()
    row = world.row(holder)
    with world.as_department():
        (stored,) = await world.import_rows(row)
    for query in (
        {"holder": of(holder)},
        {"identifier": row["ZZBS"]},
        {"licence_id": stored.licence_id},
        {"number": pb.NumberQuery(number=row["ZZBH"])},
    ):
        assert (await search(world, FIRE, CONSENT, **query)).licences == []
        assert len((await search(world, MARKET, CONSENT, **query)).licences) == 1
    assert await world.count("select count(*) from usage") == 8


async def test_the_licences_come_in_pages_without_loss(world: World):
    holder = world.citizen()
    with world.as_department():
        await world.import_rows(*(world.row(holder) for _ in range(5)))
    seen, token = [], ""
    while True:
        page = await search(world, holder=of(holder), page_size=2, page_token=token)
        seen += [each.licence_id for each in page.licences]
        token = page.next_page_token
        if not token:
            break
    assert len(seen) == len(set(seen)) == 5


async def test_a_search_without_purpose_basis_or_with_two_ways_is_refused(world: World):
    request = pb.SearchLicencesRequest()
    with world.as_department(), pytest.raises(Exception) as refused:
        await evidence(world).SearchLicences(request, None)
    named = {each.field_path for each in refused.value.violations}
    assert named == {"query", "purpose.use_cause", "purpose.basis"}


async def test_the_qr_code_that_is_shown_opens_what_it_states_and_a_forged_one_nothing(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    shown = await offline(world, licence_id, holder)
    basis = licence_pb2.BASIS_SHOWN_BY_HOLDER
    (found,) = (await search(world, FIRE, basis, qr_text=shown.qr_text)).licences
    assert found.licence_id == licence_id
    assert (await search(world, FIRE, basis, licence_id=licence_id)).licences == []
    forged = shown.qr_text[:4] + "AAAAAA" + shown.qr_text[10:]  # the signature comes first
    assert await reason_of(search(world, FIRE, basis, qr_text=forged)) == "SIGNATURE_WRONG"
    world.clock.offset += timedelta(hours=25)
    late = search(world, FIRE, basis, qr_text=shown.qr_text)
    assert await reason_of(late) == "OFFLINE_STATEMENT_EXPIRED"


async def test_an_agents_qr_code_opens_nothing_once_the_entrustment_is_taken_back_or_over(world: World):
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    basis = licence_pb2.BASIS_SHOWN_BY_HOLDER

    async def shown() -> tuple[str, str]:
        name = await entrusted(world, entrustment(world, holder, agent))
        named = {"entrustment_id": name, "agent_id_type_code": "111", "agent_id_number": agent}
        return name, (await offline(world, licence_id, holder, **named)).qr_text

    name, text = await shown()
    (found,) = (await search(world, FIRE, basis, qr_text=text)).licences
    assert found.licence_id == licence_id
    async with world.database.transaction() as tx:
        entrustments = world.desk.registry_of(tx).evidence.entrustments
        assert await entrustments.revoke(name, ("111", holder), "本人自办", world.clock())
    assert await reason_of(search(world, FIRE, basis, qr_text=text)) == "ENTRUSTMENT_REVOKED"
    own = (await offline(world, licence_id, holder)).qr_text
    assert (await search(world, FIRE, basis, qr_text=own)).licences


async def ask(world: World, *predicates: pb.Predicate, department: str = FIRE, basis: int = DUTY, **query):
    request = pb.AnswerPredicateRequest(
        query=pb.LicenceQuery(**query), predicates=predicates, purpose=purpose(basis)
    )
    with world.as_department(department):
        return await evidence(world).AnswerPredicate(request, None)


async def test_an_answer_is_yes_or_no_signed_recorded_and_without_the_value(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    valid = pb.Predicate(valid_on=today(world))
    answer = await ask(world, valid, covers("KZ_JYFW", "CONTAINS", "餐饮"), licence_id=licence_id)
    assert (answer.verdict, answer.reason, answer.licence_version) == (YES, "HOLDS", 1)
    claims = verify_document(answer.statement, read_jwks(world.desk.signer.jwks_json), kind="answer")
    assert (claims["answer"], claims["lid"], claims["aud"]) == ("yes", licence_id, FIRE)
    assert "餐饮" not in json.dumps(claims, ensure_ascii=False)
    other = await ask(world, covers("KZ_JYFW", "CONTAINS", "烟草"), licence_id=licence_id)
    assert (other.verdict, other.reason) == (NO, "DOES_NOT_HOLD")
    assert "餐饮" not in str(other)
    asked = verify_document(other.statement, read_jwks(world.desk.signer.jwks_json), kind="answer")["asked"]
    told = [Covers("KZ_JYFW", Operator.CONTAINS, ("烟草",))]
    assert asked_digest(told, other.salt) == asked
    listed = (await uses(world, holder)).uses
    assert [(use.kind, use.use_cause, use.consumer_code) for use in listed] == [
        ("answer", "食品经营许可审查", FIRE)
    ] * 2


async def test_what_is_not_there_or_not_allowed_is_unknown_alike(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    valid = pb.Predicate(valid_on=today(world))
    hidden = await ask(world, valid, basis=CONSENT, licence_id=licence_id)
    absent = await ask(world, valid, licence_id=str(uuid.uuid4()))
    for answer in (hidden, absent):
        assert (answer.verdict, answer.reason) == (UNKNOWN, "LICENCE_NOT_FOUND")
        assert (answer.licence_id, answer.licence_version) == ("", 0)
    await world.stock_licence(holder)
    several = await ask(world, valid, holder=of(holder))
    assert (several.verdict, several.reason) == (UNKNOWN, "SEVERAL_LICENCES_MATCH")


async def test_of_masked_fields_only_equality_is_answered(world: World):
    licence_id = await world.stock_licence(world.citizen())
    same = await ask(world, covers("KZ_FDDBR", "EQ", "丰小玉"), licence_id=licence_id)
    part = await ask(world, covers("KZ_FDDBR", "CONTAINS", "丰"), licence_id=licence_id)
    assert (same.verdict, part.verdict) == (YES, UNKNOWN)
    assert part.reason == "ONLY_EQUALITY_MAY_BE_ASKED"


async def test_a_suspended_day_is_no_and_the_day_before_stays_yes(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    world.clock.offset += timedelta(days=3)
    await set_status(world, licence_id, licence_pb2.LICENCE_STATUS_SUSPENDED)
    suspended_on = today(world)
    world.clock.offset += timedelta(days=3)
    before = (world.clock() - timedelta(days=5)).date().isoformat()
    after = (world.clock() - timedelta(days=1)).date().isoformat()
    for day, verdict, reason in (
        (before, YES, "HOLDS"),
        (suspended_on, UNKNOWN, "STATUS_CHANGED_THAT_DAY"),
        (after, NO, "NOT_IN_FORCE"),
        (today(world), NO, "NOT_IN_FORCE"),
        ("2020-01-01", NO, "TERM_NOT_BEGUN"),
        ("2099-01-01", UNKNOWN, "DAY_LIES_AHEAD"),
    ):
        answer = await ask(world, pb.Predicate(valid_on=day), licence_id=licence_id)
        assert (answer.verdict, answer.reason) == (verdict, reason), day


async def copy(world: World, licence_id: str, department: str = FIRE, basis: int = DUTY, **changed: object):
    fields = {"request_id": str(uuid.uuid4()), "licence_id": licence_id, "purpose": purpose(basis)} | changed
    with world.as_department(department):
        return await evidence(world).MakeAnnotatedCopy(pb.MakeAnnotatedCopyRequest(**fields), None)


async def test_a_copy_says_on_its_page_and_in_its_metadata_that_it_is_one(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    end = world.clock() + timedelta(days=2)
    made = await copy(world, licence_id, expires_at=stamp(end))
    assert hashlib.sha256(made.ofd).hexdigest() == made.sha256
    mark = copy_mark(made.ofd)
    assert mark is not None
    assert mark.original_sha256 == made.original_sha256 != ""
    assert mark.use_cause == "食品经营许可审查"
    with zipfile.ZipFile(io.BytesIO(made.ofd)) as package:
        page = package.read("Doc_0/Pages/Page_0/Content.xml").decode()
    assert page.count("加注件 仅供上饶市广丰区消防救援大队用于：食品经营许可审查") >= 5
    assert "case-1" in page
    (line,) = [use for use in (await uses(world, holder)).uses if use.kind == "copy"]
    assert line.consumer_code == FIRE
    assert await world.count("select count(*) from annotated_copy where copy_sha256 = $1", made.sha256) == 1


async def test_a_copy_is_no_source_of_an_original(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    made = await copy(world, licence_id)
    with zipfile.ZipFile(io.BytesIO(made.ofd)) as package:
        record = json.loads(package.read("Doc_0/Attachs/licence.json"))
    with world.as_department():
        (answer,) = await world.import_rows(record)
    assert licence_pb2.ImportOutcome.Name(answer.outcome) == "IMPORT_OUTCOME_REFUSED"
    assert "ANNOTATED_COPY_NO_SOURCE" in {each.reason for each in answer.problems}


async def test_a_copy_kept_where_an_original_should_be_is_never_handed_out(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    made = await copy(world, licence_id)
    digest = await world.desk.documents.put(made.ofd)
    async with world.database.transaction() as tx:
        await tx.execute("update licence set sealed_sha256 = $1", digest)
    assert await reason_of(document(world, licence_id, MARKET)) == "COPY_IS_NO_ORIGINAL"


async def document(world: World, licence_id: str, department: str, basis: int = DUTY):
    request = licence_pb2.GetLicenceDocumentRequest(licence_id=licence_id, purpose=purpose(basis))
    with world.as_department(department):
        return await world.licences.GetLicenceDocument(request, None)


async def test_the_original_is_for_its_issuer_and_its_holder_and_a_copy_for_the_others(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    own = await document(world, licence_id, MARKET)
    assert not own.is_annotated_copy
    assert own.ofd.startswith(b"sealed")
    other = await document(world, licence_id, FIRE)
    assert other.is_annotated_copy
    assert copy_mark(other.ofd) is not None
    assert other.copy_expires_at.ToDatetime() > world.clock().replace(tzinfo=None)
    shown = purpose(licence_pb2.BASIS_SHOWN_BY_HOLDER)
    archive = purpose(DUTY, case_id="case-1")
    elsewhere = purpose(DUTY, case_id="case-2")
    for why, is_copy in ((shown, False), (archive, False), (elsewhere, True)):
        request = licence_pb2.GetLicenceDocumentRequest(licence_id=licence_id, purpose=why)
        with world.as_intake():
            answer = await world.licences.GetLicenceDocument(request, None)
        assert answer.is_annotated_copy is is_copy


async def test_who_may_not_know_of_a_licence_gets_no_copy_and_one_out_of_force_has_none(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    assert await reason_of(copy(world, licence_id, basis=CONSENT)) == "LICENCE_NOT_FOUND"
    late = {"expires_at": stamp(world.clock() - timedelta(seconds=1))}
    assert await reason_of(copy(world, licence_id, **late)) == "INVALID_REQUEST"
    await set_status(world, licence_id, licence_pb2.LICENCE_STATUS_SUSPENDED)
    assert await reason_of(copy(world, licence_id)) == "LICENCE_NOT_USABLE"


async def test_a_repeated_request_is_one_copy(world: World):
    licence_id = await world.stock_licence(world.citizen())
    request_id = str(uuid.uuid4())
    made = await asyncio.gather(*(copy(world, licence_id, request_id=request_id) for _ in range(10)))
    assert len({each.sha256 for each in made}) == 1
    assert await world.count("select count(*) from annotated_copy") == 1
