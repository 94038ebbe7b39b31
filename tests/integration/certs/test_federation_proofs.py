"""Each state that a replica holds is proved to be in its issuer's log, or the replica says that it is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from chassis.auth import DocumentSigner
from chassis.tlog.tree import leaf_hash
from events.certs import ReplicaSent
from services.certs.app.federation import UNPROVED, replica_measure
from services.certs.domain.federation import KIND
from services.certs.domain.status import LicenceStatus
from services.certs.federated.envelope import unverified
from services.certs.store import replica_proofs
from services.certs.store.replica import ReplicaStore
from services.certs.usecases.federation import sending
from services.certs.usecases.federation.exchanging import start_again
from tests.integration.certs.federation_sites import CITY, Site
from tests.integration.certs.test_federation import sites
from tongban.certs.v1 import federation_pb2 as pb
from tongban.certs.v1 import licence_pb2

__all__ = ["sites"]

Claims = dict[str, Any]
REPLICA, UNKNOWN = pb.ANSWER_SOURCE_REPLICA, pb.ANSWER_SOURCE_UNKNOWN
NOT_PROVED = "select count(*) from replica_proof where proved_at is null"


def is_beat(each: ReplicaSent) -> bool:
    return bool(unverified(each.message)["kind"] == "heartbeat")


def altered(site: Site, sent: Sequence[ReplicaSent], change: Callable[[Claims], Claims]) -> list[ReplicaSent]:
    """Return what was sent with other claims in its licence messages, really signed by the registry."""

    def again(each: ReplicaSent) -> ReplicaSent:
        claims = unverified(each.message)
        signed = DocumentSigner(site.signing).sign_document(claims | change(claims), kind=KIND)
        return each.model_copy(update={"message": signed})

    return [each if is_beat(each) else again(each) for each in sent]


def unproved(_: Claims) -> Claims:
    return {"leaf": "", "tree_size": 0, "proof": []}


async def answer(county: Site, holder: str) -> tuple[Any, str]:
    county.wire.cut = True
    found = (await county.find(holder))[CITY]
    county.wire.cut = False
    return found.source, found.reason


async def told(city: Site, county: Site, others: int = 3) -> tuple[str, str, list[ReplicaSent]]:
    """Return a holder, the id of its licence, what the city says of it; the county knows of others already."""
    for _ in range(others):
        await city.world.stock_licence(city.world.citizen())
    await county.hear(await city.speak())
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    return holder, licence_id, await city.speak()


@pytest.mark.parametrize("first", ["messages", "heartbeats"])
async def test_a_state_is_proved_whichever_comes_first_its_message_or_the_checkpoint(
    sites: tuple[Site, Site], first: str
) -> None:
    city, county = sites
    holder, licence_id, sent = await told(city, county)
    await county.hear(sorted(sent, key=is_beat, reverse=first == "heartbeats"))
    assert await county.world.count("select count(*) from replica_proof where proved_at is not null") == 4
    await city.change(licence_id, LicenceStatus.REVOKED)
    await county.hear(sorted(await city.speak(), key=is_beat, reverse=first == "heartbeats"))
    assert await county.world.count(NOT_PROVED) == 0
    county.world.clock.offset = timedelta(seconds=90)
    assert await answer(county, holder) == (REPLICA, "")


def another_leaf(claims: Claims) -> Claims:
    leaf = json.dumps(json.loads(claims["leaf"]) | {"form": 2})
    return {"leaf": leaf, "leaf_hash": leaf_hash(leaf.encode()).hex()}


LIES: dict[str, Callable[[Claims], Claims]] = {
    "a leaf that is not in the tree": another_leaf,
    "a leaf hash of another leaf": lambda _: {"leaf_hash": leaf_hash(b"another").hex()},
    "a state that the leaf does not say": lambda _: {"status": "suspended"},
    "another place": lambda claims: {"leaf_index": claims["leaf_index"] ^ 1},
    "a proof of another size": lambda claims: {"tree_size": claims["tree_size"] + 1},
    "a proof that is too short": lambda claims: {"proof": claims["proof"][1:]},
    "another hash on the way": lambda claims: {"proof": [claims["proof"][-1]] * len(claims["proof"])},
}


@pytest.mark.parametrize("order", ["message first", "checkpoint first"])
@pytest.mark.parametrize("lie", LIES)
async def test_a_wrong_proof_freezes_the_replica_as_a_fork_does(
    sites: tuple[Site, Site], lie: str, order: str
) -> None:
    city, county = sites
    holder, _, sent = await told(city, county)
    await city.world.stock_licence(city.world.citizen())
    sent = [*altered(city, sent, LIES[lie]), *await city.speak()]
    await county.hear(sorted(sent, key=is_beat, reverse=order == "checkpoint first"))
    state = await county.state(CITY)
    assert state.frozen_at is not None
    assert state.fork_note
    assert (await county.refused())["proof_wrong"] == 1
    assert "licence" in state.frozen_cause
    assert await answer(county, holder) == (UNKNOWN, "REPLICA_FROZEN")


async def test_what_is_not_proved_in_time_is_unknown_counted_and_asked_for(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder, licence_id, sent = await told(city, county)
    await county.hear(altered(city, sent, unproved))
    assert await answer(county, holder) == (REPLICA, "")
    await city.change(licence_id, LicenceStatus.SUSPENDED)
    county.world.clock.offset = timedelta(seconds=40)
    await county.hear(altered(city, await city.speak(), unproved))  # another state begins no other minute
    assert await answer(county, holder) == (REPLICA, "")
    county.world.clock.offset = timedelta(seconds=62)
    assert await answer(county, holder) == (UNKNOWN, "REPLICA_UNPROVED")
    async with county.world.database.transaction() as tx:
        await replica_measure(county.exchange, county.vault)(tx)
    assert UNPROVED.labels(CITY)._value.get() == 1
    await county.exchange.catch_up()
    assert await answer(county, holder) == (REPLICA, "")
    assert await county.world.count(NOT_PROVED) == 0
    assert await county.refused() == {}


def larger(claims: Claims) -> Claims:
    """Return what a leaf's way looks like in a tree that has one leaf more."""
    return {"tree_size": claims["tree_size"] + 1, "proof": [claims["proof"][0], *claims["proof"]]}


