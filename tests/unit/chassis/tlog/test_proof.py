"""Proofs that travel: as text and in few bytes, at every size of a log, and nothing altered passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.errors import Fault
from chassis.tlog.checkpoint import Checkpoint
from chassis.tlog.compact import COSIGNED_BYTES, SIGNED_BYTES, compact, read_compact, spelled_out
from chassis.tlog.held import HeldLog, contradicting, hashes_on_path, read_held
from chassis.tlog.note import COSIGNATURE, ED25519, Signer, Verifier
from chassis.tlog.proof import LogProof, check_proof, parse_proof
from chassis.tlog.tree import (
    HASH_BYTES,
    inclusion_ranges,
    leaf_hash,
    nodes_of,
    range_hash,
    root_from_inclusion,
    root_of,
)

LOG = Signer("tongban/certs/test", ED25519, Ed25519PrivateKey.from_private_bytes(b"l" * 32))
WITNESS = Signer("witness.test", COSIGNATURE, Ed25519PrivateKey.from_private_bytes(b"w" * 32))
OTHER = Signer("witness.other", COSIGNATURE, Ed25519PrivateKey.from_private_bytes(b"o" * 32))
KEYS = (LOG.verifier, WITNESS.verifier)
NOW = datetime(2026, 3, 9, 2, tzinfo=UTC)
LARGE = 2**24


def note_of(size: int, root: bytes, *witnesses: Signer) -> str:
    text = Checkpoint(LOG.name, size, root).text
    return LOG.sign(text) + "".join(each.line(text, NOW) for each in witnesses)


def hashed(leaves: Sequence[bytes], start: int, end: int) -> bytes:
    return root_of([leaf_hash(each) for each in leaves[start:end]])


@cache
def leaves_of(size: int) -> tuple[bytes, ...]:
    return tuple(f"leaf {n}".encode() for n in range(size))


def real(index: int, size: int) -> LogProof:
    leaves = leaves_of(size)
    hashes = tuple(hashed(leaves, *each) for each in inclusion_ranges(index, size))
    return LogProof(index, hashes, note_of(size, hashed(leaves, 0, size), WITNESS))


def simulated(index: int, size: int, leaf: bytes) -> LogProof:
    """Return a proof in a log too large to build: what is beside the way is invented, the root follows."""
    hashes = tuple(leaf_hash(f"{start}-{end}".encode()) for start, end in inclusion_ranges(index, size))
    root = root_from_inclusion(index, size, leaf_hash(leaf), hashes)
    assert root is not None
    return LogProof(index, hashes, note_of(size, root, WITNESS))


@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_a_proof_holds_at_every_size_as_text_and_in_few_bytes(size: int) -> None:
    for index in sorted({0, 1, 2, size // 2, size - 2, size - 1} & set(range(size))):
        proof, leaf = real(index, size), leaves_of(size)[index]
        assert parse_proof(proof.text) == proof
        small = read_compact(bytes(compact(proof)))
        assert small == compact(proof)
        found = spelled_out(small, leaf, KEYS)
        assert found == proof
        signed, note = check_proof(found, leaf, LOG.verifier)
        assert signed.size == size
        assert note.cosigned_at(WITNESS.verifier) == NOW
        other = spelled_out(small, leaf + b"x", KEYS)
        assert other is not None
        with pytest.raises(Fault, match="CHECKPOINT_FORGED"):
            check_proof(other, leaf + b"x", LOG.verifier)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, LARGE - 1), st.integers(0, 40), st.binary(max_size=40))
def test_a_proof_in_a_large_log_comes_back_within_its_bound(index: int, more: int, leaf: bytes) -> None:
    proof = replace(simulated(index, LARGE + more, leaf), extra=leaf)
    assert parse_proof(proof.text) == proof
    content = bytes(compact(proof))
    assert len(content) <= 4 + 4 + 25 * HASH_BYTES + SIGNED_BYTES + COSIGNED_BYTES
    assert spelled_out(read_compact(content), leaf, KEYS) == replace(proof, extra=b"")


@pytest.mark.parametrize("size", [3, 1_000, LARGE])
def test_no_byte_of_a_compact_proof_can_be_another(size: int) -> None:
    leaf = leaves_of(3)[1]
    proof = simulated(1, size, leaf)
    content = bytes(compact(proof))
    for at in range(len(content)):
        for bits in (1, 0x80):
            changed = content[:at] + bytes([content[at] ^ bits]) + content[at + 1 :]
            assert not holds(changed, leaf), at
    for at in range(len(content)):
        assert not holds(content[:at], leaf)
    assert holds(content, leaf)


def holds(content: bytes, leaf: bytes) -> bool:
    """Say whether content is a proof that the held keys bear out, witness and all."""
    try:
        found = spelled_out(read_compact(content), leaf, KEYS)
        if found is None:
            return False
        _, note = check_proof(found, leaf, LOG.verifier)
        return note.cosigned_at(WITNESS.verifier) is not None
    except Fault:
        return False


@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_no_byte_of_a_proof_in_a_file_can_be_another(size: int) -> None:
    leaf = leaves_of(size)[0]
    content = real(0, size).text.encode()
    for at in range(len(content)):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        try:
            _, note = check_proof(parse_proof(changed.decode()), leaf, LOG.verifier)
        except (Fault, UnicodeDecodeError):
            continue
        assert note.cosigned_at(WITNESS.verifier) is None, at


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    with refusing_malformed():
        assert bytes(read_compact(content)) == content


@given(
    st.text(max_size=200) | st.text(max_size=60).map(lambda text: f"c2sp.org/tlog-proof@v1\n{text}\n\nx\n")
)
def test_no_text_breaks_the_reader(text: str) -> None:
    with refusing_malformed():
        assert parse_proof(text).text == text


@contextmanager
def refusing_malformed() -> Iterator[None]:
    try:
        yield
    except Fault as fault:
        if fault.code != "LOG_PROOF_MALFORMED":
            raise


def test_a_proof_of_a_key_that_is_not_held_is_not_judged() -> None:
    stranger = replace(LOG, name="another/log").verifier
    small = compact(real(1, 3))
    assert spelled_out(small, leaves_of(3)[1], [stranger, WITNESS.verifier]) is None
    assert spelled_out(small, leaves_of(3)[1], [replace_kind(LOG.verifier)]) is None


def replace_kind(verifier: Verifier) -> Verifier:
    return Verifier(verifier.name, COSIGNATURE, verifier.public)


def test_cosignatures_of_unknown_witnesses_are_left_out_and_as_many_travel_as_wanted() -> None:
    proof = replace(real(0, 2), checkpoint=note_of(2, hashed(leaves_of(2), 0, 2), OTHER, WITNESS))
    assert len(compact(proof).cosignatures) == 1
    both = compact(proof, 2)
    found = spelled_out(both, leaves_of(2)[0], KEYS)
    assert found is not None
    assert "witness.other" not in found.checkpoint
    assert "witness.test" in found.checkpoint


def edge_of(size: int) -> tuple[bytes, ...]:
    leaves = leaves_of(size)
    return tuple(
        hashed(leaves, node.at << node.level, (node.at + 1) << node.level) for node in nodes_of(0, size)
    )


def held(size: int) -> HeldLog:
    return HeldLog(KEYS, note_of(size, hashed(leaves_of(size), 0, size)), edge_of(size))


@pytest.mark.parametrize("size", [1, 2, 3, 8, 37])
def test_what_is_held_reads_as_it_was_written_and_must_fit(size: int) -> None:
    found = held(size)
    assert read_held(found.text) == found
    for wrong in (
        replace(found, subtrees=(b"x" * HASH_BYTES, *found.subtrees[1:])),
        replace(found, subtrees=(*found.subtrees, b"x" * HASH_BYTES)),
        replace(found, checkpoint=found.checkpoint.replace("tongban", "tongbam")),
        replace(found, keys=(WITNESS.verifier,)),
    ):
        with pytest.raises(Fault, match="LOG_TRUST_UNREADABLE"):
            read_held(wrong.text)
    for text in ("", "{}", "[]", '{"keys": ["x"]}', '{"keys": 1}', '{"keys": [], "checkpoint": "x"}'):
        with pytest.raises(Fault, match="LOG_TRUST_UNREADABLE"):
            read_held(text)


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_proofs_of_one_log_never_contradict_what_is_held_of_it(
    size: int, other: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = hashes_on_path(index, size, leaves_of(size)[index], real(index, size).hashes)
    assert contradicting(path, held(other).known()) is None
    assert path[0, size] == hashed(leaves_of(size), 0, size)


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 40), st.integers(0, 40), st.data())
def test_a_log_that_says_otherwise_of_a_leaf_that_was_held_contradicts_it(
    size: int, more: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    forged = list(leaves_of(size + more))
    forged[index] = b"never said"
    hashes = [hashed(forged, *each) for each in inclusion_ranges(index, len(forged))]
    path = hashes_on_path(index, len(forged), forged[index], hashes)
    assert contradicting(path, held(size).known()) is not None


def test_the_hash_of_a_large_range_is_that_of_its_nodes() -> None:
    leaves = leaves_of(37)
    nodes = {
        node: hashed(leaves, node.at << node.level, (node.at + 1) << node.level) for node in nodes_of(0, 37)
    }
    assert held(37).known()[0, 37] == range_hash(0, 37, nodes.__getitem__)
