"""A message proves its state by a leaf that says the same and a way to a root; anything else proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.tlog.tiles import Tile, grown, tiles_for
from chassis.tlog.tree import inclusion_ranges, leaf_hash, root_from_inclusion, root_of
from services.certs.domain.federation import (
    PROVED_WITHIN,
    LeafProof,
    LicenceMessage,
    ReplicaLicence,
    ReplicaState,
    Source,
    claims_of,
    message_of,
    proof_of,
    replica_says,
)
from services.certs.domain.licence import Licence
from services.certs.domain.log import LICENCE, Leaf, leaf_bytes
from services.certs.domain.status import LicenceStatus
from services.certs.usecases.federation.ports import Standing
from services.certs.usecases.federation.proving import Proving

NOW = datetime(2026, 3, 9, 2, 30, 15, tzinfo=UTC)
LICENCE_ID = "018f0000-0000-7000-8000-000000000001"
SIZE, PLACE = 11, 6
SAID: dict[str, str | int] = {
    "act": "revoke",
    "content": "00" * 32,
    "effective_at": "2026-03-09T02:30:15.000000Z",
    "status": "revoked",
    "version": 3,
}


def leaf_of(licence_id: str = LICENCE_ID, kind: str = LICENCE, **changed: Any) -> bytes:
    return leaf_bytes(Leaf(kind, licence_id, NOW, SAID | changed))


def log_with(leaf: bytes, size: int = SIZE, place: int = PLACE) -> list[bytes]:
    """The leaf hashes of a log that has a leaf at its place."""
    hashes = [leaf_hash(b"leaf %d" % n) for n in range(size)]
    return [*hashes[:place], leaf_hash(leaf), *hashes[place + 1 :]]


def told(leaf: bytes, size: int = SIZE, place: int = PLACE) -> LicenceMessage:
    """A message with the proof of a leaf; what it says is what the leaf of `leaf_of` says."""
    hashes = log_with(leaf, size, place)
    return LicenceMessage(
        *("361100-city", "361123-county", LICENCE_ID, 1, 1, 0, 3, "T"),
        *(LicenceStatus.REVOKED, "revoke", False, NOW, NOW, ""),
        leaf_index=place,
        leaf_hash=leaf_hash(leaf),
        leaf=leaf.decode(),
        tree_size=size,
        proof=tuple(root_of(hashes[start:end]) for start, end in inclusion_ranges(place, size)),
    )


GOOD = told(leaf_of())
UNUSED: Any = (None, "revoke", False, NOW, NOW)
"""Of where a licence stands, what a proof has nothing to do with."""


def ranges_of(places: list[int], size: int) -> list[tuple[int, int]]:
    return [each for place in places for each in inclusion_ranges(place, size)]


@given(st.integers(1, 70), st.data())
def test_a_proof_leads_to_the_root_of_its_tree(size: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, size - 1))
    message = told(leaf_of(), size, place)
    assert proof_of(message) == LeafProof(size, root_of(log_with(leaf_of(), size, place)))
    assert proof_of(message_of(claims_of(message))) == proof_of(message)  # type: ignore[arg-type]


def test_a_licence_that_was_used_since_is_proved_by_the_leaf_of_its_state() -> None:
    assert proof_of(told(leaf_of(version=2))).size == SIZE


def test_a_message_of_an_earlier_release_proves_nothing() -> None:
    claims = {
        name: said for name, said in claims_of(GOOD).items() if name not in {"leaf", "tree_size", "proof"}
    }
    read = message_of(claims)
    assert isinstance(read, LicenceMessage)
    assert proof_of(read) == LeafProof()


@pytest.mark.parametrize(
    "leaf",
    [
        leaf_of("018f0000-0000-7000-8000-000000000002"),
        leaf_of(kind="usage"),
        leaf_of(status="valid"),
        leaf_of(act="restore"),
        leaf_of(version=4),
        leaf_of(effective_at="2026-03-10T02:30:15.000000Z"),
        leaf_bytes(Leaf(LICENCE, LICENCE_ID, NOW + timedelta(seconds=1), SAID)),
        *(b"", b"7", b"[]", b'{"facts":7}', leaf_of().replace(b":3}", b":1e999}"), b"[" * 3_000),
    ],
)
def test_a_leaf_that_says_something_else_is_no_proof_wherever_it_is(leaf: bytes) -> None:
    with pytest.raises(Fault, match="LOG_PROOF_WRONG"):
        proof_of(told(leaf))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda good: replace(good, leaf_hash=leaf_hash(b"another")),
        lambda good: replace(good, proof=good.proof[:-1]),
        lambda good: replace(good, proof=(*good.proof, good.proof[0])),
        lambda good: replace(good, leaf_index=SIZE),
        lambda good: replace(good, leaf_index=-1),
        lambda good: replace(good, tree_size=PLACE),
        lambda good: replace(good, tree_size=2**40),
    ],
)
def test_a_proof_that_no_tree_of_its_size_can_have_is_wrong(
    wrong: Callable[[LicenceMessage], LicenceMessage],
) -> None:
    with pytest.raises(Fault, match="LOG_PROOF_WRONG"):
        proof_of(wrong(GOOD))


@pytest.mark.parametrize("changed", [{"leaf_index": PLACE + 1}, {"tree_size": SIZE + 1}])
def test_a_proof_of_another_place_or_size_leads_to_a_root_that_the_log_never_had(
    changed: dict[str, int],
) -> None:
    found = proof_of(replace(GOOD, **changed))  # type: ignore[arg-type]
    assert found.root != root_of(log_with(leaf_of(), found.size))


def held(unproved_since: datetime | None, licence: Licence) -> ReplicaLicence:
    return ReplicaLicence("361100-city", licence, "revoke", False, NOW, NOW, NOW, True, unproved_since)


def test_a_state_is_shown_for_a_minute_before_its_proof(licence: Licence) -> None:
    state = ReplicaState("361100-city").after_message(1).after_beat(NOW, 1, 1, "note", 7, b"r")
    late = NOW + PROVED_WITHIN + timedelta(microseconds=1)
    waiting, proved = held(NOW, licence), held(None, licence)
    assert replica_says(state, (waiting,), 3_600, NOW + PROVED_WITHIN) == (Source.REPLICA, "")
    assert replica_says(state, (proved, waiting), 3_600, late) == (Source.NOBODY, "REPLICA_UNPROVED")
    assert replica_says(state, (proved,), 3_600, late) == (Source.REPLICA, "")


@given(st.integers(1, 1_400), st.data())
async def test_what_a_batch_is_proved_with_leads_every_leaf_to_the_root(
    size: int, data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=5))
    hashes = log_with(leaf_of(), size, places[0])
    tiles = grown({}, 0, hashes)
    shown = Proving(size, {tile: tiles[tile] for tile in tiles_for(ranges_of(places, size))})
    for place in places:
        asked = replace(GOOD, leaf="", leaf_index=place, leaf_hash=hashes[place], tree_size=0, proof=())
        standing = Standing(*UNUSED, leaf_index=place, leaf_hash=hashes[place], leaf=leaf_of())
        proved = shown.proved(asked, standing)
        assert (proved.tree_size, proved.leaf) == (size, leaf_of().decode())
        assert root_from_inclusion(place, size, hashes[place], proved.proof) == root_of(hashes)


def test_a_damaged_tile_is_told_and_what_the_checkpoint_does_not_have_stays_unproved() -> None:
    hashes = log_with(leaf_of())
    standing = Standing(*UNUSED, leaf_index=PLACE, leaf_hash=hashes[PLACE], leaf=leaf_of())
    asked = replace(GOOD, leaf="", tree_size=0, proof=())
    with pytest.raises(Fault, match="LOG_TILE_DAMAGED"):
        Proving(SIZE, {Tile(0, 0): b"".join(hashes[:-1])}).proved(asked, standing)
    assert Proving(PLACE, {}).proved(asked, standing) == asked
    assert Proving().proved(asked, standing) == asked
    assert Proving(SIZE, grown({}, 0, hashes)).proved(replace(asked, act="restore"), standing).proof == ()