async def test_a_proof_under_a_tree_that_nobody_heard_of_proves_nothing(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder, _, sent = await told(city, county)
    await county.hear(altered(city, sent, larger))
    assert (await county.state(CITY)).frozen_at is None
    county.world.clock.offset = timedelta(seconds=61)
    assert await answer(county, holder) == (UNKNOWN, "REPLICA_UNPROVED")


async def test_a_proof_whose_checkpoint_was_lost_is_asked_for_and_the_stream_goes_on(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    await county.hear(await city.speak())
    holder, licence_id, sent = await told(city, county)
    await county.hear([each for each in sent if not is_beat(each)])
    assert await county.world.count(NOT_PROVED) == 1
    county.world.clock.offset = timedelta(seconds=8)
    await county.exchange.catch_up()
    assert await county.world.count(NOT_PROVED) == 0
    await city.change(licence_id, LicenceStatus.REVOKED)
    await county.hear(await city.speak())  # follows from what was asked for
    assert await county.world.count(NOT_PROVED) == 0
    county.wire.cut = True
    (found,) = (await county.find(holder))[CITY].licences
    assert found.licence.status == licence_pb2.LICENCE_STATUS_REVOKED


async def test_a_licence_that_changes_while_it_is_told_is_proved_by_its_next_message(
    sites: tuple[Site, Site],
) -> None:
    city, county = sites
    holder = city.world.citizen()
    licence_id = await city.world.stock_licence(holder)
    await city.log()
    await city.change(licence_id, LicenceStatus.REVOKED)  # its leaf still waits
    await city.exchange.send()
    await county.hear(await city.outbox())
    assert await county.world.count(NOT_PROVED) == 1
    await county.hear(await city.speak())
    assert await county.world.count(NOT_PROVED) == 0
    assert (await county.state(CITY)).frozen_at is None


async def test_a_state_from_before_there_were_proofs_is_still_told(sites: tuple[Site, Site]) -> None:
    city, county = sites
    holder, _, sent = await told(city, county)
    await county.hear(sent)
    async with county.world.database.transaction() as tx:
        await tx.execute("delete from replica_proof")
        await tx.execute("delete from replica_root")
    county.world.clock.offset = timedelta(seconds=90)
    assert await answer(county, holder) == (REPLICA, "")


async def test_licences_from_before_are_proved_page_by_page_and_no_page_says_that_it_is_all(
    sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, county = sites
    monkeypatch.setattr(sending, "BATCH", 2)
    holders = [city.world.citizen() for _ in range(5)]
    for each in holders:
        await city.world.stock_licence(each)
        await city.log()
    await city.exchange.send()
    await city.world.stock_licence(city.world.citizen())
    await city.log()
    await city.exchange.send()
    await county.hear(await city.outbox())
    state = await county.state(CITY)
    assert (state.size, state.verified_at) == (6, None)
    assert await county.world.count(NOT_PROVED) == 0
    assert (await answer(county, holders[0]))[1] == "REPLICA_EMPTY"
    await county.hear(await city.speak())
    assert [await answer(county, each) for each in holders] == [(REPLICA, "")] * 5


async def test_the_newest_roots_are_kept_until_the_replica_begins_anew(
    sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    city, county = sites
    monkeypatch.setattr(replica_proofs, "ROOTS_KEPT", 2)
    for _ in range(4):
        await city.world.stock_licence(city.world.citizen())
        await county.hear(await city.speak())
    kept = "select count(*) from replica_root"
    assert await county.world.count(f"{kept} where size in (3, 4)") == await county.world.count(kept) == 2
    async with county.world.database.transaction() as tx:
        await start_again(ReplicaStore(tx, county.vault), CITY)
    assert await county.world.count(kept) == await county.world.count(NOT_PROVED) == 0
    await county.exchange.catch_up()
    assert await county.world.count("select count(*) from replica_proof where proved_at is not null") == 4
