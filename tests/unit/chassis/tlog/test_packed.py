"""Hashes side by side behave as a list of them does, in a quarter of its memory."""

from __future__ import annotations

import random
import tracemalloc
from array import array

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from chassis.tlog.audit import Log, audit
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.note import ED25519, Signer
from chassis.tlog.packed import Hashes
from chassis.tlog.tree import HASH_BYTES, root_of

SIGNER = Signer("tongban.test/log", ED25519, Ed25519PrivateKey.from_private_bytes(bytes(32)))
LEAVES = 20_000
MOST_BYTES = 100
"""For each leaf: two hashes and an index are 72."""
hashes = st.lists(st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES), max_size=20)
places = st.one_of(st.none(), st.integers(-25, 25))


@given(hashes, places, places, places)
def test_they_are_what_a_list_of_them_is(
    given_: list[bytes], first: int | None, end: int | None, then: int | None
) -> None:
    packed = Hashes(given_)
    assert (len(packed), list(packed)) == (len(given_), given_)
    part, same = packed[first:end], given_[first:end]
    assert (list(part), list(part[then:])) == (same, same[then:])
    for at in range(-len(same), len(same)):
        assert part[at] == same[at]
    for outside in (len(same), -len(same) - 1):
        with pytest.raises(IndexError):
            part[outside]


def test_what_is_no_hash_is_equal_to_none() -> None:
    packed = Hashes([b"", b"x" * 31, b"x" * 33])
    assert list(packed) == [bytes(HASH_BYTES)] * 3
    with pytest.raises(ValueError, match="no step"):
        packed[::2]


def test_a_slice_sees_what_it_was_taken_of() -> None:
    packed = Hashes([b"a" * HASH_BYTES])
    part = packed[:]
    with pytest.raises(BufferError):
        packed.append(b"b" * HASH_BYTES)
    with pytest.raises(BufferError):
        part.append(b"b" * HASH_BYTES)
    assert list(part) == list(packed) == [b"a" * HASH_BYTES]


def test_a_whole_log_is_judged_in_a_hundred_bytes_a_leaf() -> None:
    chance = random.Random(7)
    root = root_of([chance.randbytes(HASH_BYTES) for _ in range(LEAVES)])
    note, chance = Checkpoint(SIGNER.name, LEAVES, root).signed(SIGNER), random.Random(7)
    tracemalloc.start()
    try:
        leaves, kept, indices = Hashes(), Hashes(), array("q")
        for index in range(LEAVES):
            hashed = chance.randbytes(HASH_BYTES)
            leaves.append(hashed)
            kept.append(hashed)
            indices.append(index)
        verdict = audit(Log(leaves, indices, kept, [note]), SIGNER.verifier)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (verdict.size, verdict.findings) == (LEAVES, [])
    assert most / LEAVES < MOST_BYTES
