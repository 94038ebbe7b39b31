"""Two registries on real databases: what one tells, the other keeps, doubts, answers with and never overrules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chassis.auth import new_signing_key
from chassis.errors import Fault
from chassis.rpc.call import Caller, calling
from chassis.rpc.peer import Peer
from chassis.tlog.keys import new_log_key, read_signer
from chassis.tlog.note import ED25519
from services.certs.domain.federation import (
    Agreement,
    Refusal,
)
from services.certs.domain.status import LicenceStatus
from standards.identifiers import build_citizen_id
from tests.integration.certs.conftest import BUSINESS, CONTEXT, MARKET
from tests.integration.certs.federation_sites import CITY, COUNTY, NAME, Site, about, forged, make_site
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import licence_pb2


@pytest.fixture
async def sites(fresh_database: Any, tmp_path: Path) -> AsyncIterator[tuple[Site, Site]]:
    """A city and a county that share business licences both ways."""
    made: list[Site] = []
    for number, name in enumerate((CITY, COUNTY)):
        made.append(await make_site(await fresh_database(), tmp_path / name, name, made, number))
    city, county = made
    city.agree(Agreement(county.card(), frozenset({BUSINESS}), frozenset({BUSINESS})))
    county.agree(Agreement(city.card(), frozenset({BUSINESS}), frozenset({BUSINESS})))
    yield city, county
    for each in made:
        await each.world.database.close()


async def test_a_licence_is_found_at_its_issuer_and_from_the_replica_when_that_is_away(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    online = (await county.find(holder))[CITY]
    assert online.source == pb.ANSWER_SOURCE_ISSUER
    assert [each.licence.licence_id for each in online.licences] == [licence_id]
    county.wire.cut = True
    offline = (await county.find(holder))[CITY]
    assert (offline.source, offline.reason) == (pb.ANSWER_SOURCE_REPLICA, "")
    (found,) = offline.licences
    assert found.licence.licence_id == licence_id
    assert found.licence.status == licence_pb2.LICENCE_STATUS_VALID
    assert found.licence.holder_name == "丰**"
    assert not found.licence.etag
    county.world.clock.offset = timedelta(seconds=90)
    later = (await county.find(holder))[CITY]
    assert 89 <= later.age_seconds <= 95
    assert later.as_of == offline.as_of
    county.world.clock.offset = timedelta(seconds=3_700)
    stale = (await county.find(holder))[CITY]
    assert (stale.source, stale.reason) == (pb.ANSWER_SOURCE_UNKNOWN, "REPLICA_TOO_OLD")
    assert not stale.licences


async def test_a_revocation_while_the_mirror_is_cut_is_seen_after_it(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    county.wire.cut = True
    await city.change(licence_id, LicenceStatus.REVOKED)
    held_back = await city.speak()
    before = (await county.find(holder))[CITY].licences[0]
    assert before.licence.status == licence_pb2.LICENCE_STATUS_VALID
    await county.hear(held_back)
    after = (await county.find(holder))[CITY].licences[0]
    assert (after.licence.status, after.act) == (licence_pb2.LICENCE_STATUS_REVOKED, "revoke")


async def test_messages_count_once_and_in_their_order_however_they_come(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    first = await city.speak()
    await city.change(licence_id, LicenceStatus.SUSPENDED)
    second = await city.speak()
    county.wire.cut = True
    await county.hear(second)
    unknown = (await county.find(holder))[CITY]
    assert unknown.source == pb.ANSWER_SOURCE_UNKNOWN
    await county.hear([*first, *second, *first])
    found = (await county.find(holder))[CITY]
    assert found.source == pb.ANSWER_SOURCE_REPLICA
    assert found.licences[0].licence.status == licence_pb2.LICENCE_STATUS_SUSPENDED
    assert (await county.state(CITY)).through == 2
    assert await county.refused() == {}


async def test_what_was_lost_is_asked_for_and_until_then_unknown(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder, other = city.world.citizen(), city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    await city.change(licence_id, LicenceStatus.SUSPENDED)
    await city.speak()  # lost
    await city.change(licence_id, LicenceStatus.REVOKED)
    await city.world.stock_licence(other)
    await county.hear(await city.speak())
    county.wire.cut = True
    unknown = (await county.find(holder))[CITY]
    assert (unknown.source, unknown.reason) == (pb.ANSWER_SOURCE_UNKNOWN, "REPLICA_INCOMPLETE")
    county.wire.cut = False
    county.world.clock.offset = timedelta(seconds=5)
    await county.exchange.catch_up()
    county.wire.cut = True
    found = (await county.find(holder))[CITY]
    assert found.source == pb.ANSWER_SOURCE_REPLICA
    assert found.licences[0].licence.status == licence_pb2.LICENCE_STATUS_REVOKED


async def test_a_replica_that_begins_late_is_filled_from_the_first_licence_on(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    holders = [city.world.citizen() for _ in range(5)]
    for each in holders:
        await city.world.stock_licence(each)
    city.agree()
    await city.speak()
    city.agree(Agreement(county.card(), frozenset({BUSINESS}), frozenset()))
    await county.hear(await city.speak())
    county.wire.cut = True
    for each in holders:
        assert len((await county.find(each))[CITY].licences) == 1


async def test_nobody_speaks_for_another(sites: tuple[Site, Site]) -> None:
    city, county = sites
    mine = await county.world.stock_licence(county.world.citizen())
    thief = new_signing_key()
    await county.hear([forged(about(str(uuid4()), CITY, COUNTY), thief)])
    assert await county.refused() == {Refusal.SIGNATURE_WRONG: 1}
    await county.hear([forged(about(mine, CITY, COUNTY), city.signing)])
    await county.hear([forged(about(str(uuid4()), "999999-nobody", COUNTY), thief)])
    misled = forged(about(str(uuid4()), CITY, CITY), city.signing)
    await county.hear([misled.model_copy(update={"recipient_id": COUNTY})])
    await county.hear(
        [forged(about(str(uuid4()), CITY, COUNTY, 2, type_code="11100000000013127D001"), city.signing)]
    )
    assert await county.refused() == {
        Refusal.SIGNATURE_WRONG: 1,
        Refusal.NOT_THEIRS: 1,
        Refusal.UNKNOWN_ISSUER: 1,
        Refusal.NOT_FOR_US: 1,
        Refusal.TYPE_NOT_AGREED: 1,
    }
    status = await county.world.count(
        "select count(*) from licence where status = 'valid' and licence_id = $1", mine
    )
    assert status == 1


async def lose_log(site: Site, beat_size: int) -> None:
    """Have a registry's log begin anew; ``beat_size`` is the size that it believes to have told of last."""
    async with site.world.database.transaction() as tx:
        for table in ("log_cosignature", "log_checkpoint", "log_tile", "log_leaf"):
            await tx.execute(f"alter table {table} disable trigger user")
            await tx.execute(f"delete from {table}")
        await tx.execute("update log_state set size = 0")
        await tx.execute("update replica_outgoing set beat_size = $1", beat_size)
        await tx.execute("update replica_cursor set leaf_index = 0")


