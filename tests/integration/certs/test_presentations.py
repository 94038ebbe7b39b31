"""Presenting a licence: a minute, one scan, and a summary that holds offline."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta

import pytest

from chassis.errors import Fault
from services.certs.app.offline import check_qr, verify_presentation_offline
from services.certs.domain.presentation import offline_parts_of
from tests.integration.certs.conftest import FIRE, World
from tests.integration.certs.evidence_room import entrusted, entrustment, offline
from tests.integration.certs.test_issuing import Issuing
from tests.integration.certs.test_use_codes import reason_of, set_status, uses
from tongban.certs.v1 import licence_pb2 as pb
from tongban.certs.v1 import presentation_pb2, use_code_pb2


async def present(world: World, licence_id: str, holder: str, request_id: str = "", **named: str):
    request = presentation_pb2.CreatePresentationRequest(
        request_id=request_id or str(uuid.uuid4()),
        licence_id=licence_id,
        holder_id_type_code="111",
        holder_id_number=holder,
        **named,
    )
    with world.as_intake():
        return await world.presentations.CreatePresentation(request, None)


async def scan(world: World, code: str, request_id: str = ""):
    request = presentation_pb2.VerifyPresentationRequest(
        request_id=request_id or str(uuid.uuid4()), code=code
    )
    with world.as_department(FIRE):
        return await world.presentations.VerifyPresentation(request, None)


async def in_force(world: World, holder: str) -> str:
    issuing = Issuing(world)
    licence_id = await issuing.approve(holder)
    await issuing.seal(licence_id)
    return licence_id


async def test_an_inspector_of_another_county_gets_a_verified_masked_answer_by_code_or_qr(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    shown = await present(world, licence_id, holder)
    answer = await scan(world, shown.code)
    assert answer.verdict == "VALID"
    assert answer.licence.licence_id == licence_id
    assert answer.licence.holder_name == "丰**"
    again = await present(world, licence_id, holder)
    assert (await scan(world, again.qr_text)).verdict == "VALID"
    scans = [use for use in (await uses(world, holder)).uses if use.consumer_code == FIRE]
    assert {use.basis for use in scans} == {pb.BASIS_SHOWN_BY_HOLDER}
    assert len(scans) == 2


async def test_a_code_is_scanned_once_however_many_try_and_the_others_are_recorded(world: World):
    holder = world.citizen()
    shown = await present(world, await in_force(world, holder), holder)
    results = await asyncio.gather(*(scan(world, shown.code) for _ in range(20)), return_exceptions=True)
    assert len([each for each in results if not isinstance(each, BaseException)]) == 1
    assert {each.code for each in results if isinstance(each, Fault)} == {"PRESENTATION_SCANNED"}
    assert await world.count("select count(*) from usage where outcome = 'PRESENTATION_SCANNED'") == 19


async def test_a_repeated_scan_never_calls_valid_what_is_not_in_force_any_more(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    shown, request_id = await present(world, licence_id, holder), str(uuid.uuid4())
    first = await scan(world, shown.code, request_id)
    assert first.verdict == "VALID"
    assert await scan(world, shown.code, request_id) == first
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    assert await reason_of(scan(world, shown.code, request_id)) == "PRESENTATION_SCANNED"
    assert await world.count("select count(*) from usage where outcome = 'PRESENTATION_SCANNED'") == 1


async def test_a_code_is_over_after_a_minute_online_and_offline(world: World):
    holder = world.citizen()
    shown = await present(world, await in_force(world, holder), holder)
    keys = (await world.presentations.GetPresentationKeys(None, None)).jwks_json
    summary = verify_presentation_offline(shown.qr_text, keys, world.clock())
    assert (summary.type_code, summary.status) == ("11100000MB0143028R901", "valid")
    world.clock.offset = timedelta(seconds=95)
    assert await reason_of(scan(world, shown.code)) == "PRESENTATION_EXPIRED"
    with pytest.raises(Fault) as over:
        verify_presentation_offline(shown.qr_text, keys, world.clock())
    assert over.value.code == "PRESENTATION_EXPIRED"


async def test_a_forged_qr_text_and_a_guessed_code_are_refused(world: World):
    from chassis.auth import DocumentSigner, new_signing_key

    holder = world.citizen()
    shown = await present(world, await in_force(world, holder), holder)
    claims = world.desk.signer.read(shown.qr_text.removeprefix("TB1."))
    forged = "TB1." + DocumentSigner(new_signing_key()).sign_document(claims, kind="presentation")
    keys = world.desk.signer.jwks_json
    with pytest.raises(Fault) as refused:
        verify_presentation_offline(forged, keys, world.clock())
    assert refused.value.code == "SIGNATURE_WRONG"
    assert await reason_of(scan(world, forged)) == "SIGNATURE_WRONG"
    assert await reason_of(scan(world, "guessed")) == "PRESENTATION_UNKNOWN"
    assert (await scan(world, shown.code)).verdict == "VALID"


async def test_the_qr_text_and_the_published_keys_hold_nothing_personal_or_private(world: World):
    holder = world.citizen()
    shown = await present(world, await in_force(world, holder), holder)
    claims = json.dumps(world.desk.signer.read(shown.qr_text.removeprefix("TB1.")))
    assert holder not in claims
    assert shown.code not in claims
    assert "丰" not in claims
    assert '"d"' not in world.desk.signer.jwks_json


async def test_only_the_holder_presents_and_only_what_is_in_force(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    assert await reason_of(present(world, licence_id, world.citizen())) == "LICENCE_NOT_FOUND"
    shown = await present(world, licence_id, holder)
    await set_status(world, licence_id, pb.LICENCE_STATUS_REVOKED)
    assert (await scan(world, shown.code)).verdict == "NOT_IN_FORCE"
    assert await reason_of(present(world, licence_id, holder)) == "LICENCE_NOT_USABLE"


async def test_a_changed_document_is_never_called_valid(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    for path in world.documents_dir.rglob("*"):
        if path.is_file():
            path.write_bytes(b"changed")
    assert (await scan(world, (await present(world, licence_id, holder)).code)).verdict == "INVALID"


async def test_stock_without_a_document_is_shown_as_unsealed(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    assert (await scan(world, (await present(world, licence_id, holder)).code)).verdict == "UNSEALED"


async def test_fifty_repeats_of_one_request_are_one_presentation(world: World):
    holder = world.citizen()
    licence_id, request_id = await in_force(world, holder), str(uuid.uuid4())
    answers = await asyncio.gather(*(present(world, licence_id, holder, request_id) for _ in range(50)))
    assert len({answer.qr_text for answer in answers}) == 1
    assert await world.count("select count(*) from presentation") == 1


async def test_the_next_code_ends_the_one_before_a_step_later(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    first = await present(world, licence_id, holder)
    assert first.refresh_at.ToDatetime() < first.expires_at.ToDatetime()
    world.clock.offset += timedelta(seconds=20)
    second = await present(world, licence_id, holder)
    third = await present(world, licence_id, holder)
    assert (await scan(world, first.code)).verdict == "VALID"  # one step more, for whoever was scanning it
    world.clock.offset += timedelta(seconds=32)
    assert await reason_of(scan(world, second.code)) == "PRESENTATION_EXPIRED"
    assert (await scan(world, third.code)).verdict == "VALID"


async def test_an_agent_shows_what_was_entrusted_and_the_holder_sees_it(world: World):
    holder, agent = world.citizen(), world.citizen()
    licence_id = await in_force(world, holder)
    statement = entrustment(world, holder, agent, types=["11100000MB0143028R901"])
    name = await entrusted(world, statement)
    named = {"entrustment_id": name, "agent_id_type_code": "111", "agent_id_number": agent}
    shown = await present(world, licence_id, holder, **named)
    assert (await scan(world, shown.code)).verdict == "VALID"
    assert (await offline(world, licence_id, holder, **named)).qr_text.startswith("TB2.")
    stranger = named | {"agent_id_number": world.citizen()}
    assert await reason_of(present(world, licence_id, holder, **stranger)) == "ENTRUSTMENT_WRONG_PERSON"
    lines = [use for use in (await uses(world, holder)).uses if use.kind == "present"]
    assert {(use.mode, use.entrustment_id) for use in lines} == {("entrustment", name)}


async def test_what_an_agent_shows_ends_with_the_entrustment(world: World):
    holder, agent = world.citizen(), world.citizen()
    licence_id = await world.stock_licence(holder)
    end = int(world.clock().timestamp()) + 40
    name = await entrusted(world, entrustment(world, holder, agent, exp=end))
    named = {"entrustment_id": name, "agent_id_type_code": "111", "agent_id_number": agent}
    for shown in (
        await offline(world, licence_id, holder, **named),
        await present(world, licence_id, holder, **named),
    ):
        assert shown.expires_at.seconds == end
    own = await offline(world, licence_id, holder)
    assert own.expires_at.seconds > end + 80_000


async def shown_by_an_agent(world: World, licence_id: str, holder: str):
    agent = world.citizen()
    name = await entrusted(world, entrustment(world, holder, agent))
    named = {"entrustment_id": name, "agent_id_type_code": "111", "agent_id_number": agent}
    return name, await present(world, licence_id, holder, **named)


async def taken_back(world: World, holder: str, name: str) -> None:
    request = use_code_pb2.RevokeEntrustmentRequest(
        request_id=str(uuid.uuid4()),
        entrustment_id=name,
        holder_id_type_code="111",
        holder_id_number=holder,
        reason="不再委托",
    )
    with world.as_intake():
        await world.use_codes.RevokeEntrustment(request, None)


@pytest.mark.parametrize("text", ["code", "qr_text"])
async def test_a_code_that_an_agent_shows_is_over_when_the_entrustment_is_taken_back(world: World, text: str):
    holder = world.citizen()
    name, shown = await shown_by_an_agent(world, await world.stock_licence(holder), holder)
    await taken_back(world, holder, name)
    assert await reason_of(scan(world, getattr(shown, text))) == "ENTRUSTMENT_REVOKED"
    assert await reason_of(scan(world, getattr(shown, text))) == "ENTRUSTMENT_REVOKED"
    refused = [use for use in (await uses(world, holder)).uses if use.outcome == "ENTRUSTMENT_REVOKED"]
    assert [(use.kind, use.consumer_code) for use in refused] == [("scan", FIRE)] * 2


async def test_a_repeated_scan_of_what_an_agent_showed_asks_again_whether_he_still_may(world: World):
    holder, request_id = world.citizen(), str(uuid.uuid4())
    name, shown = await shown_by_an_agent(world, await world.stock_licence(holder), holder)
    first = await scan(world, shown.code, request_id)
    assert await scan(world, shown.code, request_id) == first
    await taken_back(world, holder, name)
    assert await reason_of(scan(world, shown.code, request_id)) == "ENTRUSTMENT_REVOKED"
    assert await world.count("select count(*) from usage where outcome = 'ENTRUSTMENT_REVOKED'") == 1


async def test_a_code_that_the_holder_shows_himself_stands_whatever_he_entrusted(world: World):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    name, _ = await shown_by_an_agent(world, licence_id, holder)
    own = await present(world, licence_id, holder)
    await taken_back(world, holder, name)
    assert (await scan(world, own.code)).verdict == "UNSEALED"


async def test_an_offline_statement_is_checked_with_the_published_keys_alone_for_a_day(world: World):
    holder = world.citizen()
    shown = await offline(world, await in_force(world, holder), holder)
    keys = (await world.presentations.GetPresentationKeys(None, None)).jwks_json
    stated, log = check_qr(shown.qr_text, keys, world.clock() + timedelta(hours=23))
    assert log.standing == "not_taken_yet"
    assert (stated.type_name, stated.holder_masked, stated.status) == ("食品经营许可证", "丰**", "valid")
    assert stated.identifier.startswith("1.2.156.3005.2.")
    with pytest.raises(Fault) as over:
        check_qr(shown.qr_text, keys, world.clock() + timedelta(hours=25))
    assert over.value.code == "OFFLINE_STATEMENT_EXPIRED"
    for wrong in (shown.qr_text[:-6], shown.qr_text.replace("TB2.", "TB1."), "TB2.x.y.z", ""):
        with pytest.raises(Fault):
            check_qr(wrong, keys, world.clock())


async def test_an_offline_statement_fits_a_qr_code_of_version_20_and_holds_no_number(world: World):
    import segno

    holder = world.citizen()
    shown = await offline(world, await in_force(world, holder), holder, life_seconds=600)
    assert int(segno.make(shown.qr_text, error="l").version) <= 20
    jws, _ = offline_parts_of(shown.qr_text)
    claims = json.dumps(world.desk.signer.read(jws, "licence-statement"))
    assert holder not in claims
    too_long = offline(world, await in_force_again(world, holder), holder, life_seconds=90_000)
    assert await reason_of(too_long) == "INVALID_REQUEST"


async def in_force_again(world: World, holder: str) -> str:
    issuing = Issuing(world)
    licence_id = await issuing.approve(holder, "part-2")
    await issuing.seal(licence_id)
    return licence_id


async def test_only_the_holder_has_a_statement_made_and_only_of_what_is_in_force(world: World):
    holder = world.citizen()
    licence_id = await in_force(world, holder)
    assert await reason_of(offline(world, licence_id, world.citizen())) == "LICENCE_NOT_FOUND"
    await set_status(world, licence_id, pb.LICENCE_STATUS_SUSPENDED)
    assert await reason_of(offline(world, licence_id, holder)) == "LICENCE_NOT_USABLE"


async def test_a_statement_of_the_key_before_is_read_until_that_key_is_retired(tmp_path):
    from chassis.auth import PublishedKeys, new_signing_key
    from chassis.auth.live import publish_key
    from services.certs.rpc import JwsSigner

    old, new, file = new_signing_key(), new_signing_key(), tmp_path / "keys.json"
    before = JwsSigner(old)
    statement = before.sign({"a": 1})
    publish_key(file, old)
    signer = JwsSigner(new, PublishedKeys(file, lambda: new))
    assert signer.read(statement) == {"a": 1}
    assert signer.read(signer.sign({"b": 2})) == {"b": 2}
    assert {each["kid"] for each in json.loads(signer.jwks_json)["keys"]} == {old.kid, new.kid}
    publish_key(file, new, retire_others_at=1)
    with pytest.raises(Fault) as refused:
        JwsSigner(new, PublishedKeys(file, lambda: new)).read(statement)
    assert refused.value.code == "SIGNATURE_WRONG"
