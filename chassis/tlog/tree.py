"""The Merkle tree of RFC 9162, section 2, with SHA-256: which subtrees a proof is made of, and how it is checked.

A subtree is a range of leaves; a range is hashed from the complete nodes it consists of. What the nodes
are stored as is not known here: whoever asks gives a function that returns the hash of a complete node.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Node(NamedTuple):
    """A complete subtree: it covers the leaves from ``at << level``, ``1 << level`` of them."""

    level: int
    at: int


NodeHash = Callable[[Node], bytes]
Range = tuple[int, int]
"""The leaves from the first index up to, not including, the second."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node over its two children (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def nodes_of(start: int, end: int) -> list[Node]:
    """Return the complete nodes that a range of the tree consists of, from left to right."""
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append(Node(level, start >> level))
        start += 1 << level
    return found


def range_hash(start: int, end: int, hash_of: NodeHash) -> bytes:
    """Return the hash over a range that occurs as a subtree; the empty tree has one too."""
    nodes = nodes_of(start, end)
    if not nodes:
        return EMPTY_ROOT
    found = hash_of(nodes[-1])
    for node in reversed(nodes[:-1]):
        found = node_hash(hash_of(node), found)
    return found


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    pending: list[tuple[int, bytes]] = []
    for each in leaf_hashes:
        level, found = 0, each
        while pending and pending[-1][0] == level:
            found = node_hash(pending.pop()[1], found)
            level += 1
        pending.append((level, found))
    if not pending:
        return EMPTY_ROOT
    root = pending.pop()[1]
    while pending:
        root = node_hash(pending.pop()[1], root)
    return root


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose hashes prove that a leaf is in a tree, in the order of the proof (2.1.3.1)."""
    if not 0 <= index < size:
        message = f"no leaf {index} in a tree of {size}"
        raise ValueError(message)
    start, end, found = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    return found[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """Return the ranges whose hashes prove that a tree is a later state of another (2.1.4.1).

    None are needed from the empty tree or between equal sizes.
    """
    if not 0 <= old <= new:
        message = f"a tree of {new} is no later state of one of {old}"
        raise ValueError(message)
    if old in (0, new):
        return []
    start, end, found = 0, new, []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((start, middle))
            start = middle
    if start:
        found.append((start, end))
    return found[::-1]


def root_from_inclusion(index: int, size: int, hashed: bytes, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to, None for one of the wrong length (2.1.3.2)."""
    if not 0 <= index < size:
        return None
    here, last, found = index, size - 1, hashed
    for each in proof:
        if last == 0:
            return None
        if here & 1 or here == last:
            found = node_hash(each, found)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            found = node_hash(found, each)
        here, last = here >> 1, last >> 1
    return found if last == 0 else None


def is_included(index: int, size: int, hashed: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether a proof shows a leaf at its place in the tree of this root."""
    return root_from_inclusion(index, size, hashed, proof) == root


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Say whether a proof shows that the new tree begins with the old one (2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        is_known_root = old_root == (new_root if old == new else EMPTY_ROOT)
        return not proof and is_known_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    here, last = old - 1, new - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            first, second = node_hash(each, first), node_hash(each, second)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            second = node_hash(second, each)
        here, last = here >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _split(count: int) -> int:
    """Return the largest power of two below a count of at least two."""
    return 1 << ((count - 1).bit_length() - 1)