@pytest.mark.parametrize("proves_from", ["what the replica knows", "the beginning"])
async def test_a_log_written_anew_that_is_longer_by_now_freezes_the_replica(
    sites: tuple[Site, Site], proves_from: str
) -> None:
    city, county = sites
    for _ in range(3):
        await city.world.stock_licence(city.world.citizen())
    await county.hear(await city.speak())
    known = (await county.state(CITY)).size
    await lose_log(city, known if proves_from == "what the replica knows" else 0)
    for _ in range(2 * known):
        await city.world.stock_licence(city.world.citizen())
    await county.hear(await city.speak())
    county.world.clock.offset = timedelta(seconds=4)
    await county.exchange.catch_up()
    frozen = await county.state(CITY)
    assert frozen.frozen_at is not None
    assert frozen.frozen_cause == f"no consistency proof: {known} then {2 * known}"
    assert frozen.size == known


async def test_a_log_that_became_shorter_freezes_the_replica(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = city.world.citizen()
    await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    state = await county.state(CITY)
    assert state.size > 0
    await lose_log(city, beat_size=0)  # as a backup from before would have it
    await city.log()
    await county.hear(await city.speak())
    frozen = await county.state(CITY)
    assert frozen.frozen_at is not None
    assert "shorter" in frozen.frozen_cause or "another root" in frozen.frozen_cause
    assert frozen.fork_note
    county.wire.cut = True
    answer = (await county.find(holder))[CITY]
    assert (answer.source, answer.reason) == (pb.ANSWER_SOURCE_UNKNOWN, "REPLICA_FROZEN")
    county.wire.cut = False
    answer = (await county.find(holder))[CITY]
    assert (answer.source, answer.reason) == (pb.ANSWER_SOURCE_ISSUER, "REPLICA_FROZEN")
    with county.world.as_operator():
        request = pb.RestartReplicaRequest(request_id=str(uuid4()), registry_id=CITY, reason="已核实")
        await county.servicer.RestartReplica(request, CONTEXT)
    await county.exchange.catch_up()
    county.wire.cut = True
    assert (await county.find(holder))[CITY].source == pb.ANSWER_SOURCE_REPLICA


async def test_a_log_goes_on_under_a_key_that_the_peer_file_announced(sites: tuple[Site, Site]) -> None:
    city, county = sites
    await city.world.stock_licence(city.world.citizen())
    await county.hear(await city.speak())
    before = (await county.state(CITY)).size
    agreed = county.federation.of(CITY)
    coming = read_signer(new_log_key().encode(), city.log_signer.name, ED25519)
    earlier, city.log_signer = city.log_signer, coming
    await city.world.stock_licence(city.world.citizen())
    unannounced = await city.speak()
    await county.hear(unannounced)
    assert (await county.state(CITY)).size == before  # a key that nobody told of signs nothing for us
    keys = (str(earlier.verifier), str(coming.verifier))
    county.agree(replace(agreed, peer=replace(agreed.peer, log_keys=keys)))
    city.world.clock.offset = county.world.clock.offset = timedelta(seconds=90)  # the next heartbeat is due
    await city.world.stock_licence(city.world.citizen())
    await county.hear(await city.speak())
    await county.exchange.catch_up()
    assert (await county.state(CITY)).size > before
    assert (await county.state(CITY)).frozen_at is None


async def test_uses_of_the_replica_reach_the_issuer_once(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    await county.hear(await city.speak())
    county.wire.cut = True
    await county.find(holder)
    await county.find(holder)
    assert await county.world.count("select count(*) from replica_use where delivered_at is null") == 2
    county.wire.cut = False
    await county.exchange.pay()
    async with county.world.database.transaction() as tx:
        await tx.execute("update replica_use set delivered_at = null")  # as if the answer had been lost
    await county.exchange.pay()
    await county.exchange.pay()
    told = await city.world.count(
        "select count(*) from usage where licence_id = $1 and kind = 'find'", licence_id
    )
    assert told == 2
    assert await county.world.count("select count(*) from replica_use where delivered_at is null") == 0
    assert await county.world.count("select count(*) from usage where holder_key is not null") >= 2


async def test_no_name_and_no_number_is_on_the_topic_or_in_the_replica(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = build_citizen_id("361103", date(1991, 2, 3), 77)
    await city.world.stock_licence(holder)
    sent = await city.speak()
    assert sent
    text = json.dumps([each.model_dump() for each in sent], ensure_ascii=False)
    await county.hear(sent)
    async with county.world.database.transaction() as tx:
        for table in ("replica_licence", "replica_state", "replica_refusal", "replica_use", "inbox"):
            text += str([tuple(row.values()) for row in await tx.fetch(f"select * from {table}")])
    for secret in (holder, NAME, "永丰街道"):
        assert secret not in text
        assert secret.encode().hex() not in text


async def test_a_peer_is_answered_about_agreed_types_only(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder = city.world.citizen()
    await city.world.stock_licence(holder)
    with calling(Caller(Peer("registry", "999999-nobody"))), pytest.raises(Fault, match="REGISTRY_UNKNOWN"):
        await city.servicer.GetReplicaSince(pb.GetReplicaSinceRequest(), CONTEXT)
    city.agree(Agreement(county.card(), frozenset(), frozenset()))
    assert not (await county.find(holder))[CITY].licences
    without = pb.AskSharedRequest(
        holder_id_type_code="111", holder_id_number=holder, reader=pb.PeerReader(code=MARKET)
    )
    city.agree(Agreement(county.card(), frozenset({BUSINESS}), frozenset()))
    with calling(Caller(Peer("registry", COUNTY))), pytest.raises(Fault, match="INVALID_REQUEST"):
        await city.servicer.AskShared(without, CONTEXT)
