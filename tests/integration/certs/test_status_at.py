"""Status of a licence and of its seal at a time, signed and proved; the holder's view of uses."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chassis.errors import PEER_UNAVAILABLE
from chassis.tlog.checkpoint import parse_checkpoint
from chassis.tlog.note import ED25519, Signer, parse_note
from chassis.tlog.tree import is_included, leaf_hash
from services.certs.domain.standing import STANDING_KIND
from services.certs.store.log import BookStore
from services.certs.usecases.held_uses import USES_KIND
from services.certs.usecases.log import sequence
from tests.integration.certs.conftest import FIRE, MARKET, World, purpose
from tests.integration.certs.evidence_room import offline
from tests.integration.certs.recourse import GROUNDS, Recourse, Said, anew, reason_of
from tests.integration.certs.test_use_codes import consume, issued, uses
from tongban.certs.v1 import dispute_pb2, holder_pb2, standing_pb2
from tongban.certs.v1 import licence_pb2 as pb


@pytest.fixture
def recourse(world: World) -> Recourse:
    return Recourse(world, Said())


def moment(stamp: Any) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)


async def test_valid_time_and_record_time_are_told_apart_and_the_answer_is_signed_and_recorded(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    entered = world.clock()
    world.clock.offset += timedelta(hours=10)
    effective = world.clock() - timedelta(hours=4)
    await recourse.change(licence_id, pb.LICENCE_STATUS_SUSPENDED, effective_at=effective)
    now = await recourse.status_at(licence_id, FIRE)
    assert now.status == pb.LICENCE_STATUS_SUSPENDED
    assert (now.act.act, now.act.basis_document) == ("suspend", "饶广市监决字〔2026〕1号")
    assert moment(now.act.effective_at) < moment(now.act.recorded_at)
    before = await recourse.status_at(licence_id, FIRE, at=entered + timedelta(hours=1))
    assert before.status == pb.LICENCE_STATUS_VALID
    meanwhile = effective + timedelta(hours=1)
    as_known_then = await recourse.status_at(licence_id, FIRE, at=meanwhile, known_at=meanwhile)
    assert as_known_then.status == pb.LICENCE_STATUS_VALID
    assert [each.act for each in now.history][-1] == "suspend"
    claims = world.desk.signer.read(now.statement, STANDING_KIND)
    assert (claims["lid"], claims["status"], claims["aud"]) == (licence_id, "suspended", FIRE)
    assert claims["seal"]["result"] == now.seal.result == "absent"
    assert (claims["jti"], holder in str(claims)) == (now.usage_id, False)
    kinds = "select count(*) from usage where kind = 'status' and outcome = 'allowed' and case_id = 'case-1'"
    assert await world.count(kinds) == 3


async def test_a_term_to_the_end_of_the_calendar_is_a_term(world: World, recourse: Recourse):
    """As registers write 长期, also where an older release stored the day as one."""
    holder = world.citizen()
    licence_id = await world.stock_licence(holder, ZZYXQJZRQ="9999-12-31")
    assert (await recourse.status_at(licence_id)).status == pb.LICENCE_STATUS_VALID
    async with world.database.transaction() as tx:
        await tx.execute("update licence set valid_until = '9999-12-31', issued_date = '0001-01-01'")
    assert (await recourse.status_at(licence_id)).status == pb.LICENCE_STATUS_VALID
    assert (await offline(world, licence_id, holder)).qr_text


async def test_before_it_was_issued_and_by_what_was_known_before_it_entered_there_was_no_such_licence(
    world: World, recourse: Recourse
):
    licence_id = await world.stock_licence(world.citizen())
    issued_earlier = world.clock() - timedelta(days=900)
    assert (await recourse.status_at(licence_id, FIRE, at=issued_earlier)).status == pb.LICENCE_STATUS_VALID
    for asked in ({"at": world.clock() - timedelta(days=1_200)}, {"known_at": issued_earlier}):
        told = await recourse.status_at(licence_id, FIRE, **asked)
        assert told.status == pb.LICENCE_STATUS_UNSPECIFIED
        assert not told.HasField("act")
        assert not told.HasField("proof")


async def test_an_unfounded_question_is_refused_and_what_one_may_not_know_of_is_not_found(
    world: World, recourse: Recourse
):
    licence_id = await world.stock_licence(world.citizen())
    ahead = world.clock() + timedelta(hours=1)
    assert await reason_of(recourse.status_at(licence_id, FIRE, at=ahead)) == "INVALID_REQUEST"
    assert await reason_of(recourse.status_at(str(uuid.uuid4()), FIRE)) == "LICENCE_NOT_FOUND"
    bare = standing_pb2.GetStatusAtRequest(licence_id=licence_id)
    consented = standing_pb2.GetStatusAtRequest(licence_id=licence_id, purpose=purpose(pb.BASIS_CONSENT))
    with world.as_department(FIRE):
        assert await reason_of(recourse.standing.GetStatusAt(bare, None)) == "INVALID_REQUEST"
        assert await reason_of(recourse.standing.GetStatusAt(consented, None)) == "LICENCE_NOT_FOUND"
    assert await world.count("select count(*) from usage") == 0


async def test_the_log_proves_the_act_that_the_status_rests_on(world: World, recourse: Recourse):
    licence_id = await world.stock_licence(world.citizen())
    assert not (await recourse.status_at(licence_id, FIRE)).HasField("proof")
    world.clock.offset += timedelta(hours=1)
    middle = world.clock()
    world.clock.offset += timedelta(hours=1)
    await recourse.change(licence_id, pb.LICENCE_STATUS_REVOKED)
    signer = Signer("test/certs", ED25519, Ed25519PrivateKey.generate())
    async with world.database.transaction() as tx:
        assert await sequence(BookStore(tx), signer, tx.now())
    for told, act in (
        (await recourse.status_at(licence_id, FIRE), "revoke"),
        (await recourse.status_at(licence_id, FIRE, at=middle), "import"),
    ):
        proof = told.proof
        leaf = json.loads(proof.leaf)
        assert (leaf["licence_id"], leaf["facts"]["act"]) == (licence_id, act)
        checkpoint = parse_checkpoint(parse_note(proof.checkpoint).text)
        hashed = leaf_hash(proof.leaf)
        assert is_included(proof.leaf_index, checkpoint.size, hashed, list(proof.hashes), checkpoint.root)


async def test_the_seal_is_asked_as_of_the_same_time_and_its_silence_is_told(
    world: World, recourse: Recourse
):
    licence_id = await world.stock_licence(world.citizen())
    digest = await world.desk.documents.put(b"sealed")
    async with world.database.transaction() as tx:
        await tx.execute("update licence set sealed_sha256 = $1, signature_id = 's1'", digest)
    world.clock.offset += timedelta(hours=2)
    at = world.clock() - timedelta(hours=1)
    told = await recourse.status_at(licence_id, FIRE, at=at)
    assert recourse.said.asked == at
    assert (told.seal.result, told.seal.seal_id, told.seal.seal_status) == ("valid", "seal-1", "active")
    await recourse.status_at(licence_id, FIRE)
    assert recourse.said.asked is None
    recourse.said.problem = PEER_UNAVAILABLE(peer="seal")
    silent = await recourse.status_at(licence_id, FIRE)
    assert (silent.seal.result, silent.seal.reason) == ("unknown", "PEER_UNAVAILABLE")
    assert silent.status == pb.LICENCE_STATUS_VALID


async def test_a_dispute_shows_while_it_freezes_and_the_licence_stays_what_it_is(
    world: World, recourse: Recourse
):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    dispute = await recourse.freeze(await recourse.open(licence_id, holder))
    world.clock.offset += timedelta(hours=1)
    frozen_then = world.clock()
    world.clock.offset += timedelta(hours=1)
    with world.as_department():
        lift = dispute_pb2.UnfreezeLicenceUseRequest(
            request_id=anew(), dispute_id=dispute.dispute_id, etag=dispute.etag, grounds=GROUNDS
        )
        await recourse.disputes.UnfreezeLicenceUse(lift, None)
    told = await recourse.status_at(licence_id, FIRE, at=frozen_then)
    assert (told.status, told.in_dispute) == (pb.LICENCE_STATUS_VALID, True)
    now = await recourse.status_at(licence_id, FIRE)
    assert (now.status, now.in_dispute) == (pb.LICENCE_STATUS_VALID, False)
    assert [each.act for each in now.history if each.act.endswith("freeze")] == ["freeze", "unfreeze"]


async def view(recourse: Recourse, holder: str, **asked: Any) -> holder_pb2.ListHolderUsesResponse:
    request = holder_pb2.ListHolderUsesRequest(holder_id_type_code="111", holder_id_number=holder)
    for name, value in asked.items():
        if isinstance(value, datetime):
            getattr(request, name).FromDatetime(value)
        else:
            setattr(request, name, value)
    with recourse.world.as_intake():
        return await recourse.holders.ListHolderUses(request, None)


async def test_each_holder_of_a_shared_licence_sees_what_was_asked_under_the_other_number(
    world: World, recourse: Recourse
):
    first, second = world.citizen(), world.citizen()
    await world.stock_licence(f"{first}^{second}", CZZT="丰小玉^丰大玉", CZZTDMLXDM="111^111")
    asked = pb.FindLicencesRequest(holder_id_type_code="111", holder_id_number=second, purpose=purpose())
    with world.as_department():
        await world.licences.FindLicences(asked, None)
    for holder in (first, second):
        assert [each.kind for each in (await view(recourse, holder)).uses] == ["find"]


async def test_the_holder_sees_who_used_what_when_why_and_on_which_basis(world: World, recourse: Recourse):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    other = await world.stock_licence(holder)
    await consume(world, await issued(world, licence_id, holder))
    world.clock.offset += timedelta(hours=1)
    between = world.clock()
    await recourse.read(other, FIRE, "case-2")
    dispute = await recourse.open(
        other,
        holder,
        kind=dispute_pb2.DISPUTE_KIND_USE,
        usage_id=(await uses(world, holder)).uses[0].usage_id,
    )
    found = [each for each in (await view(recourse, holder)).uses if each.kind in {"consume", "read"}]
    read, used = found
    assert (used.consumer_code, used.kind, list(used.face_fields)) == (
        MARKET,
        "consume",
        ["KZ_MC", "KZ_FDDBR"],
    )
    assert (used.consumer_name, used.item_code, used.case_id) == (
        "上饶市广丰区市场监督管理局",
        "item-1",
        "case-1",
    )
    assert (read.consumer_code, read.basis, read.dispute_id) == (
        FIRE,
        pb.BASIS_STATUTORY_DUTY,
        dispute.dispute_id,
    )
    assert {each.licence_id for each in (await view(recourse, holder, licence_id=licence_id)).uses} == {
        licence_id
    }
    assert {each.kind for each in (await view(recourse, holder, used_from=between)).uses} == {"read"}
    assert "read" not in {each.kind for each in (await view(recourse, holder, used_before=between)).uses}
    assert (await view(recourse, holder, licence_id="nonsense")).uses == []
    assert (await view(recourse, world.citizen())).uses == []
    wrong = view(recourse, holder, used_from=between, used_before=between)
    assert await reason_of(wrong) == "INVALID_REQUEST"


async def test_the_uses_come_in_pages_and_can_be_taken_away_signed(world: World, recourse: Recourse):
    holder = world.citizen()
    licence_id = await world.stock_licence(holder)
    for n in range(5):
        await recourse.read(licence_id, FIRE, f"case-{n}")
        world.clock.offset += timedelta(seconds=1)
    seen, token = [], ""
    while True:
        page = await view(recourse, holder, page_size=2, page_token=token)
        seen += [each.case_id for each in page.uses]
        token = page.next_page_token
        if not token:
            break
    assert seen == [f"case-{n}" for n in reversed(range(5))]
    request = holder_pb2.ExportHolderUsesRequest(holder_id_type_code="111", holder_id_number=holder)
    with world.as_intake():
        taken = await recourse.holders.ExportHolderUses(request, None)
    claims = world.desk.signer.read(taken.signed_json, USES_KIND)
    assert [each["case_id"] for each in claims["uses"]] == seen
    assert claims["is_last"] is True
    assert holder not in json.dumps(claims)
