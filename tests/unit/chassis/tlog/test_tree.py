"""The tree of RFC 9162: known roots, and every proof against a naive model."""

from __future__ import annotations

import hashlib
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.tlog.tiles import (
    HEIGHT,
    WIDTH,
    Tile,
    grown,
    hash_of_range,
    right_edge,
    tiles_for,
)
from chassis.tlog.tree import (
    EMPTY_ROOT,
    consistency_ranges,
    inclusion_ranges,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    root_of,
)

pytestmark = [pytest.mark.promise("P9")]
ENTRIES = [
    bytes.fromhex(each)
    for each in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
"""Entries and roots of the test data that implementations of Certificate Transparency share."""


def naive_root(hashes: list[bytes]) -> bytes:
    """The definition, word by word (RFC 9162, 2.1.1)."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    middle = 1
    while middle * 2 < len(hashes):
        middle *= 2
    return node_hash(naive_root(hashes[:middle]), naive_root(hashes[middle:]))


def made(size: int) -> list[bytes]:
    return [leaf_hash(str(n).encode()) for n in range(size)]


def proof(hashes: list[bytes], ranges: list[tuple[int, int]]) -> list[bytes]:
    return [naive_root(hashes[start:end]) for start, end in ranges]


@pytest.mark.parametrize("size", range(1, 9))
def test_the_known_roots_are_met(size: int) -> None:
    assert root_of([leaf_hash(each) for each in ENTRIES[:size]]).hex() == ROOTS[size - 1]
    assert root_of([]) == EMPTY_ROOT == naive_root([])


def test_every_leaf_of_every_small_tree_is_proved_and_none_is_proved_elsewhere() -> None:
    for size in range(1, 40):
        hashes = made(size)
        root = naive_root(hashes)
        assert root_of(hashes) == root
        for index in range(size):
            found = proof(hashes, inclusion_ranges(index, size))
            assert len(found) <= ceil(log2(size)) + 1
            assert is_included(index, size, hashes[index], found, root)
            assert not is_included((index + 1) % size, size, hashes[index], found, root) or size == 1
            assert not is_included(index, size, leaf_hash(b"other"), found, root)
            assert not is_included(index, size, hashes[index], [*found, root], root)
            assert not found or not is_included(index, size, hashes[index], found[:-1], root)


def test_every_earlier_state_of_every_small_tree_is_proved_and_no_other_is() -> None:
    for new in range(1, 40):
        hashes = made(new)
        roots = [naive_root(hashes[:size]) for size in range(new + 1)]
        for old in range(new + 1):
            found = proof(hashes, consistency_ranges(old, new))
            assert len(found) <= ceil(log2(new)) + 1
            assert is_consistent(old, roots[old], new, roots[new], found)
            assert not is_consistent(old, leaf_hash(b"x"), new, roots[new], found)
            assert not is_consistent(old, roots[old], new, leaf_hash(b"x"), found) or old == 0
            assert not is_consistent(old, roots[old], new, roots[new], [*found, roots[new]])
            assert not found or not is_consistent(old, roots[old], new, roots[new], found[:-1])


@given(st.lists(st.integers(1, 700), min_size=1, max_size=6), st.data())
def test_tiles_that_grew_in_any_steps_prove_what_the_model_proves(
    steps: list[int], data: st.DataObject
) -> None:
    hashes = made(sum(steps))
    tiles: dict[Tile, bytes] = {}
    size = 0
    for step in steps:
        edge = {each: tiles[each] for each in right_edge(size)}
        changed = grown(edge, size, hashes[size : size + step])
        assert len(changed) <= step // WIDTH + 2 + step // WIDTH**2 + 2, "rewrites its right edge and no more"
        tiles |= changed
        size += step
        assert hash_of_range({each: tiles[each] for each in right_edge(size)}, 0, size) == root_of(
            hashes[:size]
        )
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    for ranges in (inclusion_ranges(index, size), consistency_ranges(old, size)):
        wanted = tiles_for(ranges)
        assert len(wanted) <= 2 * ceil(log2(size) / HEIGHT + 1), "a handful of tiles for any proof"
        held = {each: tiles[each] for each in wanted}
        assert [hash_of_range(held, *each) for each in ranges] == [root_of(hashes[a:b]) for a, b in ranges]


def test_a_tile_that_lost_a_hash_is_told() -> None:
    tiles = grown({}, 0, made(300))
    with pytest.raises(Fault, match="LOG_TILE_DAMAGED"):
        grown({Tile(0, 1): tiles[Tile(0, 1)][:-32]}, 300, made(1))
    with pytest.raises(Fault, match="LOG_TILE_DAMAGED"):
        hash_of_range({Tile(0, 1): tiles[Tile(0, 1)]}, 0, 300)
