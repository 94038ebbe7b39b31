"""Seals are made once, filed and started, by a job that holds no signing key."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chassis.errors import Fault
from services.seal.domain.companion_list import verify_companion_list
from services.seal.domain.register import SealStatus
from services.seal.domain.structures import read_seal
from services.seal.usecases.evidence import evidence_of
from services.seal.usecases.make_seals import issue_lists, make_seals
from services.seal.usecases.request_keys import request_keys
from tests.integration.seal.conftest import AUTHORITIES, GUANGFENG, SealWorld
from tests.unit.seal.sealing_room import p256, sm2, suites


async def test_every_authority_gets_one_seal_that_is_made_filed_and_started(world: SealWorld):
    made = await world.make()
    assert made == ("36110300000001", "36112300000001")
    seal = await world.seal_of(GUANGFENG)
    assert (seal.status, seal.version) == (SealStatus.ACTIVE, 3)
    async with world.unit() as work:
        history = await work.seals.history(seal.seal_id)
    assert [each.status for each in history] == ["made", "filed", "active"]
    assert all(each.reason and each.operator for each in history)
    changed = "seal.SealStatusChanged.v1"
    assert await world.events("seal") == [("seal.SealMade.v1", 1), (changed, 2), (changed, 3)] * 2


async def test_making_again_makes_nothing_and_renews_the_lists(world: SealWorld):
    await world.make()
    world.clock.at += timedelta(days=1)
    assert await world.make() == ()
    rows = await world.rows(
        "select kind, max(number) as number, count(distinct issuer) as issuers from signed_list group by kind"
    )
    told = {(row["kind"], row["number"], row["issuers"]) for row in rows}
    assert told == {("crl", 2, 5), ("companion", 3, 1), ("status", 4, 1)}


async def test_a_service_that_knows_no_list_of_certificates_still_finds_the_list_of_states(world: SealWorld):
    await world.make()
    rows = await world.rows(
        "select distinct on (issuer) kind from signed_list order by issuer, number desc"  # as 0006 asks
    )
    assert sorted(row["kind"] for row in rows) == ["crl"] * 5 + ["status"]


async def test_the_list_of_certificates_names_each_seals_own_since_it_may_seal(stocked: SealWorld):
    async with stocked.unit() as work:
        bundle = await work.trust.bundle(stocked.clock())
        kept = {
            each.owner_code: (each, await work.seals.credential(each.seal_id, p256().name))
            for each in await work.seals.page(None, "", 10)
        }
    known = evidence_of(suites(), bundle, stocked.clock(), None)
    found = verify_companion_list(bundle.companion_list, known).companions
    assert len(found) == len(AUTHORITIES)
    for seal, credential in kept.values():
        assert credential is not None
        listed = found[seal.seal_id]
        assert (listed.valid_from, listed.valid_until) == (seal.valid_from, seal.valid_until)
        assert listed.holds(credential.certificate)
        assert len(listed.certificate_sha256) == 1


async def test_a_certificate_that_no_maker_gave_to_a_seal_reaches_no_list(stocked: SealWorld):
    await stocked.rows(
        """insert into seal_credential (seal_id, suite, key_id, certificate, maker_signature)
        select c.seal_id, 'other', s.key_id, s.certificate, c.maker_signature
        from seal_credential c join seal s using (seal_id) limit 1 returning 1"""
    )
    with pytest.raises(Fault, match="ROW_ALTERED"):
        await issue_lists(stocked.maker_unit, stocked.workshop, stocked.clock())


async def test_no_seal_is_made_without_a_key_of_the_signing_side(world: SealWorld):
    making = await make_seals(world.maker_unit, world.workshop, AUTHORITIES, world.clock())
    assert (making.made, making.waiting) == ((), tuple(each.code for each in AUTHORITIES))


async def test_a_key_request_without_proof_of_possession_is_refused(world: SealWorld):
    await request_keys(world.unit, sm2(), world.signer, AUTHORITIES, world.clock())
    await world.rows(
        "update signer_key set owner_code = $1 where owner_code = $2 returning 1",
        AUTHORITIES[1].code,
        GUANGFENG.code,
    )
    await world.rows("update signer_key set key_id = gen_random_uuid() returning 1")
    making = await make_seals(world.maker_unit, world.workshop, AUTHORITIES, world.clock())
    assert (making.made, set(making.refused.values())) == ((), {"SEAL_KEY_UNPROVED"})


async def test_private_keys_are_stored_encrypted_and_bound_to_their_id(world: SealWorld):
    await world.make()
    rows = await world.rows(
        "select key_id, wrapped_key from signer_key where suite = 'SM2-SM3' order by key_id"
    )
    (first, wrapped), (second, _) = [(str(row["key_id"]), row["wrapped_key"]) for row in rows]
    assert sm2().open_key(world.keystore.unwrap(first, wrapped)).public_key not in wrapped
    with pytest.raises(Fault, match="KEYSTORE_UNREADABLE"):
        world.keystore.unwrap(second, wrapped)


async def test_a_lost_seal_is_remade_with_a_new_key_and_its_certificate_revoked(stocked: SealWorld):
    old = await stocked.seal_of(GUANGFENG)
    await stocked.change(old.seal_id, SealStatus.LOST)
    assert await stocked.make() == ()
    await stocked.change(old.seal_id, SealStatus.REMADE, second_person="李四")
    stocked.clock.at += timedelta(minutes=1)
    assert await stocked.make() == ("36110300000002",)
    new = await stocked.seal_of(GUANGFENG)
    assert new.certificate != old.certificate
    async with stocked.unit() as work:
        material = await work.seals.material(new.seal_id)
        ended = await work.seals.ended_certificates()
        companion = await work.seals.credential(old.seal_id, p256().name)
    assert material is not None
    assert read_seal(material.ses_seal).certificates == (new.certificate,)
    assert companion is not None
    assert set(ended) == {old.certificate, companion.certificate}


async def test_a_seal_of_before_rows_were_signed_is_vouched_for_and_seals_as_before(stocked: SealWorld):
    await stocked.rows("alter table seal_history disable trigger user")
    await stocked.rows("update seal_history set maker_signature = null returning 1")
    await stocked.rows("alter table seal_history enable trigger user")
    await stocked.rows("update seal set maker_signature = null, ses_sha256 = '' returning 1")
    await make_seals(stocked.maker_unit, stocked.workshop, AUTHORITIES, stocked.clock())
    unsigned = "select (select count(*) from seal where maker_signature is null) as seals, count(*) as states"
    (left,) = await stocked.rows(f"{unsigned} from seal_history where maker_signature is null")
    assert (left["seals"], left["states"]) == (0, 0)
    await stocked.deliver("licence-1")
    assert await stocked.sealed("licence-1")
